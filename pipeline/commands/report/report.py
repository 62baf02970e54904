"""`pipeline report`: report.html, one file that needs nothing else, from the published files and, for texts, the input.

Figures come from Arrow, batch by batch; the table of rows is bounded. Everything that came from outside is escaped, and
the page may load and send nothing (its Content-Security-Policy).
"""

from pathlib import Path
from typing import Any

from pipeline.commands.evaluate.evaluate import evaluate
from pipeline.commands.report.figures import Figures, figures_of
from pipeline.commands.report.flags import flags_of
from pipeline.commands.report.page import page
from pipeline.commands.report.rows import Shown, shown_rows
from pipeline.commands.tenants import names_of_tenants
from pipeline.errors import JobError
from pipeline.job.command import command_line
from pipeline.job.folder import CALLS, REPORT, RESULTS, RUN, UNFINISHED, OutputPlace
from pipeline.output.manifest import read_run


def report(
    place: OutputPlace, target: Path | None = None, *, golden: Path | None = None, hash_tenants: bool = False
) -> dict[str, Any]:
    """Write the report of a run; says where, how large, and how many rows are in it.

    `target`: else it is in the folder; of an output in a bucket, which is only read, in the current one.
    `golden`: known answers, for a section of how right the results are.

    Raises:
        JobError: the folder holds no published run, the known answers are none, or the file cannot be written.
    """
    folder = place.path
    manifest = read_run(folder)
    missing = [name for name in (RESULTS, CALLS) if not (folder / name).is_file()]
    if manifest is None or missing:
        absent = ", ".join(missing) or f"{RUN}, or it cannot be read"
        raise JobError(f"{place}: no published run here (no {absent}). Publish one with: pipeline run JOB")
    figures: Figures = figures_of(folder, {} if hash_tenants else names_of_tenants(folder))
    rows: Shown = shown_rows(folder, manifest)
    evaluated = None if golden is None else evaluate(folder, golden)
    path = target or (Path(REPORT) if place.url else folder / REPORT)
    job, flags = manifest.job["file"], flags_of(manifest.job)
    text = page(manifest, figures, rows, lambda verb: command_line(verb, job, flags), evaluated)
    temporary = path.with_name(f".{path.name}{UNFINISHED}")
    try:
        temporary.write_text(text, encoding="utf-8", errors="replace")
        temporary.replace(path)
    except OSError as error:
        raise JobError(f"{path}: cannot be written: {error.strerror}") from None
    return {
        "report": str(path),
        "bytes": path.stat().st_size,
        "rows_shown": len(rows.rows),
        "rows": manifest.rows.total,
    }
