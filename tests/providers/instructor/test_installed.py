"""Where instructor is not installed, a job that names it says so, and no other job notices."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from pipeline.errors import JobError
from pipeline.providers.instructor.installed import require_client

EXTRA = "pip install 'ledger-pipeline[instructor]'"
ROWS = [{"id": "a", "text": "a bill"}]
MODEL = {"provider": "instructor:groq", "name": "llama-3.3-70b-versatile", "api_key_env": "OPENAI_API_KEY"}
without = pytest.mark.skipif(find_spec("instructor") is not None, reason="instructor is installed here")


@without
def test_it_names_the_extra():
    with pytest.raises(JobError, match="needs instructor, which is not installed") as caught:
        require_client("instructor:groq")
    assert EXTRA in str(caught.value)


def test_what_is_spoken_to_here_needs_no_look():
    with pytest.raises(JobError, match='Write provider = "bedrock"'):
        require_client("instructor:bedrock")


@without
def test_check_and_run_say_so_before_anything_is_sent(job, server):
    job.write(server.url, rows=ROWS, model=MODEL)
    assert EXTRA in job.pipeline("check", job.file, code=2).out
    assert EXTRA in job.run(code=2).err
    assert server.sent == 0


def test_a_native_name_ends_check_and_run(job, server):
    job.write(server.url, rows=ROWS, model={**MODEL, "provider": "instructor:azure_openai"})
    for verb in ("check", "run", "estimate"):
        assert 'Write provider = "azure"' in job.pipeline(verb, job.file, code=2).err
    assert server.sent == 0


def test_online_has_nobody_to_ask(job, server):
    job.write(server.url, rows=ROWS, model=MODEL)
    assert "no listing in common" in job.pipeline("check", job.file, "--online").out
    assert server.sent == 0


@pytest.mark.parametrize(("key", "value"), [("stream", True), ("transport", "sdk"), ("region", "eu"), ("api", "chat")])
def test_a_setting_that_means_nothing_is_refused_by_run(job, server, key, value):
    job.write(server.url, rows=ROWS, model={**MODEL, key: value})
    assert f"model.{key}" in job.run(code=2).err


def test_an_estimate_needs_no_instructor_and_can_be_compared(job, server):
    job.write(server.url, rows=ROWS, model=MODEL)
    told = job.pipeline("estimate", job.file, "--compare", "instructor:mistral:mistral-small-latest", code=0).out
    assert "mistral-small-latest" in told
    job.write(server.url, rows=ROWS)
    refused = job.pipeline("estimate", job.file, "--compare", "instructor:openai:gpt-4o", code=2)
    assert 'Write provider = "openai"' in refused.err


def test_no_other_job_imports_it():
    """Nor does this one, before it sends."""
    code = "import sys, pipeline.commands.check, pipeline.engine.session, pipeline.providers.instructor.wire; "
    code += "sys.exit(int(any(name.partition('.')[0] in ('instructor', 'httpx', 'httpx2') for name in sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
