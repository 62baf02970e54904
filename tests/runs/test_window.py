"""Jobs whose chunks are asked about with the records of those before."""

import json
import sqlite3

from scripted_server import Scripted, said

from pipeline.extraction.context import WINDOW_HEAD
from pipeline.sandbox.rules.rules import extract

CHUNKS = {"max_tokens": 40, "context": "window"}
TEXT = "\n\n".join(f"part {number} " + "lorem ipsum dolor " * 7 for number in range(5))
PROMPT = {"system": "Be exact.", "prompt": "Read it.\n<<{text}>>", "merge": "none"}


def naming(document, nth, body):
    """Each part by its number, with what the answer is to be as long as."""
    return Scripted(text=json.dumps({"name": document.split(" lorem")[0], "total": "1"}))


def write(job, server, rows=None, **chunks):
    server.script = naming
    rows = rows or [{"id": "long", "text": TEXT}, {"id": "short", "text": "part 9"}]
    return job.write(server.url, rows=rows, chunks={**CHUNKS, **chunks}, extract=PROMPT)


def asked(server):
    """The user's words in each request, by the part that it is about; the system prompt leads all of them."""
    assert all(body["messages"][0] == {"role": "system", "content": "Be exact."} for _, body, _ in server.requests)
    assert all(len(body["messages"]) == 2 for _, body, _ in server.requests)
    return [said(body["messages"][1]["content"]) for document, body, _ in server.requests if "part 9" not in document]


def test_the_records_of_the_last_chunks_go_with_each_in_the_order_of_the_document(job, server):
    """One after another; the first has none, and a document of one chunk neither."""
    write(job, server, rows=[{"id": "long", "text": TEXT}], window=2).run()
    job.reconcile()
    names = [line["record"]["name"] for line in job.results()]
    assert names == [f"part {number}" for number in range(5)]
    before = [text.rpartition("\n\nRead it.")[0] for text in asked(server)]
    assert before[0] == ""
    for place in range(1, 5):
        head, *records = before[place].removeprefix(WINDOW_HEAD).splitlines()
        assert [json.loads(one)["name"] for one in (head, *records)] == names[max(0, place - 2) : place]
    assert server.most_at_once == 1
    job.pipeline("verify", job.out, code=0)
    job.run()
    assert server.sent == 5


def test_where_there_is_no_room_the_oldest_go_and_the_question_stays(job, server):
    """The budget is as large as the answers may be: two of 100 tokens at the most, and here each has more than half."""
    write(job, server, rows=[{"id": "long", "text": TEXT}], window=2)
    long = "x y " * 45
    server.script = lambda document, nth, body: Scripted(
        text=json.dumps({"name": document.split(" lorem")[0] + long, "total": "1"})
    )
    job.run()
    texts = asked(server)
    assert [text.count('"name"') for text in texts] == [0, 1, 1, 1, 1]
    assert all(f"part {place}x" in text.partition("Read it.")[0] for place, text in enumerate(texts[1:]))
    assert all(f"<<part {place} " in text for place, text in enumerate(texts))


def test_a_run_that_is_taken_up_asks_nothing_twice_and_one_answer_changed_asks_what_follows(job, server):
    """What is asked depends on the answers before: the same ones make the same questions."""
    write(job, server).run()
    sent = server.sent
    with sqlite3.connect(job.out / "ledger.sqlite") as db:
        db.execute("DELETE FROM outcomes")
    job.run()
    assert server.sent == sent
    write(job, server, window=1)
    ended = job.run()
    assert "chunks.window changed" in ended.err
    assert server.sent == sent + 3  # the first two have no more before them than they had


def test_the_estimate_counts_the_records_that_go_along(job, server):
    write(job, server, context="none")
    alone = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    write(job, server)
    along = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    assert along["requests"] == alone["requests"]
    assert along["input_tokens"]["expected"] > alone["input_tokens"]["expected"] + 50
    assert any("are records of chunks before" in one for one in along["assumptions"])


def test_it_goes_together_with_chunks_that_are_left_out(job, server):
    write(job, server, select=3).run()
    assert [text.count('"name"') for text in asked(server)] == [0, 1, 2]
    assert job.results()[0]["chunks_skipped"] == 2
    job.pipeline("verify", job.out, code=0)


def test_the_sandbox_takes_them_for_no_part_of_the_document():
    schema = {"type": "object", "properties": {"amounts": {"type": "array", "items": {"type": "number"}}}}
    text = "Read the bill.\n\nTotal EUR 5.00"
    before = f'{WINDOW_HEAD}{{"total": "EUR 77.00"}}\n\n'
    assert extract(before + text, schema) == extract(text, schema)
