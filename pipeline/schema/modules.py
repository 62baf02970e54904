"""The user's own modules: by file, compiled anew each time, or by name."""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from pipeline.console import own_stdout
from pipeline.errors import JobError

SCHEMA = "extract.schema"
CALLED = "_pipeline_"  # how the names of modules begin that were loaded from a path


class _FromSource(SourceFileLoader):
    """Compiled anew each time: a .pyc is told to be stale by whole seconds and the size, and an edit may keep both."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 (the loader's way)
        return self.source_to_code(self.get_data(self.path), self.path)


def module_at(place: str, setting: str = SCHEMA) -> ModuleType:
    """The module of FILE.py (an absolute path) or of a name; `setting` is what errors say names it.

    Raises:
        JobError: names the file, the line and the cause.
    """
    with own_stdout():
        return _from_file(Path(place), setting) if place.endswith(".py") else _imported(place, setting)


def _imported(name: str, setting: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 (the user's module may raise anything)
        told = f"{name}: cannot be imported ({setting}): {type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError) and (error.name or "") in {name, name.partition(".")[0]}:
            told += ". It is neither beside the job file nor where Python looks; or write FILE.py:Class"
        raise JobError(told) from None


def _from_file(path: Path, setting: str) -> ModuleType:
    if not path.exists():
        raise JobError(f"{path}: no such file ({setting})")
    name = hashlib.blake2b(str(path).encode(), digest_size=16).hexdigest()
    inside = [str(path.parent)] if path.name == "__init__.py" else None  # a package, with modules of its own
    called = f"{CALLED}{setting.rpartition('.')[2]}_{name}"
    loader = _FromSource(called, str(path))
    spec = importlib.util.spec_from_file_location(called, path, loader=loader, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise JobError(f"{path}: cannot be loaded ({setting})")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic looks annotations up there
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise JobError(f"{error.filename}: line {error.lineno}: {error.msg} ({setting})") from None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"line {lines[-1]}: " if lines else ""
        raise JobError(f"{path}: {where}{type(error).__name__}: {error} ({setting})") from None
    finally:
        sys.path.remove(str(path.parent))
    return module
