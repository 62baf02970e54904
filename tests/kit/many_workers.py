"""A run carried by several workers, wherever they are: what its server plays, and what holds when it has ended."""

import json

from scripted_server import Scripted

from pipeline.commands.verify import verify

COUNT = 60
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(COUNT)]


def good(document, delay_s=0.02):
    return Scripted(text=json.dumps({"name": document[:40], "total": "1"}), delay_s=delay_s)


def mixed(document, nth, body):
    """Good ones, one to repair, one refused, one that is tried again."""
    if document == "document 3" and len(body["messages"]) == 1:
        return Scripted(text="no JSON")
    if document == "document 4":
        return Scripted(refusal="I'd rather not.")
    if document == "document 5" and nth == 1:
        return Scripted(status=429, headers={"retry-after": "0.01"})
    return good(document)


def whole(run, server):
    """Every row is ok, no answer was paid twice but for calls that are named as lost, and the books are in order.

    Those that are lost.
    """
    manifest = run.reconcile()
    assert manifest["rows"]["ok"] == COUNT
    lost = [call for call in run.calls() if call["error_code"] == "lost"]
    assert COUNT <= sum(server.paid.values()) <= COUNT + len(lost)
    assert server.sent <= manifest["calls"] <= server.sent + len(lost)
    assert [check.problem for check in verify(run.out) if check.problem] == []
    return lost
