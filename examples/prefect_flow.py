"""A job as a Prefect task and flow. Prefect's retries are off: a run that stopped is gone on with, not done again.

python examples/prefect_flow.py
"""

from decimal import Decimal
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

import pipeline

REPO = Path(__file__).resolve().parents[1]


@task(retries=0, cache_policy=NO_CACHE)  # the ledger knows what is done, to the answer
def extract(job_file: str, output: str, max_usd: Decimal) -> pipeline.Result:
    """Run it, or go on with it. A wrong job is a JobError; a run that parks is a result that says why."""
    job = pipeline.Job.load(job_file, set={"output.path": output, "budget.max_usd": float(max_usd)})
    return pipeline.run(job)


@flow(name="invoices", retries=0)
def invoices(
    job_file: str = str(REPO / "jobs" / "invoices.toml"),
    output: str = str(REPO / "out" / "prefect"),
    max_usd: Decimal = Decimal(1),
) -> State:
    """Completed, or Failed with the reason: the next scheduled run goes on where this one stopped."""
    result = extract(job_file, output, max_usd)
    told = f"{result.rows.ok} ok, {result.rows.failed} failed, {result.rows.pending} pending, ${result.cost_usd}"
    get_run_logger().info("%s: %s", result.state, told)
    if result.state != "finished":
        return Failed(message=f"{result.state}: {result.message}")
    if result.exit_code:
        return Failed(message=f"more rows failed than limits.max_failed_share allows: {told}")
    return Completed(message=told)


if __name__ == "__main__":
    invoices()  # every night: invoices.serve(cron="15 2 * * *")
