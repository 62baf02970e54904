"""A job as an Airflow DAG: one task submits its batches, and a sensor that holds no worker waits for them.

Airflow pins many packages. So the job is run by the command of an environment of its own (PIPELINE), and the exit code
is what passes between the two.

airflow dags test invoices
"""

import os
import subprocess
from datetime import timedelta

import pendulum
from airflow.sdk import PokeReturnValue, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PIPELINE = os.environ.get("PIPELINE", "/srv/extraction/.venv/bin/pipeline")
JOB = os.environ.get("PIPELINE_JOB", "/srv/extraction/jobs/invoices.toml")
COMMAND = (PIPELINE, "run", JOB, "--no-wait", "--yes", "--max-usd", "20", "--log-format", "json")

DONE, SOME_FAILED, WRONG_JOB, BUDGET, PROVIDER, AT_PROVIDER, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
FOR_A_PERSON = {
    SOME_FAILED: "more rows failed than limits.max_failed_share allows: see pipeline report",
    WRONG_JOB: "the job, its schema or its input is wrong; nothing was sent",
    BUDGET: "the budget is used up; the same command goes on with a higher one",
}


def run() -> bool:
    """The command once; whether everything has come back. Called again it goes on, and pays for nothing twice."""
    with subprocess.Popen(COMMAND) as process:  # noqa: S603 (ours)
        try:
            code = process.wait()
        except BaseException:  # Airflow stops the task: what is in flight comes in, and is kept
            process.terminate()
            raise
    if code in FOR_A_PERSON:
        raise AirflowFailException(f"exit code {code}: {FOR_A_PERSON[code]}")  # no retry would mend it
    if code not in {DONE, AT_PROVIDER}:  # the provider, a full disk, a worker that was stopped
        raise AirflowException(f"exit code {code}: parked or interrupted; the retry goes on from there")
    return code == DONE


@dag(schedule="15 2 * * *", start_date=pendulum.datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def invoices() -> None:
    """Submit, wait until all is collected, report. A live job is done by the first, and the sensor sees it at once."""

    @task(retries=6, retry_delay=timedelta(minutes=10), retry_exponential_backoff=True)
    def submit() -> bool:
        return run()

    @task.sensor(mode="reschedule", poke_interval=float(os.environ.get("POKE_S", "1800")), timeout=30 * 3600, retries=6)
    def collected(*, done: bool) -> PokeReturnValue:
        return PokeReturnValue(is_done=done or run())

    @task  # only when all went well: it would make the whole DAG a success otherwise
    def report() -> None:
        subprocess.run((PIPELINE, "report", JOB), check=True)  # noqa: S603 (ours)

    collected(done=submit()) >> report()


invoices()
