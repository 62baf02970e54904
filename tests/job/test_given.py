"""What is given for a job or a folder, and is none, is told as what it is, with what is wanted and may be meant."""

import json

import pytest

from pipeline.job.given import JOB_FILE, JOB_OR_FOLDER, refusal

BOTH = [JOB_FILE, JOB_OR_FOLDER]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "invoices.toml").write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps({"job": {"file": "/x/jobs/invoices.toml"}}))
    return tmp_path


@pytest.mark.parametrize("wanted", BOTH)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("results.parquet", "is the results of a run"),
        ("calls.parquet", "is the call log of a run"),
        ("run.json", "is the manifest of a run"),
        ("ledger.sqlite", "is the ledger of a run"),
        ("report.html", "is the report of a run"),
        ("in.parquet", "is data (.parquet)"),
        ("in.JSONL", "is data (.JSONL)"),
        ("in.jsonl.gz", "is data (.gz)"),
        ("invoice.py", "is Python code (.py)"),
        ("job.json", "is JSON (.json)"),
    ],
)
def test_a_file_of_another_kind_is_told_as_what_it_is(place, wanted, name, told):
    """With what is wanted."""
    (place / name).write_text("")
    assert refusal(place / name, wanted).startswith(f"{place / name}: {told}, where {wanted} is wanted")


def test_a_file_of_an_output_folder_leads_to_what_is_wanted(place):
    """Its folder, or the job that it is the output of."""
    assert refusal(place / "out" / "run.json", JOB_OR_FOLDER).endswith(f"Give its folder:  {place / 'out'}")
    assert refusal(place / "out" / "run.json", JOB_FILE).endswith("It is the output of the job /x/jobs/invoices.toml")


def test_a_folder_is_no_job_and_leads_to_one(place):
    """The job whose output it is, or the job files in it."""
    told = refusal(place / "out")
    assert "is a folder, where a job file (.toml) is wanted. It is the output of the job /x/jobs/invoices.toml" in told
    assert refusal(place / "jobs").endswith("Job files in it: invoices.toml")
    assert refusal(place / "out", JOB_OR_FOLDER) is None
    assert "is a folder without a run" in refusal(place / "jobs", JOB_OR_FOLDER)


@pytest.mark.parametrize("wanted", BOTH)
def test_what_is_not_there_is_told_with_what_may_be_meant(place, wanted):
    """The nearest job file or folder, or which part of the path is missing."""
    assert refusal(place / "jobs" / "invioces.toml", wanted).endswith(
        f"Did you mean {str(place / 'jobs' / 'invoices.toml')!r}?"
    )
    assert refusal(place / "jobs" / "invoices", wanted).endswith("invoices.toml'?")
    assert refusal(place / "ouut", wanted).endswith(f"Did you mean {str(place / 'out')!r}?")
    assert refusal(place / "nowhere" / "a.toml", wanted).endswith(f"There is no folder {place / 'nowhere'}")
    assert "Did you mean" not in refusal(place / "zzzzzzzz", wanted)
