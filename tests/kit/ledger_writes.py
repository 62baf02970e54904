"""What is written to a ledger, made from a number."""

from pipeline.ledger.records import Call, Send
from pipeline.types import Outcome, Purpose, Status, Usage

HASHES = (b"r" * 16, b"d" * 16, "fingerprint")


def send(number=0, at_risk=70):
    return Send(f"req-{number}", number, f"id-{number}", 0, Purpose.EXTRACT, 1, 1_700_000_000_000_000, at_risk, None)


def call(number=0, cost=50):
    return Call(send(number), 120, 3, Usage(100, 0, 0, 20, 0), cost, http_status=200, finish_reason="stop")


def outcome(doc=b"x" * 16, status=Status.OK, **changes):
    values = {"doc": doc, "row": 0, "status": status, "records": ('{"a":1}',) if status is Status.OK else ()}
    return Outcome(**{**values, **changes})
