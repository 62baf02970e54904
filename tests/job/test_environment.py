"""`.env` beside the job file: keys for this job, never over the environment, and never shown."""

import os

import pytest

import pipeline
from pipeline.errors import JobError
from pipeline.job.environment import environ_of

SECRET = "sk-dot-env-never-shown"


def test_the_environment_goes_before_the_file(tmp_path):
    """Also where it says nothing; and the process's own environment stays as it is."""
    (tmp_path / ".env").write_text(f"# ours\nexport A=\"{SECRET} # whole\"\nB=file\nC='x'\n\nD=${{HOME}}/y # one\n")
    before = dict(os.environ)
    found = environ_of(tmp_path / "job.toml", {"B": "", "E": "e"})
    assert found == {"A": f"{SECRET} # whole", "B": "", "C": "x", "D": "${HOME}/y", "E": "e"}
    assert dict(os.environ) == before


def test_without_a_file_there_is_nothing_to_read(tmp_path):
    """Neither is a folder of that name one, as some call a virtual environment, nor has a job without a file any."""
    given = {"A": "a"}
    assert environ_of(tmp_path / "job.toml", given) is given
    (tmp_path / ".env").mkdir()
    assert environ_of(tmp_path / "job.toml", given) is given
    assert environ_of("pipeline.extract()", given) is given


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"A=1\n{SECRET}\n".encode(), "line 2: is not NAME=value"),
        (f"A='{SECRET}\n".encode(), "line 1: is not NAME=value"),
        (b"A=\xff\n", "is no text in UTF-8"),
    ],
)
def test_a_line_that_is_none_is_named_and_not_shown(tmp_path, content, told):
    """By the file and its number."""
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(JobError, match=told) as raised:
        environ_of(tmp_path / "job.toml", {})
    assert str(tmp_path / ".env") in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    """It would be for ever."""
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(JobError, match=r"\.env: cannot be read: not a plain file"):
        environ_of(tmp_path / "job.toml", {})


def test_its_key_lets_a_job_in_and_is_in_no_file(job, server, monkeypatch):
    """On the command line and from Python."""
    job.write(server.url, rows=[{"id": "a", "text": "one"}])
    del job.env["OPENAI_API_KEY"]
    assert ".env beside the job file" in job.pipeline("check", job.file, code=2).out
    (job.folder / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
    checked = job.pipeline("check", job.file, code=0)
    ran = job.run()
    monkeypatch.setattr(os, "environ", job.env)
    assert pipeline.run(pipeline.Job.load(job.file), fresh=True).rows.ok == 1
    assert server.sent == 2
    told = [checked.out, checked.err, ran.out, ran.err]
    kept = [path.read_bytes() for path in job.out.iterdir() if path.is_file()]
    assert not any(SECRET in text for text in told)
    assert not any(SECRET.encode() in content for content in kept)
