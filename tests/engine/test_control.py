"""Notes to a run that goes on: taken in order, once, and by the session they are for."""

import json
from decimal import Decimal

import pytest

from pipeline.engine.control import Inbox, TuneRequest
from pipeline.job.folder import TUNE_PREFIX, TUNE_SUFFIX


def note(folder, name, **values):
    path = folder / f"{TUNE_PREFIX}{name}{TUNE_SUFFIX}"
    path.write_text(json.dumps({"concurrency": None, "max_usd": None, "by": "a", "at": "b", **values}))
    return path


def test_notes_are_taken_in_order_and_once(tmp_path):
    """The last one is carried out last, and so it wins."""
    inbox = Inbox(tmp_path)
    note(tmp_path, "2", concurrency=8)
    note(tmp_path, "1", max_usd="1.50")
    assert list(inbox.take()) == [TuneRequest(None, Decimal("1.50"), "a", "b"), TuneRequest(8, None, "a", "b")]
    assert list(inbox.take()) == []
    assert list(tmp_path.iterdir()) == []


def test_a_note_of_an_earlier_session_is_not_for_this_one(tmp_path):
    """Nobody wants the cap of last week."""
    note(tmp_path, "1", concurrency=8)
    assert list(Inbox(tmp_path).take()) == []


@pytest.mark.parametrize(
    "values", [{"concurrency": 0}, {"concurrency": "x"}, {"max_usd": "NaN"}, {"max_usd": "-1"}, {"max_usd": []}]
)
def test_a_note_that_makes_no_sense_is_taken_away(tmp_path, values):
    """It came from nobody's `pipeline tune`."""
    inbox = Inbox(tmp_path)
    note(tmp_path, "1", **values)
    assert list(inbox.take()) == []
    assert list(tmp_path.iterdir()) == []
