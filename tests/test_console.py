"""The one way to standard error."""

import json
import sys

import pytest
from readings import reading

from pipeline import console as saying
from pipeline.console import say, speak
from pipeline.telemetry.display import JsonLines, display_for


@pytest.fixture
def in_json():
    speak("json")
    yield
    speak("text")


def test_in_json_every_line_is_an_object_with_its_event(in_json, capsys):
    """Progress, notices and warnings alike."""
    assert isinstance(display_for(sys.stderr), JsonLines)
    JsonLines().show(reading())
    say("notice", "two\nlines", cost="1")
    progress, notice = (json.loads(one) for one in capsys.readouterr().err.splitlines())
    assert (progress["event"], progress["seconds_left"], progress["limits"][1]["left"]) == ("progress", 20.8, 12345)
    assert (notice["event"], notice["message"], notice["cost"]) == ("notice", "two\nlines", "1")


def test_a_whole_run_in_json_writes_nothing_else(job, server):
    """Every line on standard error can be read by a program; the calls are among them."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}, {"id": "b"}])
    ended = job.run("--log-format", "json", code=1)
    events = [json.loads(one)["event"] for one in ended.err.splitlines()]
    assert events == ["call", "summary"]
    assert ended.out == ""


def test_standard_error_that_is_gone_costs_nothing(monkeypatch):
    """A terminal that was closed, a pipe whose reader left."""

    class Gone:
        def write(self, _text):
            raise BrokenPipeError

    monkeypatch.setattr(saying.sys, "stderr", Gone())
    say("warning", "nobody hears it")
