"""A table that a job extracts, as a Dagster asset: rows, cost and the report's place are its metadata.

dagster asset materialize -f examples/dagster_asset.py --select invoices
"""

import subprocess
import sys
from pathlib import Path

import dagster as dg

import pipeline

REPO = Path(__file__).resolve().parents[1]
NEEDS_A_PERSON = {"auth", "budget", "model_unavailable", "refused_by_provider"}  # why a run is parked; others pass


class Extraction(dg.Config):
    """What a run may be told in Dagster's launchpad."""

    job_file: str = str(REPO / "jobs" / "invoices.toml")
    output: str = str(REPO / "out" / "dagster")
    max_usd: float = 1.0


@dg.asset(kinds={"parquet"}, check_specs=[dg.AssetCheckSpec("few_enough_failed", asset="invoices")])
def invoices(context: dg.AssetExecutionContext, config: Extraction) -> dg.MaterializeResult:
    """Typed rows of every document. Materialized again it pays for what is new."""
    job = pipeline.Job.load(config.job_file, set={"output.path": config.output, "budget.max_usd": config.max_usd})
    result = pipeline.run(job, progress=lambda now: context.log.debug("%s of %s rows", now.done, now.total))
    metadata = _metadata(result)
    if result.state != "finished":  # nothing is lost: a retry goes on from here
        raise dg.Failure(
            f"{result.state}: {result.message}", metadata, allow_retries=result.reason not in NEEDS_A_PERSON
        )
    few = dg.AssetCheckResult(check_name="few_enough_failed", passed=result.exit_code == 0)
    return dg.MaterializeResult(metadata=metadata, check_results=[few])


def _metadata(result: pipeline.Result) -> dict[str, object]:
    report = result.output / "report.html"
    subprocess.run([sys.executable, "-m", "pipeline", "report", str(result.output)], check=True)  # noqa: S603 (ourselves)
    return {
        "dagster/row_count": result.rows.ok,
        "failed": result.rows.failed,
        "cost_usd": float(result.cost_usd or 0),
        "report": dg.MetadataValue.url(report.resolve().as_uri()),
        "results": dg.MetadataValue.path(str(result.output / "results.parquet")),
    }


nightly = dg.ScheduleDefinition(name="nightly", target=dg.AssetSelection.assets(invoices), cron_schedule="15 2 * * *")
defs = dg.Definitions(assets=[invoices], schedules=[nightly])
