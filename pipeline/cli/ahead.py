"""The verbs that look ahead, and send nothing: estimate and check."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import JOB, errors_to_exit_code, job_options, json_option, load, tell


@click.command()
@JOB
@job_options
@click.option("--exact", is_flag=True, help="Have the provider count the input, for free. Needs the key.")
@json_option
@errors_to_exit_code
def estimate(job_file: Path, exact: bool, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """The dry-run: tokens, cost and time from the real input. Opens no connection, but with --exact.

    \b
    Examples:
      pipeline estimate jobs/invoices.toml
      pipeline estimate jobs/invoices_openai.toml --limit 1000 --json
    """  # noqa: D301
    from pipeline.advising import sizing_of
    from pipeline.estimating import estimate as estimated
    from pipeline.exactly import counted_exactly
    from pipeline.measuring import history, measure
    from pipeline.preparing import prepare
    from pipeline.shape_size import answer_tokens
    from pipeline.summaries import estimate_text

    prepared = prepare(load(job_file, overrides))
    job = prepared.job
    size = answer_tokens(prepared.shaped.shape.schema)
    counts, notes = measure(prepared), []
    if exact:
        counts, note = counted_exactly(prepared, counts, os.environ)
        notes.append(note)
    result = estimated(counts, prepared.rate, size, job.model.max_output_tokens, history(prepared), job.limits)
    report = {"name": job.name, "provider": job.model.provider, "model": job.model.name, **result.as_json()}
    advised = sizing_of(prepared, counts.input_tokens / counts.requests if counts.requests else None)
    report["advice"] = [] if advised is None else [advised.told]
    report["assumptions"] = [*notes, *report["assumptions"]]
    tell(report, estimate_text(report), as_json=as_json)


@click.command()
@JOB
@job_options
@json_option
@errors_to_exit_code
def check(job_file: Path, as_json: bool, **overrides: Any) -> None:  # noqa: ANN401, FBT001 (click's way)
    """Look at everything that can be known to be wrong before a cent is spent."""
    from pipeline.checking import check as checked

    findings = checked(load(job_file, overrides), os.environ)
    right = all(finding.level != "problem" for finding in findings)
    listed = [{"what": finding.what, "level": finding.level, "detail": finding.detail} for finding in findings]
    signs = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}
    text = "\n".join(f"{signs[finding.level]} {finding.what}: {finding.detail}" for finding in findings)
    tell({"ok": right, "findings": listed}, text, as_json=as_json)
    sys.exit(0 if right else 2)
