"""What a request leaves behind that did not become a line: nothing, and above all no money."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

import pytest

from pipeline.admission.budget import Account, Spending
from pipeline.admission.stop import StopSwitch
from pipeline.codes import ErrorCode
from pipeline.engine.ask import Deferred, FileGone, RowLife
from pipeline.engine.batches.lane import BatchLane, Room, Terms, Ways
from pipeline.engine.batches.money import BatchMoney
from pipeline.parts import text_parts
from pipeline.types import Purpose, Request, Turn

TERMS = Terms("openai", "account", "m", Decimal("0.5"), 3, "auto", 24.0)
REQUEST = Request(b"k" * 16, 0, "r0", 0, Purpose.EXTRACT, "", (Turn("user", text_parts("")),), 100, 10, 20)


def asked(folder, body):
    """(what was raised, what is held) of a request whose body is made so."""
    spending = Spending(Account(Decimal(1)))
    needs = SimpleNamespace(of=lambda _: SimpleNamespace(usd=Decimal("0.01")))
    ledger = SimpleNamespace(path=folder / "ledger.sqlite", last_item=lambda _: None, run=1)
    wire, batches = SimpleNamespace(body=body), SimpleNamespace(line=lambda name, body: name.encode() + body)
    ways = Ways(wire, batches, None, None, {}, Room(100, 10**6))
    lane = BatchLane(TERMS, ways, ledger, StopSwitch(), BatchMoney(needs, spending, 1))

    async def ask():
        with pytest.raises((Deferred, FileGone)) as raised:
            await lane.answer(REQUEST, RowLife())
        held = spending.run.held_usd
        lane.discard()
        return raised.type, held, spending.run.held_usd

    return asyncio.run(ask())


def test_a_line_holds_its_worst_until_it_is_out_or_the_pass_is_cut_off(tmp_path):
    assert asked(tmp_path, lambda _: b"{}") == (Deferred, Decimal("0.005"), 0)
    assert list((tmp_path / "batches").iterdir()) == []


def test_a_line_whose_body_cannot_be_written_holds_nothing(tmp_path):
    """A file that is gone, say."""

    def body(_):
        raise FileGone(ErrorCode.BAD_ROW, "it is gone")

    assert asked(tmp_path, body) == (FileGone, 0, 0)
