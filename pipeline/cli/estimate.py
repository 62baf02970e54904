"""The verbs that look ahead, and send nothing: estimate and check."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.options import JOB, errors_to_exit_code, job_options, json_option, load, tell
from pipeline.job.environment import environ_of

if TYPE_CHECKING:  # their imports would cost what `--help` has no time for
    from pipeline.commands.estimate.pilot import Piloted
    from pipeline.errors import Finding
    from pipeline.extraction.prepare import Prepared


PILOT_HELP = (
    "Run rows for real until N have an outcome, and estimate the others by them. Costs money; the run that follows "
    "does not pay for them again."
)


@click.command()
@JOB
@job_options
@click.option("--exact", is_flag=True, help="Have the provider count the input, for free. Needs the key.")
@click.option("--pilot", type=click.IntRange(min=10), metavar="N", help=PILOT_HELP)
@click.option("--compare", metavar="MODEL,MODEL...", help="Other models side by side: NAME or PROVIDER:NAME.")
@json_option
@errors_to_exit_code
def estimate(
    job_file: Path,
    exact: bool,  # noqa: FBT001
    pilot: int | None,
    compare: str | None,
    as_json: bool,  # noqa: FBT001
    **overrides: Any,  # noqa: ANN401
) -> None:
    """The dry-run: tokens, cost and time from the real input. Opens no connection, but with --exact or --pilot.

    \b
    Examples:
      pipeline estimate jobs/invoices.toml
      pipeline estimate jobs/invoices_openai.toml --limit 1000 --json
      pipeline estimate jobs/invoices_openai.toml --pilot 20 --max-usd 0.10
      pipeline estimate jobs/invoices_openai.toml --compare gpt-5.4-mini,anthropic:claude-haiku-4-5
    """  # noqa: D301
    from pipeline.extraction.prepare import prepare
    from pipeline.runtime import spare_pandas

    prepared = prepare(load(job_file, overrides))
    spare_pandas()
    piloted = None if pilot is None else _pilot(prepared, pilot)
    report = _estimated(prepared, exact=exact)
    told: list[str] = []
    if piloted is not None:
        report["pilot"] = piloted.as_json()
        told = _whole(prepared, report)
    texts = [_text(report), *told, *([] if compare is None else _compared(prepared, compare, report))]
    tell(report, "\n".join(texts), as_json=as_json)
    if piloted is not None and piloted.ended is not None and piloted.ended.park is not None:
        from pipeline.output.publish import exit_code

        click.echo(f"the pilot stopped early: {piloted.ended.message}", err=True)
        sys.exit(exit_code(piloted.ended))


def _compared(prepared: "Prepared", models: str, report: dict[str, Any]) -> list[str]:
    from pipeline.commands.estimate.compare import compare, table
    from pipeline.commands.estimate.history import history

    names = [name.strip() for name in models.split(",") if name.strip()]
    report["compare"] = [one.as_json() for one in compare(prepared, names, history(prepared))]
    return ["\nThe whole input under each model:", table(report["compare"])]


def _whole(prepared: "Prepared", report: dict[str, Any]) -> list[str]:
    """What all rows come to, by what the pilot has shown."""
    from pipeline.commands.estimate.pilot import whole

    total = whole(prepared, report["cost_usd"])
    report["whole"] = None if total is None else total.as_json()
    return [] if total is None else [f"  whole     {total}"]


def _pilot(prepared: "Prepared", rows: int) -> "Piloted":
    from pipeline.commands.estimate.pilot import pilot
    from pipeline.engine.session import Host
    from pipeline.extraction.affordable import require_affordable

    require_affordable(prepared)
    return pilot(prepared, rows, environ_of(prepared.job.file), Host(signals=True, progress=True, own=True))


def _estimated(prepared: "Prepared", *, exact: bool) -> dict[str, Any]:
    from pipeline.commands.estimate.of_job import estimate_of

    job, found = prepared.job, estimate_of(prepared, environ_of(prepared.job.file), exact=exact)
    whole = found.estimate.as_json()
    report = {"name": job.name, "provider": job.model.provider, "model": job.model.name, **whole}
    if found.saved is not None:
        report["chunks_select"] = found.saved.as_json()
    if found.packed is not None:
        report["chunks_pack"] = found.packed.as_json()
    report["advice"] = list(found.advice)
    if found.models:
        report["models"] = list(found.models)
    report["assumptions"] = [*found.notes, *whole["assumptions"]]
    return report


def _text(report: dict[str, Any]) -> str:
    from pipeline.telemetry.estimate_text import estimate_text

    if "pilot" not in report:
        return estimate_text(report)
    pilot = report["pilot"]
    cost = "unknown: no price for this model" if pilot["cost_usd"] is None else f"${pilot['cost_usd']}"
    told = f"pilot: {pilot['rows']:,} rows run for {cost}, {pilot['on_record']:,} had an outcome before; all are kept"
    return f"{estimate_text(report)}\n  {told}"


@click.command()
@JOB
@job_options
@click.option("--online", is_flag=True, help="Ask the provider about key, model and region. Costs no token.")
@click.option("--strict", is_flag=True, help="The production checklist: what is missing is a problem.")
@json_option
@errors_to_exit_code
def check(
    job_file: Path,
    online: bool,  # noqa: FBT001
    strict: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
    **overrides: Any,  # noqa: ANN401
) -> None:
    """Look at everything that can be known to be wrong before a cent is spent. Sends nothing, but with --online.

    \b
    Examples:
      pipeline check jobs/invoices.toml
      pipeline check jobs/invoices.toml --online            is the key good, and is the model there for it?
      pipeline check jobs/invoices_openai.toml --strict     what a job needs that runs every night
    """  # noqa: D301
    from pipeline.commands.check import check as checked

    job = load(job_file, overrides)
    findings = checked(job, environ_of(job.file), online=online, strict=strict)
    right = all(finding.level != "problem" for finding in findings)
    listed = [_listed(finding) for finding in findings]
    signs = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}
    text = "\n".join(f"{signs[finding.level]} {finding.what}: {finding.detail}" for finding in findings)
    tell({"ok": right, "findings": listed}, text, as_json=as_json)
    sys.exit(0 if right else 2)


def _listed(finding: "Finding") -> dict[str, Any]:
    """`resolved` only where a name stands for more than itself."""
    told = {"what": finding.what, "level": finding.level, "detail": finding.detail}
    return {**told, "resolved": dict(finding.resolved)} if finding.resolved else told
