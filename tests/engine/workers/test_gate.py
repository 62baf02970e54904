"""What a worker tells the run of a request that is to be admitted."""

import asyncio
from decimal import Decimal

from pipeline.admission.token_scale import Sized
from pipeline.engine.workers.gate import RemoteGate
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
        gate.granted(sent[0].number, Decimal(1))
        return await admitting

    assert asyncio.run(main()).usd == 1
    asked, names = sent[0].asked, [name for name in vars(Sized) if isinstance(vars(Sized)[name], property)]
    assert len(names) > 5
    assert {name: getattr(asked, name) for name in names} == {name: getattr(REQUEST, name) for name in names}
