"""The job's own Python files on their way to a cluster: the schema's, the look-ups', and the modules that these import.

They go as text, read once as the run begins. On a worker they lie in a folder of its own until all is loaded.
"""

import ast
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path, PurePosixPath
from types import ModuleType

from msgspec.structs import replace

from pipeline.console import say
from pipeline.errors import JobError
from pipeline.job.settings import Job
from pipeline.schema.modules import CALLED

BY_NAME = "by-name"  # the folder of those that are imported; those that the job names by a path have one each
MOST_FILES, MOST_CHARS = 100, 4 * 2**20
NEEDS = "Its nodes need what this machine has: ledger-pipeline, and the modules that the job's own files import"
INSTALLED = {"site-packages", "dist-packages"}


def sources_of(job: Job) -> dict[str, str]:
    """Where each lies on a worker → its text. The job is loaded.

    A module that they import goes along if it was not installed, and lies below the folder of one of them: of a module
    that the job names, below the folder that it was found by. Where these are too many, none goes along.

    Raises:
        JobError: one cannot be read.
    """
    found: dict[str, str] = {}
    tops: dict[str, str] = {}
    roots, modules = list[Path](), list[ModuleType]()
    by_path = {module.__file__: module for name, module in sys.modules.items() if name.startswith(CALLED)}
    for number, place in enumerate(_places(job)):
        if place.endswith(".py"):
            found[_lying(number, place)] = _text(Path(place))
            roots.append(Path(place).parent)
            if (module := by_path.get(place)) is not None:
                tops[module.__name__] = str(number)
                modules.append(module)
        elif (file := _own_file(place)) is not None:
            roots.append(file.parents[place.count(".") + (file.name == "__init__.py")])
            modules.append(sys.modules[place])
    imported = _imported_by(modules, tops, roots)
    if len(imported) <= MOST_FILES and sum(map(len, imported.values())) <= MOST_CHARS:
        return {**imported, **found}
    told = f"{len(imported)} modules, {sum(map(len, imported.values())) / 2**20:.1f} MB"
    most = f"at most {MOST_FILES} and {MOST_CHARS // 2**20} MB are sent"
    say("notice", f"what the job's own files import ({told}) has to be on the cluster's nodes: {most}")
    return found


@contextmanager
def laid_out(job: Job, sources: Mapping[str, str]) -> Iterator[Job]:
    """The job with its own files as they lie here, until the block ends: nothing of them stays."""
    with tempfile.TemporaryDirectory(prefix="pipeline-worker-") as scratch:
        for place, text in sources.items():
            file = Path(scratch, place)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        folder = str(Path(scratch, BY_NAME))
        sys.path.insert(0, folder)
        try:
            yield _moved(job, Path(scratch))
        finally:
            sys.path.remove(folder)


def _moved(job: Job, scratch: Path) -> Job:
    places = {
        place: str(scratch / _lying(number, place))
        for number, place in enumerate(_places(job))
        if place.endswith(".py")
    }

    def moved(named: str) -> str:
        place, _, name = named.rpartition(":")
        return f"{places.get(place, place)}:{name}"

    extract = job.extract
    tools = tuple(map(moved, extract.tools))
    return replace(job, extract=replace(extract, schema=moved(extract.schema), tools=tools))


def _places(job: Job) -> list[str]:
    """What the job names: paths, and modules."""
    return list(dict.fromkeys(spec.rpartition(":")[0] for spec in (job.extract.schema, *job.extract.tools)))


def _lying(number: int, place: str) -> str:
    return f"{number}/{Path(place).name}"


def _imported_by(modules: list[ModuleType], tops: Mapping[str, str], roots: list[Path]) -> dict[str, str]:
    """Where each of the job's own modules lies that these import, and that those import → its text.

    `tops`: of modules that have another name on a worker, by their first name → their folder there.
    """
    found: dict[str, str] = {}
    names = {name for module in modules for name in _with_parents(module.__name__)}
    todo = sorted(names)
    while todo:
        name = todo.pop()
        file = _own_file(name)
        if file is None or not any(file.is_relative_to(root) for root in roots):
            continue
        text = _text(file)
        if name not in tops:
            first, *rest = name.split(".")
            stem = PurePosixPath(tops.get(first, f"{BY_NAME}/{first}"), *rest)
            found[f"{stem}/__init__.py" if file.name == "__init__.py" else f"{stem}.py"] = text
        new = {*_imports(text, sys.modules[name].__package__ or "")} - names
        names |= new
        todo += sorted(new)
    return found


def _imports(text: str, package: str) -> Iterator[str]:
    """The names of all modules that a source may import, with those that they are in."""
    for node in ast.walk(ast.parse(text)):
        told = list[str]()
        if isinstance(node, ast.Import):
            told = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package)
            told = [f"{base}.{alias.name}" for alias in node.names]
        for name in told:
            yield from _with_parents(name)


def _with_parents(name: str) -> Iterator[str]:
    return accumulate(name.split("."), "{}.{}".format)


def _own_file(name: str) -> Path | None:
    """None: a module that was installed, which is there as it is here, or is not; or one that is not loaded."""
    file = Path(getattr(sys.modules.get(name), "__file__", None) or "")
    installed = [sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    own = file.suffix == ".py" and name.partition(".")[0] != "pipeline" and INSTALLED.isdisjoint(file.parts)
    return file if own and not any(file.is_relative_to(folder) for folder in installed) else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JobError(f"{file}: cannot be sent to the cluster's workers: {error}. Save it as UTF-8") from None
