"""Jobs whose models look things up by functions of the user's own: every wire, what goes wrong, and what is paid."""

import json
import sqlite3

import pytest
from lookups_asked import WIRES, asking, called, written
from pdf_makers import text_pages
from sandbox_process import KEYS
from scripted_server import Scripted

RECORD = {"supplier": "Blue Mill 0", "vendor_id": "V-17"}
CELLS = [(name, stream) for name in WIRES for stream in (False, True)]


@pytest.fixture(scope="module")
def url():
    with asking() as found:
        yield found


@pytest.fixture(scope="module")
def endless_url():
    with asking(endless=True) as found:
        yield found


def on(job, name, url, tools, *, stream=False, code=0, **more):
    """A run of one bill on this wire; its row."""
    job.env.update(KEYS)
    written(job, url, tools, stream=stream, **WIRES[name], **more)
    job.run(code=code)
    job.reconcile()
    job.pipeline("verify", job.out, code=0)
    return job.results()[0]


@pytest.mark.parametrize(("name", "stream"), CELLS)
def test_calls_side_by_side_are_made_and_what_they_find_is_in_the_record(job, url, name, stream):
    row = on(job, name, url, ["find_vendor", "find_rate"], stream=stream)
    assert (row["status"], row["record"], row["calls"]) == ("ok", RECORD, 2)
    assert sorted(called(job)) == ["rate USD", "vendor Blue Mill 0"]


@pytest.mark.parametrize("name", WIRES)
def test_one_call_is_made(job, url, name):
    row = on(job, name, url, ["find_vendor"])
    assert (row["status"], row["record"], row["calls"], called(job)) == ("ok", RECORD, 2, ["vendor Blue Mill 0"])


@pytest.mark.parametrize("name", WIRES)
def test_a_function_that_raises_is_told_once(job, url, name):
    row = on(job, name, url, ["broken"])
    assert (row["status"], row["record"]["vendor_id"], row["calls"]) == ("ok", None, 2)


@pytest.mark.parametrize("name", WIRES)
def test_a_model_that_asks_without_end_gets_as_many_rounds_as_it_may(job, endless_url, name):
    row = on(job, name, endless_url, ["find_vendor"], extract={"max_tool_rounds": 3})
    assert (row["status"], row["record"], row["calls"]) == ("ok", RECORD, 4)
    assert called(job) == ["vendor Blue Mill 0"] * 3


@pytest.mark.parametrize("name", WIRES)
def test_a_function_that_fails_again_ends_the_row(job, endless_url, name):
    row = on(job, name, endless_url, ["broken"])
    assert (row["status"], row["error_code"], row["calls"]) == ("failed", "tool_error", 2)
    assert row["error"] == "extract.tools: broken raised ValueError: no connection to the books"
    assert job.manifest()["failed_by_code"] == {"tool_error": 1}


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
@pytest.mark.parametrize("name", ["openai chat", "anthropic"])
def test_each_mode_has_its_way_to_the_record(job, url, name, mode):
    row = on(job, name, url, ["find_vendor"], extract={"mode": mode})
    assert (row["status"], row["record"], row["calls"]) == ("ok", RECORD, 2)


@pytest.mark.parametrize("name", ["openai chat", "anthropic", "converse nova", "gemini"])
def test_a_document_that_goes_as_a_file_is_in_each_round(job, url, name):
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "a.pdf").write_bytes(text_pages("Supplier: Blue Mill 0\nCurrency: USD"))
    files = {"input": {"path": "inbox", "id": ""}, "documents": {"read": "native"}}
    row = on(job, name, url, ["find_vendor"], sections=files)
    assert (row["status"], row["record"], row["calls"]) == ("ok", RECORD, 2)
    first, second = (call["input_tokens"] for call in job.calls())
    assert second > first, "the file goes along once more"


def test_a_row_goes_on_to_another_provider_with_look_ups_of_its_own(job, url):
    """What the first model looked up is in its own words: the second begins anew."""
    job.env.update(KEYS)
    written(job, url, ["find_vendor"], **WIRES["openai chat"])
    model = f'provider = "anthropic"\nname = "claude-sonnet-4-5"\nmax_output_tokens = 200\nbase_url = "{url}"\n'
    route = '[[route]]\nmodel = "strong"\nmin_input_tokens = 1\n'
    job.file.write_text(f"{job.file.read_text()}\n[models.strong]\n{model}\n{route}")
    job.run()
    (row,) = job.results()
    assert (row["status"], row["record"], row["model"]) == ("ok", RECORD, "claude-sonnet-4-5")
    job.pipeline("verify", job.out, code=0)


def test_what_is_no_look_up_is_a_problem_of_the_job(job, url):
    written(job, url, ["nowhere"])
    told = job.pipeline("check", job.file, code=2)
    assert "there is no function 'nowhere' (extract.tools)" in told.out + told.err
    job.run(code=2)


# ── with OpenAI's wire, by script ───────────────────────────────────────────────────────────────────────────────────


def asked(*calls):
    """An answer that asks for these look-ups: (name, arguments)."""
    made = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for number, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": made}
    body = {
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return Scripted(raw=json.dumps(body).encode())


def results(body):
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


GOOD = Scripted(text=json.dumps(RECORD))
VENDOR = ("find_vendor", '{"supplier": "Blue Mill"}')


def once(*calls):
    """A model that asks for these, and then answers."""
    return lambda document, nth, body: GOOD if results(body) else asked(*calls)


def test_a_request_holds_what_was_said_and_what_was_found(job, server):
    server.script = once(VENDOR)
    row = on(job, "openai chat", server.url, ["find_vendor"])
    first, second = (body for _, body, _ in server.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["find_vendor"]
    assert (first["tool_choice"], first["response_format"]["type"]) == ("auto", "json_schema")
    said, found = second["messages"][-2:]
    assert (said["role"], said["tool_calls"][0]["id"]) == ("assistant", "call_0")
    assert found == {"role": "tool", "tool_call_id": "call_0", "content": '{"vendor_id":"V-17"}'}
    assert (row["input_tokens"], row["output_tokens"]) == (100 + 100, 20 + 20)


WRONG = "not done, the arguments are wrong: "


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("find_vendor", '{"supplier": 5}'), f"{WRONG}supplier: Input should be a valid"),
        (("find_vendor", '{"supplier": "a", "path": "/etc"}'), f"{WRONG}path: Unexpected keyword argument"),
        (("find_vendor", "not JSON"), f"{WRONG}ValueError: the arguments are no JSON"),
        (("os.system", '{"command": "x"}'), "not done: there is no function 'os.system'. There are: find_vendor"),
    ],
)
def test_what_is_not_on_the_list_or_not_of_its_types_never_runs(job, server, call, told):
    server.script = once(call)
    row = on(job, "openai chat", server.url, ["find_vendor"])
    assert (row["status"], called(job)) == ("ok", [])
    assert results(server.requests[-1][1])[0].startswith(f"error: {told}")


def test_a_model_that_still_asks_after_the_last_round_has_no_record(job, server):
    server.script = lambda document, nth, body: asked(VENDOR)
    row = on(job, "openai chat", server.url, ["find_vendor"])
    assert (row["status"], row["error_code"], row["calls"]) == ("failed", "invalid_output", 6)
    assert "extract.max_tool_rounds = 5" in row["error"]
    assert [body["tool_choice"] for _, body, _ in server.requests] == ["auto"] * 5 + ["none"]


def test_fifty_megabytes_are_cut_with_a_note(job, server):
    server.script = once(("huge", '{"supplier": "a"}'))
    row = on(job, "openai chat", server.url, ["huge"])
    (found,) = results(server.requests[-1][1])
    assert row["status"] == "ok"
    assert len(found) < 20_200
    assert found.endswith(" [cut: 49,980,002 of 50,000,002 bytes are left out]")


def test_a_function_that_takes_too_long_is_left_behind(job, server):
    server.script = lambda document, nth, body: asked(("slow", '{"supplier": "a"}'))
    row = on(job, "openai chat", server.url, ["slow"], extract={"tool_timeout_s": 0.05})
    assert (row["status"], row["error_code"]) == ("failed", "tool_error")
    assert row["error"] == "extract.tools: slow took longer than 0.05 s"


def test_no_more_than_a_bounded_number_of_calls_is_made_in_a_round(job, server):
    server.script = once(*[VENDOR] * 40)
    on(job, "openai chat", server.url, ["find_vendor"])
    assert len(called(job)) == 16
    assert len(results(server.requests[-1][1])) == 40


def test_a_run_that_is_killed_between_two_rounds_repeats_none(job, server):
    server.script = once(VENDOR)
    job.env.update(KEYS)
    written(job, server.url, ["find_vendor"])
    job.env["PIPELINE_CRASH_AT"] = "call-named:2"
    job.process("run", job.file, code=-9)
    assert server.sent == 1
    del job.env["PIPELINE_CRASH_AT"]
    job.run()
    assert (job.results()[0]["record"], server.sent) == (RECORD, 2)
    assert [call["error_code"] for call in job.calls()] == [None, "lost", None]
    job.reconcile()
    job.pipeline("verify", job.out, code=0)


def test_a_retry_takes_the_rounds_that_were_good_from_the_ledger(job, server):
    server.script = lambda document, nth, body: Scripted(text="no JSON") if results(body) else asked(VENDOR)
    on(job, "openai chat", server.url, ["find_vendor"])
    assert (job.results()[0]["error_code"], server.sent) == ("invalid_output", 3)
    server.script = once(VENDOR)
    job.pipeline("retry", job.file, code=0)
    assert (job.results()[0]["record"], server.sent) == (RECORD, 4)


def test_a_mended_function_goes_on_from_the_round_that_was_paid(job, server):
    """And one that found nothing because its books were down needs no more than a retry."""
    server.script = lambda document, nth, body: GOOD if len(results(body)) > 1 else asked(("broken", VENDOR[1]))
    assert on(job, "openai chat", server.url, ["broken"])["error_code"] == "tool_error"
    job.pipeline("retry", job.file)
    assert (job.results()[0]["error_code"], server.sent) == ("tool_error", 2)
    file = job.folder / "lookups.py"
    file.write_text(file.read_text().replace('raise ValueError("no connection to the books")', 'return "V-17"'))
    job.run()
    assert (job.results()[0]["record"], server.sent) == (RECORD, 4)
    job.reconcile()


def test_every_round_counts_against_the_cap(job, server):
    server.script = lambda document, nth, body: asked(VENDOR)
    job.env.update(KEYS)
    written(job, server.url, ["find_vendor"], extract={"max_tool_rounds": 50})
    job.run("--max-usd", "0.001", code=3)
    manifest = job.reconcile()
    assert 2 <= server.sent <= 50
    assert float(manifest["cost_usd"]) <= 0.001
    job.pipeline("verify", job.out, code=0)


def test_what_a_look_up_found_is_in_no_file(job, server):
    server.script = once(VENDOR)
    on(job, "openai chat", server.url, ["find_vendor"], extract={"mode": "json_object"})
    server.requests.clear()
    secret = b"V-17"
    answered = json.dumps(RECORD).encode()
    for path in (job.out / "calls.parquet", job.out / "run.json"):
        assert secret not in path.read_bytes()
    with sqlite3.connect(job.out / "ledger.sqlite") as db:
        texts = [text for (text,) in db.execute("SELECT text FROM answers ORDER BY rowid")]
    assert texts[-1] == answered.decode()
    assert "V-17" not in texts[0]


def test_a_changed_function_works_rows_out_again_from_the_same_first_answer(job, server):
    server.script = once(VENDOR)
    on(job, "openai chat", server.url, ["find_vendor"])
    file = job.folder / "lookups.py"
    file.write_text(file.read_text() + "\n# the same, for all that it finds\n")
    job.run()
    assert (server.sent, len(called(job))) == (2, 2)  # nothing is called to see what a run would cost
    file.write_text(file.read_text().replace("V-17", "V-18"))
    job.run()
    assert (server.sent, results(server.requests[-1][1])) == (3, ['{"vendor_id":"V-18"}'])


def test_several_processes_look_up_too(job, server):
    server.script = once(VENDOR)
    written(job, server.url, ["find_vendor"], rows=4, limits={"workers": 2})
    job.run()
    assert ([row["status"] for row in job.results()], server.sent) == (["ok"] * 4, 8)
    job.reconcile()
