"""Batch extraction with a durable ledger.

A job file names an input, a Pydantic schema, a model and an output folder. A run then goes one way, and the rooms of
this package are that way:

    rows and chunks (documents) → requests found by content hash (extraction) → admitted (admission) → sent (providers)
    → journalled (ledger) → judged, repaired once, merged (extraction) → published as Parquet (results)

`engine` knows that order; everything else is a pure decision or one edge of the world. What a program may use is
named here, and documented in `pipeline.api`; nothing of it is loaded before it is asked for.
"""

from importlib import import_module

__version__ = "0.2.0"  # the one place: pyproject.toml, the command and telemetry read it here
_HOMES = {  # their types: __init__.pyi
    **dict.fromkeys(
        ("Estimate", "check", "estimate", "extract", "extract_async", "results", "retry", "run", "run_async"),
        "pipeline.api",
    ),
    **dict.fromkeys(("Finding", "JobError", "LedgerError"), "pipeline.errors"),
    "Job": "pipeline.job.settings",
    "Progress": "pipeline.telemetry.display",
    **dict.fromkeys(("Result", "ResultRow"), "pipeline.output.read"),
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 (one list of names)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
