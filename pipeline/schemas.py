"""The user's schema: loaded from its file, hashed, and put into the provider's dialect. Once per job."""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from pipeline import dialects
from pipeline.errors import JobError
from pipeline.work import AnswerShape


@dataclass(frozen=True, slots=True)
class Shaped:
    """A model in a provider's dialect. `original` is Pydantic's own schema, the guide back."""

    shape: AnswerShape
    original: dict[str, Any]
    rewritten: bool  # whether answers have to be restored
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def load_model(spec: str) -> type[BaseModel]:
    """The class named by FILE.py:Class (an absolute path) or module:Class.

    Raises:
        JobError: names the file, the line and the cause.
    """
    place, _, name = spec.rpartition(":")
    module = _from_file(Path(place)) if place.endswith(".py") else _imported(place)
    found = getattr(module, name, None)
    if found is None:
        models = [key for key, value in vars(module).items() if inspect.isclass(value) and issubclass(value, BaseModel)]
        close = difflib.get_close_matches(name, models, n=1, cutoff=0.4)
        there = f" Did you mean {close[0]!r}?" if close else f" Models there: {', '.join(models) or 'none'}"
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
        source = ""
    canonical = json.dumps(model.model_json_schema(), sort_keys=True)
    return hashlib.blake2b(f"{canonical}\0{source}".encode(), digest_size=16).hexdigest()


def shape_for(model: type[BaseModel], provider: str, mode: str) -> Shaped:  # noqa: ARG001 (each provider has its dialect)
    """The model as `provider` is asked for it in `mode`."""
    try:
        original = model.model_json_schema(by_alias=True, mode="validation")
    except (PydanticUserError, TypeError) as error:
        schema: dict[str, Any] = {}
        problem = f"{model.__name__} has no JSON schema: {str(error).splitlines()[0]}"
        return Shaped(
            AnswerShape(model.__name__, "json_schema", schema, strict=True),
            schema,
            rewritten=False,
            problems=(problem,),
        )
    rewrite = dialects.Rewrite(original)
    schema = rewrite.strict()
    chosen = "json_schema" if mode == "auto" else mode
    shape = AnswerShape(model.__name__, chosen, schema, strict=chosen != "json_object")
    return Shaped(shape, original, dialects.needs_restoring(original), tuple(dict.fromkeys(rewrite.notes)))


def restore(shaped: Shaped, data: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """An answer as the model takes it."""
    return dialects.restored_root(shaped.original, data) if shaped.rewritten else data


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 (the user's module may raise anything)
        raise JobError(f"{name}: cannot be imported (extract.schema): {type(error).__name__}: {error}") from None


def _from_file(path: Path) -> ModuleType:
    if not path.exists():
        raise JobError(f"{path}: no such file (extract.schema)")
    spec = importlib.util.spec_from_file_location(
        f"_pipeline_schema_{hashlib.sha1(str(path).encode()).hexdigest()}", path
    )
    if spec is None or spec.loader is None:
        raise JobError(f"{path}: cannot be loaded (extract.schema)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic looks annotations up there
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise JobError(f"{error.filename}: line {error.lineno}: {error.msg} (extract.schema)") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        raise JobError(f"{path}: {where}{type(error).__name__}: {error} (extract.schema)") from None
    finally:
        sys.path.remove(str(path.parent))
    return module
