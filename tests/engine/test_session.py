"""A session is whole from its first moment: whoever stops it from outside is heard, however early."""

import os
import threading

import pytest

from pipeline import api
from pipeline.engine import session as sessions
from pipeline.engine.feed import Selection
from pipeline.engine.run import run_job
from pipeline.engine.session import RunCommand, Session
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job


@pytest.mark.parametrize("moment", ["Governor", "Admission", "Alarm"])
def test_a_lease_that_is_lost_while_a_session_begins_stops_it(job, server, monkeypatch, moment):
    """Between its event loop and its admission too; nothing is sent, and the same command goes on."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-session")
    job.write(server.url, rows=[{"id": "a", "text": "one"}])
    begun = []

    class Watched(Session):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            begun.append(self)

    made = getattr(sessions, moment)

    def lost_meanwhile(*arguments, **options):
        failed = []

        def lose():
            try:
                begun[0].stop_from_outside("the lease is somebody else's")
            except Exception as error:  # noqa: BLE001 (it would die with its thread)
                failed.append(error)

        thread = threading.Thread(target=lose)
        thread.start()
        thread.join()
        assert failed == []
        return made(*arguments, **options)

    monkeypatch.setattr("pipeline.engine.run.Session", Watched)
    monkeypatch.setattr(sessions, moment, lost_meanwhile)
    ended = run_job(RunCommand(prepare(Job.load(job.file)), "run", Selection(), os.environ))
    assert (ended.park, ended.message, server.sent) == ("interrupted", "the lease is somebody else's", 0)
    monkeypatch.undo()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-session")
    assert api.run(Job.load(job.file)).rows.ok == 1
