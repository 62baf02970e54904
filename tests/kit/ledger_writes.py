"""What is written to a ledger, made from a number."""

import asyncio

from pipeline.codes import Status
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Call, Send
from pipeline.types import Outcome, Purpose, Usage

HASHES = (b"r" * 16, b"d" * 16, "fingerprint")


SINCE_VERSION_3 = """
DROP TABLE shares;
ALTER TABLE outcomes DROP COLUMN chunks_skipped; ALTER TABLE outcomes DROP COLUMN chunk_numbers;
ALTER TABLE outcomes DROP COLUMN evidence; ALTER TABLE outcomes DROP COLUMN source_text;
ALTER TABLE outcomes DROP COLUMN model; ALTER TABLE outcomes DROP COLUMN models_tried;
ALTER TABLE calls DROP COLUMN model; ALTER TABLE sends DROP COLUMN model;
ALTER TABLE calls DROP COLUMN batch; DROP TABLE batch_items; DROP TABLE batches;
ALTER TABLE rows DROP COLUMN document; ALTER TABLE outcomes DROP COLUMN xml_conflicts;
ALTER TABLE calls DROP COLUMN pages;
DROP TABLE seen; DROP TABLE spent; ALTER TABLE rows DROP COLUMN earlier;
ALTER TABLE runs DROP COLUMN provider; ALTER TABLE runs DROP COLUMN model;
ALTER TABLE runs DROP COLUMN columns; ALTER TABLE runs DROP COLUMN id_column;
"""
SINCE_VERSION_2 = f"{SINCE_VERSION_3} ALTER TABLE calls DROP COLUMN answer;"


def make_older(db, version=2):
    """The file as a program of before wrote it."""
    later = SINCE_VERSION_3 if version == 3 else SINCE_VERSION_2
    db.executescript(f"{later} PRAGMA user_version = {version};")


def send(number=0, at_risk=70):
    return Send(f"req-{number}", number, f"id-{number}", 0, Purpose.EXTRACT, 1, 1_700_000_000_000_000, at_risk, None)


def call(number=0, cost=50):
    return Call(send(number), 120, 3, Usage(100, 0, 0, 20, 0), cost, http_status=200, finish_reason="stop")


def outcome(doc=b"x" * 16, status=Status.OK, **changes):
    values = {"doc": doc, "row": 0, "status": status, "records": ('{"a":1}',) if status is Status.OK else ()}
    return Outcome(**{**values, **changes})


def use(folder, script, *, verb="run", fresh=False):
    """Open the ledger, begin a session, let `script(ledger)` write, close."""

    async def main(ledger):
        ledger.start_writing(lambda: None)
        try:
            await script(ledger)
        finally:
            await ledger.stop_writing()

    with Ledger(folder, verb, fresh=fresh) as ledger:
        lost = ledger.begin(*HASHES)
        asyncio.run(main(ledger))
        ledger.end("finished", None)
        return lost, ledger.run, ledger.session
