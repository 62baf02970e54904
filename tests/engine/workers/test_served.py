"""The run's side of a worker's gate: calls that it names, and what becomes of them when the worker is gone."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT
from pipeline.codes import ParkReason
from pipeline.engine.workers.messages import Admit, Granted, SizedRequest
from pipeline.engine.workers.served import ServedGate
from pipeline.ledger.records import Send
from pipeline.money import to_units
from pipeline.types import Purpose

ASKED = SizedRequest(1, 2, 3, None, standard_tier=False, file_tokens=0)


class Door:
    """An admission that lets in whom a test names, and remembers what came back."""

    stopped = None

    def __init__(self):
        self.turns, self.finished, self.left = [], [], []

    def enqueue(self, _asked, **_):
        self.turns.append(asyncio.get_running_loop().create_future())
        return self.turns[-1]

    def leave(self, turn):
        self.left.append(turn)

    def finish(self, ticket, report):
        self.finished.append((ticket, report))


def ticket(usd):
    return SimpleNamespace(usd=Decimal(usd), need=SimpleNamespace(usd=Decimal(usd)))


def test_what_was_named_holds_its_slot_and_what_was_not_never_left():
    """Four let in, two of them on record: whoever waits leaves, two go back unsent, two when they are let go."""

    async def main():
        door, told = Door(), []
        gate = ServedGate({"": door}, told.append)
        for number in range(5):
            gate.admit(Admit(number, ASKED, retry=False))
        for turn, usd in zip(door.turns, ("0.1", "0.2", "0.2", "0.2"), strict=False):
            turn.set_result(ticket(usd))
        await asyncio.sleep(0)
        assert [type(one) for one in told] == [Granted] * 4
        held = gate.lost([("", to_units(Decimal("0.2")))] * 2)
        assert door.left == door.turns[4:]
        assert [(one.usd, report) for one, report in door.finished] == [
            (Decimal("0.1"), NEVER_SENT),
            (Decimal("0.2"), NEVER_SENT),
        ]
        for let_go in held:
            let_go()
        assert [(one.usd, report) for one, report in door.finished[2:]] == [(Decimal("0.2"), FATE_UNKNOWN)] * 2
        assert gate.lost([]) == []

    asyncio.run(main())


def test_models_have_admissions_of_their_own():
    """By the name that is asked for."""

    async def main():
        main_door, other = Door(), Door()
        gate = ServedGate({"": main_door, "strong": other}, lambda _: None)
        gate.admit(Admit(1, ASKED, retry=False, model="strong"))
        assert (len(main_door.turns), len(other.turns)) == (0, 1)

    asyncio.run(main())


def test_a_slot_is_held_at_the_model_that_was_called():
    """Two calls at the same most, one at each model: that to the other one was named."""

    async def main():
        doors = {"": Door(), "strong": Door()}
        gate = ServedGate(doors, lambda _: None)
        for number, (model, door) in enumerate(doors.items()):
            gate.admit(Admit(number, ASKED, retry=False, model=model))
            door.turns[0].set_result(ticket("0.2"))
        await asyncio.sleep(0)
        (let_go,) = gate.lost([("strong", to_units(Decimal("0.2")))])
        let_go()
        assert {model: report for model, door in doors.items() for _, report in door.finished} == {
            "": NEVER_SENT,
            "strong": FATE_UNKNOWN,
        }

    asyncio.run(main())


class Names:
    """A ledger that is durable when a test says so."""

    def __init__(self):
        self.named, self.withdrawn = [], []

    def name(self, send, then):
        self.named.append((send, then))

    def withdraw(self, send):
        self.withdrawn.append(send.request_id)

    def durable(self):
        for _, then in self.named:
            then()


def draft(number):
    return Send(f"r-{number}", number, "a", 0, Purpose.EXTRACT, 1, 0, 0, None)


async def let_in(door, told, names, calls=1):
    gate = ServedGate({"": door}, told.append, names)
    for number in range(calls):
        gate.admit(Admit(number, ASKED, retry=False, draft=draft(number)))
        door.turns[number].set_result(ticket("0.2"))
    await asyncio.sleep(0)
    return gate


def test_a_call_leaves_once_its_name_is_durable():
    """Not when its turn has come: a crash in between would leave a call that nobody knows of."""

    async def main():
        door, told, names = Door(), [], Names()
        await let_in(door, told, names)
        assert told == []
        ((send, _),) = names.named
        assert (send.request_id, send.at_risk_units) == ("r-0", to_units(Decimal("0.2")))
        names.durable()
        assert told == [Granted(0, Decimal("0.2"), send.sent_us)]
        assert send.sent_us > 0

    asyncio.run(main())


def test_who_leaves_takes_the_name_along():
    """Before it is durable, and after: it never left, and must not be looked for as lost."""

    async def main():
        door, told, names = Door(), [], Names()
        gate = await let_in(door, told, names, 2)
        gate.leave(0)
        names.durable()
        gate.leave(1)
        gate.leave(1)  # the word of one who stopped, and of one who was granted meanwhile
        assert [one.number for one in told] == [1]
        assert names.withdrawn == ["r-0", "r-1"]
        assert [report for _, report in door.finished] == [NEVER_SENT] * 2

    asyncio.run(main())


def test_a_run_that_has_stopped_lets_nobody_go():
    """Who asked has been told of the stop, and waits no more."""

    async def main():
        door, told, names = Door(), [], Names()
        await let_in(door, told, names)
        door.stopped = ParkReason.BUDGET
        names.durable()
        assert (told, names.withdrawn, [report for _, report in door.finished]) == ([], ["r-0"], [NEVER_SENT])

    asyncio.run(main())


def test_nothing_is_named_for_a_worker_that_is_gone():
    """Its names have been looked for by then: one that came later would stay on the ledger, unbooked."""

    async def main():
        door, told, names = Door(), [], Names()
        gate = ServedGate({"": door}, told.append, names)
        gate.admit(Admit(0, ASKED, retry=False, draft=draft(0)))
        door.turns[0].set_result(ticket("0.2"))
        gate.leave_all()
        await asyncio.sleep(0)
        assert (names.named, door.left) == ([], door.turns)

    asyncio.run(main())
