"""The user's schema: loaded from its file, hashed, and put into the provider's dialect. Once per job."""

import contextlib
import hashlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from pydantic import BaseModel

from pipeline.catalog import modes
from pipeline.errors import JobError
from pipeline.schema.dialects.rewrite import PLAIN, Back, Dialect, dialects_for, restored, rewrite
from pipeline.schema.json_schema import original_of
from pipeline.schema.modules import module_at
from pipeline.schema.record_json import writer_of
from pipeline.text import did_you_mean
from pipeline.types import AnswerShape

NAME = re.compile(r"[^a-zA-Z0-9_-]+")
LONGEST_NAME = 64
WAY_OUT = "ask for less in one schema, or set extract.mode = 'auto', which takes a mode that can say it"


class Shaped(Struct, frozen=True):
    """A model in a provider's dialect. `original` is Pydantic's schema with our marks, `back` the way back to it."""

    shape: AnswerShape
    original: dict[str, Any]
    rewritten: bool  # whether answers have to be restored
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    back: Back = field(default_factory=Back)


def load_model(spec: str) -> type[BaseModel]:
    """The class named by FILE.py:Class (an absolute path) or module:Class.

    Raises:
        JobError: names the file, the line and the cause.
    """
    place, _, name = spec.rpartition(":")
    module = module_at(place)
    found = getattr(module, name, None)
    if found is None:
        models = [key for key, value in vars(module).items() if inspect.isclass(value) and issubclass(value, BaseModel)]
        there = did_you_mean(name, models, f" Models there: {', '.join(models) or 'none'}", cutoff=0.4)
        if place == "__main__":  # of `extract`, in another process
            told = f"the class {name!r} of these records was defined in a script or a notebook, and is not here"
            raise JobError(f"{told}. Put it into a module of its own, or read the records as a table: Result.table()")
        raise JobError(f"{place}: has no class {name!r} (extract.schema).{there}")
    if not (inspect.isclass(found) and issubclass(found, BaseModel)):
        raise JobError(f"{place}: {name} is {found!r}, not a subclass of pydantic.BaseModel (extract.schema)")
    return found


def source_hash(model: type[BaseModel], spec: str) -> str:
    """Hash of the schema and of the source that holds its validators: a change of either makes outcomes anew."""
    place = spec.rpartition(":")[0]
    try:
        source = (
            Path(place).read_text(encoding="utf-8") if place.endswith(".py") else inspect.getsource(sys.modules[place])
        )
    except (OSError, TypeError, KeyError):
        source = _methods_of(model)
    canonical = json.dumps(original_of(model).schema, sort_keys=True)
    written = (
        "\0by value" if writer_of(model).differs else ""
    )  # its records of before are made anew, of the same answers
    return hashlib.blake2b(f"{canonical}\0{source}{written}".encode(), digest_size=16).hexdigest()


def _methods_of(model: type[BaseModel]) -> str:
    """The source of a class of a notebook's cell: its functions have one, where the cell's module has no file."""
    told = []
    for owner in (one for one in model.__mro__ if issubclass(one, BaseModel) and one is not BaseModel):
        for member in vars(owner).values():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if inspect.isfunction(function) and function.__module__ == owner.__module__:
                with contextlib.suppress(OSError, TypeError):
                    told.append(inspect.getsource(function))
    return "\n".join(told)


def shape_for(model: type[BaseModel], provider: str, mode: str, *, model_name: str = "", api: str = "") -> Shaped:
    """The model as `provider` is asked for it in `mode`; with `auto`, in the strictest mode that can say it all."""
    original = original_of(model)
    wrong = modes.mode_problem(provider, model_name, api, mode)
    problems = (*original.problems, *([wrong] if wrong else []))
    if problems:
        shape = AnswerShape(
            _shape_name(model.__name__), modes.mode_for(provider, model_name, api, mode), {}, strict=False
        )
        return Shaped(shape, original.schema, rewritten=False, problems=problems)
    return shape_of(original.schema, model.__name__, provider, mode, model_name=model_name, api=api)


def shape_of(
    original: dict[str, Any], name: str, provider: str, mode: str, *, model_name: str = "", api: str = ""
) -> Shaped:
    """The same of a schema of Pydantic's with our marks, under this name."""
    tries = [
        (one, dialect, rewrite(original, dialect))
        for one in modes.modes_for(provider, model_name, api, mode)
        for dialect in _dialects(provider, one, model_name, api)
    ]
    chosen, dialect, asked = next((one for one in tries if not one[2].problems), tries[0])
    notes = asked.notes
    if dialect is not tries[0][1]:
        notes = (f"asked for by {dialect.name}, because {tries[0][1].name} cannot: {tries[0][2].problems[0]}", *notes)
    shape = AnswerShape(_shape_name(name), chosen, asked.schema, strict=dialect.enforced)
    way_out = (WAY_OUT,) if asked.problems and not rewrite(original, PLAIN).problems else ()
    return Shaped(shape, original, not asked.back.plain, notes, (*asked.problems, *way_out), asked.back)


def restore(shaped: Shaped, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """An answer as the model takes it."""
    return restored(shaped.back, data) if shaped.rewritten else data


def _dialects(provider: str, mode: str, model_name: str, api: str) -> tuple[Dialect, ...]:
    strict_tools = modes.ability_of(provider, model_name, api).strict_tools
    return dialects_for(provider, mode, model_name, strict_tools=strict_tools)


def _shape_name(name: str) -> str:
    """A class's name as all providers take one: Box[int] has brackets."""
    return NAME.sub("_", name).strip("_-")[:LONGEST_NAME] or "Record"
