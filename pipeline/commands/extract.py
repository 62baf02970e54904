"""A job out of what a program has in its hands: documents, a class and a model, instead of files that name them."""

import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from pipeline.documents.sources.given import given
from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.job.environment import environ_of
from pipeline.job.file import absolute, laid_over
from pipeline.job.folder import GIVEN_LOCK
from pipeline.job.names import provider_and_model
from pipeline.job.settings import REMOTE, Job
from pipeline.ledger.lock import FolderLock
from pipeline.output.folder import ready_folder
from pipeline.output.remote.sync import localized

CALLED = "pipeline.extract()"  # stands for a job file in messages
MAX_OUTPUT_TOKENS = 2048
ARGUMENTS = {"input.path": "documents", "extract.schema": "schema", "output.path": "output"}


class Wanted(Struct, frozen=True):
    """What `extract` was asked for, but for the documents. `settings` go before the rest, as of `Job.load`."""

    schema: type[BaseModel]
    model: str  # PROVIDER:NAME
    prompt: str
    output: str
    max_usd: Decimal | float | str | None
    base_url: str
    settings: Mapping[str, Any]


@contextmanager
def prepared_for(documents: Any, wanted: Wanted, environ: Mapping[str, str]) -> Iterator[Prepared]:  # noqa: ANN401 (any)
    """The job, with its documents in the output folder, where nobody changes them before the block has ended.

    Raises:
        JobError: documents, schema, model or a setting cannot be used; nothing was sent.
        LedgerError: another `extract` has the folder.
    """
    job = _job(wanted)
    if job.output.path.startswith(REMOTE):
        job = localized(job, environ_of(job.file, environ))
    folder = ready_folder(job)
    with FolderLock(folder, "extract", GIVEN_LOCK):
        found = given(documents, folder, job.input.text)
        asked = job.input.id if "input.id" in wanted.settings else found.id
        yield prepare(replace(job, input=replace(job.input, path=found.path, id=asked)), wanted.schema)


def _job(wanted: Wanted) -> Job:
    schema = wanted.schema
    if not (inspect.isclass(schema) and issubclass(schema, BaseModel)):
        raise JobError(f"schema = {schema!r} should be a class that derives from pydantic.BaseModel")
    if taken := [name for key, name in ARGUMENTS.items() if key in wanted.settings]:
        raise JobError(f"set has a key that is an argument of its own: give {taken[0]}=...")
    provider, name = provider_and_model(wanted.model, "model = ")
    model = {"provider": provider, "name": name, "max_output_tokens": MAX_OUTPUT_TOKENS}
    table: dict[str, Any] = {
        "name": Path(wanted.output).name or schema.__name__,
        "input": {"path": "."},
        "extract": {"schema": "pipeline:Schema", "prompt": wanted.prompt},
        "model": {**model, "base_url": wanted.base_url} if wanted.base_url else model,
        "budget": {} if wanted.max_usd is None else {"max_usd": wanted.max_usd},
        "output": {"path": absolute(wanted.output, Path.cwd())},
    }
    job = laid_over(table, Path(CALLED), tuple(wanted.settings.items()))
    on_ray = job.engine.on == "ray"
    if (on_ray or job.limits.workers > 1) and (reason := _not_for_workers(schema)):
        asked = "engine.on = 'ray'" if on_ray else f"limits.workers = {job.limits.workers}"
        raise JobError(
            f"{asked}: workers import the class, and {schema.__qualname__} {reason}. "
            "Put the class into a module of its own (a .py file) and import it from there, or leave that setting out"
        )
    return replace(job, extract=replace(job.extract, schema=f"{schema.__module__}:{schema.__qualname__}"))


def _not_for_workers(schema: type[BaseModel]) -> str:
    """Why another process cannot import a class by its name; "": it can."""
    module, name = schema.__module__, schema.__qualname__
    if module == "__main__":
        return "is defined in __main__: in the script itself, or in a cell of a notebook"
    if "." in name:
        return "is defined within a function or a class"
    if getattr(sys.modules.get(module), name, None) is not schema:
        return f"is not what {module}.{name} names"
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    return "" if found is not None and found.has_location else f"is in {module}, which is in no file"
