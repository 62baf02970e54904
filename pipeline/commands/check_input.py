"""What `check` says of the input: its rows, and which of them cannot be used and why."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from pipeline.codes import ErrorCode
from pipeline.documents.sources.source import Source
from pipeline.errors import Finding, JobError
from pipeline.ledger.said import FailedRow
from pipeline.telemetry.causes import Cause, causes_of


def input_findings(source: Source, read: str) -> tuple[int, list[Finding]]:
    """How many rows can be used, and of those that cannot how many and why; every row is read for it."""
    rows = bad = 0
    modes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def unusable() -> Iterator[FailedRow]:
        nonlocal rows, bad
        for row in chain.from_iterable(source.batches()):
            rows += 1
            if row.problem is not None:
                reasons[row.problem.partition(":")[0]] += 1
            elif row.document is not None:
                modes[row.document.mode or ""] += 1
            if row.problem is not None:
                bad += 1
                yield FailedRow(row.index, row.id, str(ErrorCode.BAD_ROW), row.problem)

    try:
        causes = causes_of(unusable())
    except JobError as error:
        return rows, [Finding("input", "problem", str(error))]
    told = f"{rows:,} rows in {len(source.files)} files"
    if source.documents:
        told = _told_files(rows, modes, reasons, read)
    notes = [Finding("input", "ok", note) for note in source.notes()]
    if not bad:
        return rows, [Finding("input", "ok" if rows else "warning", told), *notes]
    findings = [
        *notes,
        Finding("input", "warning", f"{told}; {bad:,} of them cannot be used, and will fail as bad_row"),
    ]
    findings += [Finding("input", "warning", _told_cause(cause, named=source.documents)) for cause in causes]
    if untold := bad - sum(cause.rows for cause in causes):
        findings.append(Finding("input", "warning", f"{untold:,} more for other reasons, as results will say"))
    return rows - bad, findings


def _told_cause(cause: Cause, *, named: bool) -> str:
    """`named`: the reason does not say where the row stands, as that of a table's does."""
    told = f"{cause.rows:,} as {cause.error}"
    return f"{told} ({'as ' if cause.rows > 1 else ''}{cause.id!r})" if named else told


def _told_files(rows: int, modes: Counter[str], reasons: Counter[str], read: str) -> str:
    """As in `412 files: 380 text, 27 native (scans), 5 bad (3 password, 2 damaged)`."""
    native = "native (scans)" if read == "auto" else "native"  # else what has a text layer goes so too
    words = {"text": "text", "native": native, "image": "image (pages drawn)"}
    told = [f"{modes[mode]:,} {word}" for mode, word in words.items() if modes[mode]]
    if reasons:
        each = ", ".join(f"{count:,} {why}" for why, count in reasons.most_common())
        told.append(f"{reasons.total():,} bad ({each})")
    return f"{rows:,} files: {', '.join(told)}" if told else f"{rows:,} files"
