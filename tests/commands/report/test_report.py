"""The report: figures that agree with the files, data that stays data, and a file that opens at any size of run."""

import json
import os
import re
import shlex
from decimal import Decimal
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_folder import JobFolder
from scripted_server import Scripted, serving

from pipeline.commands.report.figures import figures_of
from pipeline.commands.report.report import report
from pipeline.commands.report.rows import MOST_FAILED, MOST_OF_CODE, MOST_OK
from pipeline.job.folder import OutputPlace

ATTACK = (
    "</pre></script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>\u2028\x00\x1b[2J"
)
VOID = {"meta", "link", "input", "rect", "line", "polygon", "br"}


class Page(HTMLParser):
    """All tags with their attributes, and that each one is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Thirty rows with a tenant each: failures of two causes, a repair, an attack in every place."""
    job = JobFolder(tmp_path_factory.mktemp("night"))
    with serving() as server:
        server.script = lambda document, nth, body: (
            Scripted(400, error={"message": f"no {ATTACK}", "code": "x"})
            if document.startswith("fail")
            else Scripted(text="no JSON")
            if document == "mend" and len(body["messages"]) < 3
            else Scripted(text=json.dumps({"name": document, "total": "1"}))
        )
        texts = [f"document {n}" for n in range(24)] + ["mend", f"fail {ATTACK}", "fail 2", ATTACK]
        names = [f"{n} {ATTACK}" if n > 24 else f"r{n}" for n in range(len(texts))]
        rows = [{"id": names[n], "text": text, "customer": f"c{n % 3}"} for n, text in enumerate(texts)]
        rows.append({"id": "bad"})
        keep = {"path": "in.jsonl", "id": "id", "tenant": "customer"}
        job.write(server.url, rows=rows, input=keep).run("--set", "name=a <b>night</b>", code=1)
    return job


@pytest.fixture
def reported(night):
    """The night as it was run, its input included."""
    whole = (night.folder / "in.jsonl").read_bytes()
    before = (night.folder / "in.jsonl").stat()
    yield night
    (night.folder / "in.jsonl").write_bytes(whole)
    os.utime(night.folder / "in.jsonl", ns=(before.st_atime_ns, before.st_mtime_ns))


def text_of(job):
    report(OutputPlace(job.out))
    return (job.out / "report.html").read_text()


def test_the_page_is_whole_loads_nothing_and_allows_nothing(reported):
    """Every tag is closed; no address, no handler, no inline style; the policy names its own style and script."""
    text = text_of(reported)
    page = Page(text)
    for tag, attributes in page.tags:
        assert not {"onclick", "onerror", "onload", "style"} & set(attributes), (tag, attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "data:,").startswith("data:,")
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"https?://", text)
    assert [tag for tag, _ in page.tags if tag == "script"] == ["script"]


def test_what_came_from_outside_is_words_and_nothing_else(reported):
    """In ids, texts, records, errors and the job's name; control characters are spelled out."""
    text = text_of(reported)
    words = "".join(Page(text).words)
    assert "<script>document.title='owned'</script>" in words
    assert "<img src=x onerror" in words
    assert "a <b>night</b>" in words
    assert not [char for char in text if ord(char) < 32 and char != "\n"]
    assert "\u2028" not in text


def test_figures_agree_with_run_json(reported):
    """Calls, tokens and cost by model and tenant; what was lost on rows that failed; calls over time."""
    manifest = reported.reconcile()
    figures = figures_of(reported.out)
    assert figures.calls == manifest["calls"] == sum(s.answered + s.limited + s.failed for s in figures.slices)
    cost = Decimal(manifest["cost_usd"])
    for groups in (figures.by_model, figures.by_tenant):
        assert sum(group.usd for group in groups) == cost
        assert sum(group.calls for group in groups) == manifest["calls"]
    assert sum(one.usd for one in figures.slices) == cost
    lost = sum(line["cost_usd"] or 0 for line in reported.results() if line["status"] == "failed")
    assert figures.wasted_usd == lost
    latencies = sorted(call["latency_ms"] for call in reported.calls())
    assert figures.latency_ms.quantiles[3] == latencies[-1]
    assert sum(figures.latency_ms.bins) == len(latencies)


def test_failures_come_with_examples_and_the_command_that_runs_them_again(reported):
    """By cause, the largest first."""
    words = "".join(Page(text_of(reported)).words)
    assert "2 invalid_request" in words
    assert "1 bad_row" in words
    assert f"pipeline retry {reported.file} --where error_code=invalid_request" in words
    assert "Mend the input" in words


def test_the_command_names_the_places_that_the_job_file_does_not(job, server):
    """What was given on the command line: another folder, another input, some rows only."""
    server.script = lambda document, nth, body: Scripted(refusal="no")
    job.write(server.url, rows=[{"id": "a", "text": "x"}, {"id": "b", "text": "y"}])
    elsewhere, other = job.folder / "else where", job.folder / "other.jsonl"
    other.write_bytes((job.folder / "in.jsonl").read_bytes())
    job.run("--output", elsewhere, "--input", other, "--limit", 1, code=1)
    report(OutputPlace(elsewhere))
    words = "".join(Page((elsewhere / "report.html").read_text()).words)
    command = f"pipeline retry {job.file} --input {other} --output '{elsewhere}' --limit 1"
    assert command in words
    sent = server.sent
    job.pipeline(*shlex.split(command)[1:], code=1)
    assert server.sent == sent + 1
    job.run(code=1)
    report(OutputPlace(job.out))
    assert f"pipeline retry {job.file} --where" in "".join(Page((job.out / "report.html").read_text()).words)


def test_source_texts_stand_beside_records_and_errors(reported):
    """As long as the input is the one that was run."""
    words = "".join(Page(text_of(reported)).words)
    assert words.count("Source") >= 28
    assert "document 7" in words
    (reported.folder / "in.jsonl").write_text('{"id": "other", "text": "other"}\n')
    assert "the input has changed since the run" in text_of(reported)
    (reported.folder / "in.jsonl").unlink()
    assert "the input cannot be read any more" in text_of(reported)


def test_rows_that_failed_or_were_repaired_have_their_answers(job, server):
    """As text, cut at a bound, with the command that prints all; a repaired row says what was wrong at first."""
    long = f"{ATTACK} {'x' * 5000} end"
    server.script = lambda document, nth, body: (
        Scripted(text=long)
        if document == "bad"
        else Scripted(text='{"name": "no total"}')
        if document == "mend" and len(body["messages"]) < 3
        else None
    )
    rows = [{"id": "-b d", "text": "bad"}, {"id": "m", "text": "mend"}, {"id": "fine", "text": "fine"}]
    job.write(server.url, rows=rows).run(code=1)
    text = text_of(job)
    assert ATTACK not in text
    words = "".join(Page(text).words)
    assert words.count("<img src=x onerror") >= 2
    command = f"pipeline show {job.file} --answers -- '-b d'"
    assert f"more characters, see `{command}`" in words
    assert f"{len(long) - 2000:,} more" in words
    assert long in job.pipeline(*shlex.split(command)[1:], code=0).out.replace("\\u2028", "\u2028").replace(
        "\\u0000", "\0"
    ).replace("\\u001b", "\x1b")
    assert "repaired: total: Field required" in words
    assert "What was wrong before the repair" in words
    (job.out / "ledger.sqlite").unlink()
    assert "Answer, chunk" not in text_of(job)


def test_a_large_run_makes_a_small_page(tmp_path, reported):
    """All kinds of rows are there, each up to a bound; the rest is counted."""
    table = pq.read_table(reported.out / "results.parquet")
    many = pa.concat_tables([table] * 1500)
    numbers = pa.array(range(many.num_rows), pa.int64())
    many = many.set_column(0, table.schema.field("row"), numbers)
    pq.write_table(many, tmp_path / "results.parquet")
    (tmp_path / "calls.parquet").write_bytes((reported.out / "calls.parquet").read_bytes())
    manifest = reported.manifest()
    manifest["rows"]["total"] = many.num_rows
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    found = report(OutputPlace(tmp_path))
    assert found["bytes"] < 3_000_000
    assert found["rows_shown"] <= MOST_OK + MOST_FAILED + 200 + 20
    words = "".join(Page((tmp_path / "report.html").read_text()).words)
    assert f"of {many.num_rows:,} rows are in this file" in words
    assert words.count("invalid_request") >= MOST_OF_CODE


def test_a_folder_without_a_run_says_so_and_to_writes_elsewhere(job, server, tmp_path):
    """With the way to start one."""
    job.write(server.url, rows=[{"id": "a", "text": "x"}])
    job.out.mkdir()
    assert "no published run here" in job.pipeline("report", job.out, code=2).err
    job.run()
    found = json.loads(job.pipeline("report", job.out, "--to", tmp_path / "night.html", "--json", code=0).out)
    assert found["report"] == str(tmp_path / "night.html")
    assert (tmp_path / "night.html").stat().st_size == found["bytes"]


def test_a_parked_run_shows_how_to_go_on(job, server):
    """And rows that are pending."""
    job.write(server.url, rows=[{"id": f"r{n}", "text": f"document {n}"} for n in range(30)])
    job.run("--max-usd", "0.0001", code=3)
    words = "".join(Page(text_of(job)).words)
    assert "parked (budget)" in words
    assert f"pipeline run {job.file}" in words


def test_known_answers_are_a_section(job, server):
    """What `pipeline eval` finds: fields with their counts, and what was not right, escaped."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps({"name": ATTACK, "total": "1"}))
    job.write(server.url, rows=[{"id": "a", "text": "x"}]).run()
    (job.folder / "golden.jsonl").write_text('{"id": "a", "record": {"name": "<b>", "total": 1.0}}\n')
    job.pipeline("report", job.out, "--golden", "golden.jsonl", code=0)
    text = (job.out / "report.html").read_text()
    assert "50.00 % of values and 0.00 % of whole records are right" in text
    assert "&lt;b&gt;" in text
    assert ATTACK not in text
    job.pipeline("report", job.out, code=0)
    assert "Against known answers" not in (job.out / "report.html").read_text()
