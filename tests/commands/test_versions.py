"""`pipeline --version --json`."""

import json

from pipeline import __version__


def test_the_version_is_told_with_what_it_stands_on(job):
    """For people a line, for programs one object; --json by itself says where it belongs."""
    assert job.pipeline("--version", code=0).out == f"pipeline, version {__version__}\n"
    told = json.loads(job.pipeline("--version", "--json", code=0).out)
    assert told["version"] == __version__
    assert {"pyarrow", "pydantic", "pypdfium2"} <= told["packages"].keys()
    assert "pytest" not in told["packages"]
    assert json.loads(job.pipeline("--json", "--version", code=0).out) == told
    assert "--json stands behind the verb" in job.pipeline("--json", code=2).err
    assert "Usage: pipeline" in job.pipeline(code=2).err
