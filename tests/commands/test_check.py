"""What `check` says before a cent is spent."""

import os
import re

import pytest

from pipeline.commands.check import check
from pipeline.job.settings import Job


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
def test_the_tokens_that_go_with_every_request_are_one_figure(job, mode):
    """Where it tells of the prompt, and where it tells of prompt caching."""
    extract = {"mode": mode, "system": "You read things. " * 30}
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}], extract=extract)
    found = " ".join(finding.detail for finding in check(Job.load(job.file), os.environ))
    figures = re.findall(r"([\d,]+) tokens (?:go with|are the same in) every request", found)
    assert len(figures) == 2
    assert len(set(figures)) == 1
