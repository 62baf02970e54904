"""What a worker tells the run of a request that is to be admitted."""

import asyncio
from decimal import Decimal

from pipeline.admission.report import NEVER_SENT
from pipeline.admission.token_scale import Sized
from pipeline.codes import ParkReason
from pipeline.engine.workers.gate import RemoteGate
from pipeline.engine.workers.messages import Granted, Leave
from pipeline.ledger.records import Send
from pipeline.money import to_units
from pipeline.parts import FilePart, TextPart
from pipeline.types import Purpose, Request, Turn

PAGE = FilePart("image/png", "d" * 64, "page", 70_000, 200)
REQUEST = Request(
    b"k" * 16, 0, "a", 0, Purpose.EXTRACT, "", (Turn("user", (PAGE, TextPart("a"))),), 100, 210, 71_000, "acme",
    standard_tier=True, file_tokens=200,
)  # fmt: skip


def test_all_that_needs_are_worked_out_from_is_told():
    """A file that is not told of would be reserved as text is, in the run's own process."""
    sent = []

    async def main():
        gate = RemoteGate(sent.append)
        admitting = asyncio.create_task(gate.admit(REQUEST, retry=False))
        await asyncio.sleep(0)
        gate.granted(Granted(sent[0].number, Decimal(1)))
        return await admitting

    assert asyncio.run(main()).usd == 1
    asked, names = sent[0].asked, [name for name in vars(Sized) if isinstance(vars(Sized)[name], property)]
    assert len(names) > 5
    assert {name: getattr(asked, name) for name in names} == {name: getattr(REQUEST, name) for name in names}


DRAFT = Send("r-1", 0, "a", 0, Purpose.EXTRACT, 1, 0, 0, "acme")


def played(then):
    """What the run is told of a call that asks, and what `then` (the gate, the call, its number) gives."""
    sent = []

    async def main():
        gate = RemoteGate(sent.append)
        admitting = asyncio.create_task(gate.admit(REQUEST, retry=False, draft=DRAFT))
        await asyncio.sleep(0)
        return await then(gate, admitting, sent[0].number)

    return sent, asyncio.run(main())


def test_a_call_that_the_run_has_named_has_its_time_and_its_price():
    """As the ledger has it, so that what is recorded of it is the same call."""

    async def granted(gate, admitting, number):
        gate.granted(Granted(number, Decimal("0.5"), 77))
        return await admitting

    sent, ticket = played(granted)
    assert sent[0].draft == DRAFT
    assert ticket.named == Send("r-1", 0, "a", 0, Purpose.EXTRACT, 1, 77, to_units(Decimal("0.5")), "acme")


def test_what_never_left_is_given_back_by_its_number():
    """The run has its name, and takes it off the ledger."""

    async def unsent(gate, admitting, number):
        gate.granted(Granted(number, Decimal(1)))
        gate.finish(await admitting, NEVER_SENT)

    sent, _ = played(unsent)
    assert sent[1:] == [Leave(sent[0].number)]


def test_a_turn_that_comes_when_nobody_waits_goes_back():
    """The worker has stopped, and the word of the run was on its way: nobody would make that call."""

    async def late(gate, admitting, number):
        gate.stopped_by_run(ParkReason.BUDGET, "enough")
        await asyncio.gather(admitting, return_exceptions=True)
        gate.granted(Granted(number, Decimal(1)))

    sent, _ = played(late)
    assert sent[1:] == [Leave(sent[0].number)]
