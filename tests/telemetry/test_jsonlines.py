"""Calls as JSON lines, with the fields of calls.parquet."""

import json


def test_call_lines_have_the_fields_of_calls_parquet(capsys):
    """One JSON object a line, on standard error."""
    from types import SimpleNamespace

    from pipeline.ledger.records import Call, Send
    from pipeline.output.calls import CALL_SCHEMA
    from pipeline.telemetry.jsonlines import CallLines
    from pipeline.types import Purpose, Usage

    model = SimpleNamespace(provider="openai", name="m", betas=(), stream=False)
    job = SimpleNamespace(model=model, name="j", prompt_version="1")
    send = Send("abc", 1, "row-1", 0, Purpose.EXTRACT, 1, 1_700_000_000_000_000, 5, "tenant")
    CallLines(job).called(Call(send, 12, 3, Usage(10, 0, 0, 2, 0), 1500, http_status=200))
    line = json.loads(capsys.readouterr().err)
    assert set(line) == {"event", *CALL_SCHEMA.names}
    assert (line["cost_usd"], line["sent_at"]) == ("0.0000001500", "2023-11-14T22:13:20.000+00:00")
    assert "tenant" not in line
