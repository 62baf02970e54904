"""`check --strict`: a line for each point of the production checklist, and what to write where one is missing."""

import json
import re

import pytest
from places import REPO

from pipeline.commands.check import check
from pipeline.commands.strict import checklist, strictly, written_keys
from pipeline.job.settings import Job

WHOLE = {
    "input": {"tenant": "customer"},
    "model": {"name": "gpt-4o-mini-2024-07-18", "stream": True},
    "limits": {"max_failed_share": 0.0},
    "budget": {"max_usd": 5, "tenant_max_usd_per_day": 1, "alert_command": ["true"]},
}
POINTS = [
    "budget.max_usd",
    "budget.tenant_max_usd_per_day",
    "prices",
    "budget.alert_command",
    "model.name",
    "prompt_version",
    "limits.timeout_s",
    "limits.idle_timeout_s",
    "limits.max_attempts",
    "limits.outage_s",
    "limits.max_failed_share",
    "input.id",
    "--limit",
    "output.path",
]


@pytest.fixture
def whole(job):
    rows = [{"id": "a", "text": "one", "customer": "acme"}]
    return job.write("http://127.0.0.1:9/v1", rows=rows, more='prompt_version = "2026-11-30"\n', **WHOLE)


def told(job, **changes):
    return {one.what: one for one in strictly(Job.load(job.file, set=changes), priced=True)}


def test_a_job_that_has_it_all_has_no_problem(whole):
    """A line for each point, in the order of the checklist."""
    found = told(whole)
    assert [*found] == POINTS
    assert {one.level for one in found.values()} <= {"ok", "warning"}
    assert [what for what, one in found.items() if one.level == "warning"] in ([], ["output.path"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.name", "gpt-4o-mini"),
        ("model.name", "chatgpt-4o-latest"),
        ("limits.timeout_s", 3600),
        ("limits.idle_timeout_s", 3600),
        ("limits.max_attempts", 1),
        ("limits.max_attempts", 1000),
        ("limits.outage_s", 0),
        ("limits.outage_s", 1e6),
        ("input.id", ""),
        ("budget.alert_command", []),
        ("prompt_version", " "),
    ],
)
def test_each_point_that_is_missing_is_a_problem_that_says_what_to_write(whole, key, value):
    """And nothing else changes."""
    found = told(whole, **{key: value})
    assert [what for what, one in found.items() if one.level == "problem"] == [key]
    assert "write" in found[key].detail


@pytest.mark.parametrize("key", ["max_usd", "tenant_max_usd_per_day"])
def test_each_cap(whole, key):
    text = "".join(line for line in whole.file.read_text().splitlines(True) if not line.startswith(key))
    whole.file.write_text(text)
    assert told(whole)[f"budget.{key}"].level == "problem"


def test_what_a_job_does_not_use_is_not_asked_for(whole):
    """Tenants without a column of them, silence without a stream, prices where nothing could be looked up."""
    found = told(whole, **{"input.tenant": "", "model.stream": False})
    assert not {"budget.tenant_max_usd_per_day", "limits.idle_timeout_s"} & {*found}
    assert "prices" not in {one.what for one in strictly(Job.load(whole.file), priced=None)}


def test_a_price_that_is_not_known(whole):
    found = {one.what: one.level for one in strictly(Job.load(whole.file), priced=False)}
    assert found["prices"] == "problem"


def test_a_share_of_failures_that_was_chosen_stands_in_the_file(job):
    """The default is what nobody chose; the same figure in the file is a choice, and so is another one by --set."""
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}])
    assert told(job)["limits.max_failed_share"].level == "problem"
    assert told(job, **{"limits.max_failed_share": 0.1})["limits.max_failed_share"].level == "ok"
    job.write("http://127.0.0.1:9/v1", limits={"max_failed_share": 0.0})
    assert told(job)["limits.max_failed_share"].level == "ok"
    assert written_keys(str(job.file)) >= {"limits.max_failed_share", "input.path"}
    assert written_keys(str(job.folder / "none.toml")) == frozenset()


def test_an_alert_by_metrics_is_one_too(whole):
    changes = {"budget.alert_command": [], "telemetry.prometheus_file": str(whole.folder / "m.prom")}
    assert told(whole, **changes)["budget.alert_command"].level == "ok"
    text = whole.file.read_text()
    whole.file.write_text(text.replace('alert_command = ["true"]', "alert_at = 0.8"))
    assert "log" in told(whole)["budget.alert_command"].detail
    assert told(whole)["budget.alert_command"].level == "ok"


def test_an_output_that_a_restart_empties_is_a_warning(whole):
    found = list(checklist(Job.load(whole.file), frozenset(), priced=True, temporary=(str(whole.folder),)))
    assert (found[-1].what, found[-1].level) == ("output.path", "warning")
    found = list(checklist(Job.load(whole.file), frozenset(), priced=True, temporary=("/nowhere",)))
    assert (found[-1].what, found[-1].level) == ("output.path", "ok")


def test_a_deployment_is_to_be_looked_at(whole):
    changes = {"model.provider": "azure", "model.base_url": "http://127.0.0.1:9"}
    assert told(whole, **changes)["model.name"].level == "warning"


def test_the_example_has_it_all(job):
    """Of the docs, with what its page says of it; the provider is its sandbox."""
    example = REPO / "jobs" / "invoices_production.toml"
    output = ("--output", job.folder / "out")
    job.pipeline("check", example, "--strict", "--online", *output, code=0)
    told = job.pipeline("check", example, "--strict", "--online", "--set", "model.name=missing-model", *output, code=2)
    assert "has no model 'missing-model'" in told.out
    told = job.pipeline("check", REPO / "jobs" / "invoices.toml", "--strict", *output, code=2).out
    missing = ["budget.max_usd", "budget.tenant_max_usd_per_day", "budget.alert_command", "model.name"]
    assert re.findall(r"^PROBLEM  (\S+):", told, re.MULTILINE) == missing
    page = (REPO / "docs" / "production.md").read_text()
    assert [point for point in POINTS if f"\n| `{point}` |" not in page] == []


def test_the_command_ends_with_2_where_something_is_missing(whole):
    """--limit is a try, and no production; without --strict nothing changes."""
    ended = json.loads(whole.pipeline("check", whole.file, "--strict", "--json", code=0).out)
    assert {*POINTS} <= {one["what"] for one in ended["findings"]}
    ended = whole.pipeline("check", whole.file, "--strict", "--limit", 5, code=2)
    assert "PROBLEM  --limit: only the first 5 rows would run" in ended.out
    whole.pipeline("check", whole.file, "--limit", 5, code=0)
    plain = check(Job.load(whole.file), {})
    assert not {"--limit", "limits.outage_s"} & {one.what for one in plain}
