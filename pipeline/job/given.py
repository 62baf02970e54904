"""What a path is that was given for a job file or an output folder, in words: for errors that say what is wanted."""

import json
from collections.abc import Iterable
from pathlib import Path

from pipeline.job.folder import CALLS, LEDGER, REPORT, RESULTS, RUN, read_text
from pipeline.text import nearest

JOB_FILE = "a job file (.toml)"
JOB_OR_FOLDER = "a job file (.toml) or an output folder"
OF_OUTPUT = {
    RESULTS: "the results of a run",
    CALLS: "the call log of a run",
    RUN: "the manifest of a run",
    LEDGER: "the ledger of a run",
    REPORT: "the report of a run",
}
KINDS = {
    (".parquet", ".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".jsonl.zst", ".ndjson.zst", ".csv", ".tsv"): "data",
    (".py",): "Python code",
    (".json",): "JSON",
    (".sqlite", ".db"): "a database",
    (".html", ".htm"): "a web page",
}
MOST_NAMED = 5


def refusal(path: Path, wanted: str = JOB_FILE) -> str | None:
    """Why `path` cannot be what is wanted, by what it is; None where it may be."""
    if path.is_dir():
        return _no_folder(path, wanted)
    if not path.exists():
        found = "no such job file" if wanted == JOB_FILE else "no such job file or folder"
        example = "Give the path of a .toml file, such as jobs/invoices.toml"
        return f"{path}: {found}. {example if wanted == JOB_FILE else f'Give {wanted}'}.{_near(path)}"
    what = _what(path)
    if what is None:
        return None
    beside = ""
    if path.name in OF_OUTPUT:
        beside = f" Give its folder:  {path.parent}" if wanted == JOB_OR_FOLDER else _jobs_of(path.parent)
    return f"{path}: is {what}, where {wanted} is wanted.{beside}"


def _no_folder(path: Path, wanted: str) -> str | None:
    jobs = _jobs_of(path)
    if wanted == JOB_FILE:
        return f"{path}: is a folder, where {wanted} is wanted.{jobs}"
    a_run = any((path / name).exists() for name in OF_OUTPUT)
    return None if a_run or not jobs else f"{path}: is a folder without a run, where {wanted} is wanted.{jobs}"


def _what(path: Path) -> str | None:
    if path.name in OF_OUTPUT:
        return OF_OUTPUT[path.name]
    name = path.name.lower()
    return next((f"{kind} ({path.suffix})" for endings, kind in KINDS.items() if name.endswith(endings)), None)


def _jobs_of(folder: Path) -> str:
    """The job whose output a folder is, or the job files in it."""
    try:
        return f" It is the output of the job {json.loads(read_text(folder / RUN))['job']['file']}"
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        names = sorted(entry.name for entry in _entries(folder) if entry.suffix == ".toml")
    return f" Job files in it: {', '.join(names[:MOST_NAMED])}" if names else ""


def _near(path: Path) -> str:
    """The job file or folder that may be meant; or which part of the path is not there."""
    if not path.parent.is_dir():
        return f" There is no folder {path.parent}"
    names = [entry.name for entry in _entries(path.parent) if entry.suffix == ".toml" or entry.is_dir()]
    found = nearest(path.name, names, cutoff=0.6)
    return "" if found is None else f" Did you mean {str(path.parent / found)!r}?"


def _entries(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return ()
