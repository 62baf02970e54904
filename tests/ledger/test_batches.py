"""What the ledger knows of batches and their lines: settled once, found at once, however many there are."""

from contextlib import closing

from ledger_writes import use

from pipeline.ledger.batches import BatchItem, BatchRecord, unsettled
from pipeline.ledger.ledger import connect
from pipeline.ledger.records import Call
from pipeline.types import Usage

LINES = [
    BatchItem(f"b0-{number}", bytes([number]) * 16, number, f"r{number}", 0, "extract", 1, None, 5) for number in (0, 1)
]


def batch(run):
    return BatchRecord("b0", run, 1, "openai", "account", "m", "out", len(LINES), 100, 1, 2, remote_id="batch_1")


def test_a_line_is_settled_without_looking_through_the_calls(tmp_path):
    """Each did once, and the time of a batch grew with the square of its lines."""
    asked = []

    async def script(ledger):
        await ledger.plan_batch(batch(ledger.run), LINES)
        put = ledger._w.put_durably
        ledger._w.put_durably = lambda *statements, **gain: asked.extend(statements) or put(*statements, **gain)
        for line in LINES:
            await ledger.settle_line(Call(line.send(1, "batch_1"), 200, 0, Usage(), 3), "answered", ledger.run)
        assert ledger.held_units() == 0
        assert {item.fate for item in (await ledger.items_of("b0")).values()} == {"answered"}

    use(tmp_path, script)
    with closing(connect(tmp_path / "ledger.sqlite", read_only=True)) as db:
        assert list(unsettled(db)) == []
        plans = [one[3] for sql, values in asked for one in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert plans
        assert not [plan for plan in plans if plan.startswith("SCAN")]
