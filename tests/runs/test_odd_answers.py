"""Answers in unusual forms, over a whole run: what is taken, what is asked once more, and what each has cost."""

import json

import orjson
import pytest
from scripted_server import GOOD, Scripted, completion

TWO = json.dumps(GOOD), json.dumps({**GOOD, "name": "other"})


def calling(body, *arguments, finish="tool_calls"):
    calls = [
        {"type": "function", "function": {"name": body["tools"][0]["function"]["name"], "arguments": one}}
        for one in arguments
    ]
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": None, "tool_calls": calls},
    }
    return Scripted(raw=orjson.dumps({**completion(Scripted(), body), "choices": [choice]}))


def saying(body, finish="stop", **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}}
    choice |= {} if finish == "missing" else {"finish_reason": finish}
    return Scripted(raw=orjson.dumps({**completion(Scripted(), body), "choices": [choice]}))


def ended(job, server, script, *texts, **sections):
    server.script = script
    job.write(server.url, rows=[{"id": text, "text": text} for text in texts], **sections)
    job.run("--set", "limits.max_failed_share=1.0")
    job.reconcile()
    return {line["id"]: line for line in job.results()}


def test_two_calls_that_differ_are_repaired_once_and_then_fail(job, server):
    """Equal ones are one record."""

    def script(document, nth, body):
        differs = document == "differ" or (document == "mended" and nth == 1)
        return calling(body, TWO[0], TWO[differs])

    rows = ended(job, server, script, "equal", "differ", "mended", extract={"mode": "tool"})
    assert [(rows[one]["status"], rows[one]["calls"]) for one in rows] == [("ok", 1), ("failed", 2), ("ok", 2)]
    assert rows["differ"]["error_code"] == "invalid_output"
    assert rows["mended"]["repaired"]
    assert all(body["parallel_tool_calls"] is False for _, body, _ in server.requests)


def test_a_server_that_refuses_the_parameter_is_asked_without_it(job, server):
    """From then on; nothing is paid for that."""

    def script(document, nth, body):
        if "parallel_tool_calls" in body:
            words = "Unrecognized request argument supplied: parallel_tool_calls"
            return Scripted(400, error={"message": words, "type": "invalid_request_error", "param": None, "code": None})
        return calling(body, TWO[0])

    rows = ended(job, server, script, *"abcdefghij", extract={"mode": "tool"}, limits={"concurrency": 2})
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert sum("parallel_tool_calls" in body for _, body, _ in server.requests) <= 2
    assert {call["cost_usd"] for call in job.calls() if call["http_status"] == 400} == {0}


ENDS = {"null": None, "missing": "missing", "unknown": "eos_reached"}


@pytest.mark.parametrize("good", [True, False])
def test_an_end_in_no_known_word_is_paid_for_once_where_it_is_valid(job, server, good):
    """Else it gets the one repair of any answer; the word stands in the results."""
    content = TWO[0] if good else TWO[0][:-5]
    rows = ended(job, server, lambda document, nth, body: saying(body, ENDS[document], content=content), *ENDS)
    for row in rows.values():
        assert (row["status"], row["calls"]) == (("ok", 1) if good else ("failed", 2))
        assert row["error_code"] == (None if good else "invalid_output")
    assert rows["unknown"]["finish_reason"] == "eos_reached"


def details(words):
    return {"stop_details": {"type": "refusal", "explanation": words}}


REFUSALS = {
    "openai": {"refusal": "I cannot."},
    "parts": {"content": [{"type": "refusal", "refusal": "I cannot."}]},
    "litellm": {"provider_specific_fields": {"refusal": "I cannot."}},
    "litellm filtered": {"finish": "content_filter", "provider_specific_fields": {"refusal": "I cannot."}},
    "litellm details": {"finish": "content_filter", "provider_specific_fields": details("I cannot.")},
    "word": {"finish": "refusal", "content": "I cannot."},
}


def test_a_refusal_is_one_in_every_form(job, server):
    """It is not asked again, and is billed as it says."""
    rows = ended(job, server, lambda document, nth, body: saying(body, **REFUSALS[document]), *REFUSALS)
    for row in rows.values():
        assert (row["error_code"], row["calls"], row["input_tokens"]) == ("refused", 1, 100)
        assert row["cost_usd"] > 0
        assert row["error"] == "the model declined: I cannot."


def test_a_key_that_stands_twice_in_a_map_is_repaired(job, server):
    (job.folder / "thing.py").write_text(
        "from pydantic import BaseModel\n\n\nclass Thing(BaseModel):\n    counts: dict[str, int]\n"
    )
    entries = [{"key": "pear", "value": 3}, {"key": "pear", "value": 4}]

    def script(document, nth, body):
        return Scripted(text=json.dumps({"counts": entries if nth == 1 else entries[:1]}))

    rows = ended(job, server, script, "a")
    assert (rows["a"]["repaired"], rows["a"]["calls"]) == (True, 2)
    assert "the key 'pear' stands in two entries" in server.requests[1][1]["messages"][-1]["content"]


@pytest.mark.parametrize("mode", ["auto", "tool", "json_object", "two_step"])
def test_what_stands_around_an_answer_is_not_paid_for_twice(job, server, mode):
    """Thoughts, words and fences, of a server of others that takes a schema and does not hold to it, too."""
    told = {"thoughts": f"<think>{{}}</think>{TWO[0]}", "words": f"Here it is: {TWO[0]}", "text": json.dumps(TWO[0])}

    def script(document, nth, body):
        for name, text in told.items():
            if name in document:
                return calling(body, text) if "tools" in body else Scripted(text=text)
        return None

    rows = ended(job, server, script, *told, extract={"mode": mode})
    calls = 2 if mode == "two_step" else 1
    assert {(row["status"], row["calls"], row["repaired"]) for row in rows.values()} == {("ok", calls, False)}


def test_an_answer_is_priced_by_the_tier_that_it_names(job, server):
    """Also one that fails; the books agree with each other."""
    price = {"default": 1, "priority": 0, "gold": 0, "failed": 0}

    def script(document, nth, body):
        told = {**completion(Scripted(finish="error" if document == "failed" else "stop"), body)}
        return Scripted(raw=orjson.dumps({**told, "service_tier": "priority" if document == "failed" else document}))

    rows = ended(job, server, script, *price, limits={"max_attempts": 1})
    standard = rows["default"]["cost_usd"]
    assert standard > 0
    for name in ("priority", "gold", "failed"):  # gpt-4o-mini: 0.25 and 1.00 for 0.15 and 0.60 per million
        assert rows[name]["cost_usd"] * 3 == standard * 5
    job.pipeline("verify", job.out, code=0)
