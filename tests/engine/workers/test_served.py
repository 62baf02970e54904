"""The run's side of a worker's gate, once the worker is gone."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace

from pipeline.admission.report import FATE_UNKNOWN, NEVER_SENT
from pipeline.engine.workers.messages import Admit, Granted, SizedRequest
from pipeline.engine.workers.served import ServedGate
from pipeline.money import to_units

ASKED = SizedRequest(1, 2, 3, None, standard_tier=False, file_tokens=0)


class Door:
    """An admission that lets in whom a test names, and remembers what came back."""

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
