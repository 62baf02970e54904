"""The report of jobs whose values are looked for: words marked in their sources, what needs review first, by field."""

import html
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_folder import JobFolder
from pdf_makers import text_pages
from scripted_server import Scripted, serving

from pipeline.commands.report.figures import figures_of
from pipeline.commands.report.report import report
from pipeline.commands.report.rows import _places
from pipeline.job.folder import OutputPlace

BILL = "\U0001f9fe Bill of the Blue <b>Mill</b>\r\ntotal due:\t1.234,50 EUR\nno. {}"
GOOD, WRONG = {"name": "Blue <b>Mill</b>", "total": "1234.50"}, {"name": "Red Rye", "total": "1234.50"}


def page_of(job):
    report(OutputPlace(job.out))
    return (job.out / "report.html").read_text()


def rows_of(page):
    return re.findall(
        r'<details class="row" data-kinds="(.*?)"><summary>(.*?)</summary>(.*?)</details>', page, re.DOTALL
    )


def ids(page):
    return [re.search(r"</span><span>(.*?)</span>", head)[1] for _, head, _ in rows_of(page)]


def plain(markup):
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.fixture(scope="module", params=[True, False], ids=["kept", "read again"])
def night(request, tmp_path_factory):
    """Four rows: two right, one that says too much, and one that did at first; with the texts kept or not."""
    job = JobFolder(tmp_path_factory.mktemp("night"))

    def script(document, nth, body):
        wrong = "no. 1" in document or ("no. 2" in document and len(body["messages"]) < 3)
        empty = {"name": "Red Rye", "total": "7.25"}
        return Scripted(text=json.dumps(empty if wrong and "no. 2" in document else WRONG if wrong else GOOD))

    with serving() as server:
        server.script = script
        rows = [{"id": f"r{number}", "text": BILL.format(number)} for number in range(4)]
        extract = {"evidence": "align", "min_grounded": 0.5, "keep_text": request.param}
        job.write(server.url, rows=rows, extract=extract).run()
    return job


def test_each_value_leads_to_its_words(night):
    """By a link to a mark of the same row, whose words are those that evidence quotes; counted in code points."""
    (_, _, body) = rows_of(page_of(night))[2]
    marks = {address: plain(words) for address, words in re.findall(r'<mark id="(.*?)"[^>]*>(.*?)</mark>', body)}
    links = re.findall(r'<a href="#(.*?)" data-mark="(\d)" class="(\w+)"[^>]*>(.*?)</a>', body)
    assert [(marks[address], status, plain(value)) for address, _, status, value in links] == [
        ("Blue <b>Mill</b>", "exact", '"Blue <b>Mill</b>"'),
        ("1.234,50", "normalised", '"1234.500000000"'),
    ]
    assert "2 of 2 found" in body
    source = re.search(r'<div class="source" tabindex="0">(.*?)</div>', body, re.DOTALL)[1]
    assert plain(source) == BILL.format(0).replace("\r", "\\u000d")


def test_rows_that_need_review_come_first_with_their_reasons(night):
    """The others after them, both in input order; and there are filters for them."""
    page = page_of(night)
    assert ids(page) == ["r1", "r2", "r0", "r3"]
    (kinds, head, body), (repaired, *_), (fine, *_), _ = rows_of(page)
    assert {"review", "ungrounded-values"} < {*kinds.split()}
    assert "not found: name" in head
    assert "To look at: values are not in the document." in body
    assert '<span class="not_found" title="not found">' in body
    assert "1 of 2 found" in body
    assert ("review" in repaired, "ungrounded-values" in repaired, "review" in fine) == (True, False, False)
    options = re.findall(r'<option value="(.*?)">', page)
    assert options[:3] == ["", "review", "ungrounded-values"]


def test_a_repaired_row_says_which_values_were_not_in_the_document(night):
    """They are on no record: they are looked for again in the answer that was repaired."""
    (_, head, body) = rows_of(page_of(night))[1]
    told = 'values not in the document: name = "Red Rye", total = "7.25"'
    assert f"repaired: {told}" in plain(head)
    assert told in plain(body)


def test_of_a_doubted_answer_the_values_that_are_there_are_not_named(job, server):
    """Though all of it was asked for again."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps(WRONG if len(body["messages"]) < 3 else GOOD))
    extract = {"evidence": "align", "min_grounded": 0.8}
    job.write(server.url, rows=[{"id": "r0", "text": BILL}], extract=extract).run()
    ((_, head, _),) = rows_of(page_of(job))
    assert 'repaired: values not in the document: name = "Red Rye"</span>' in html.unescape(head)


def test_no_mark_stands_where_the_text_says_something_else(night, tmp_path):
    """Such as in results that somebody has changed."""
    table = pq.read_table(night.out / "results.parquet")
    if "text" not in table.column_names:
        return
    texts = [f"!{text}" for text in table["text"].to_pylist()]
    table = table.set_column(table.column_names.index("text"), "text", pa.array(texts))
    pq.write_table(table, tmp_path / "results.parquet")
    for name in ("calls.parquet", "run.json"):
        (tmp_path / name).write_bytes((night.out / name).read_bytes())
    report(OutputPlace(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert "!\U0001f9fe Bill" in page
    assert "<mark" not in page


def test_of_a_row_with_several_lines_the_first_is_shown_and_those_that_need_review(tmp_path):
    """One for each chunk."""
    lines = [(0, False), (0, False), (0, True), (1, True), (1, False), (2, False)]
    columns = {"row": [row for row, _ in lines], "needs_review": [review for _, review in lines]}
    table = pa.table({**columns, "status": ["ok"] * len(lines), "error_code": pa.nulls(len(lines), pa.string())})
    pq.write_table(table, tmp_path / "results.parquet", row_group_size=4)
    with pq.ParquetFile(tmp_path / "results.parquet") as file:
        assert _places(file, ["needs_review"]) == [0, 2, 3, 5]


def test_without_the_text_it_says_at_least_that_much(tmp_path, night):
    """The input is gone, or another by now."""
    for name in ("results.parquet", "calls.parquet", "ledger.sqlite"):
        (tmp_path / name).write_bytes((night.out / name).read_bytes())
    manifest = night.manifest()
    manifest["job"]["extract"]["keep_text"] = False
    (tmp_path / "run.json").write_text(json.dumps({**manifest, "input_fingerprint": "another"}))
    report(OutputPlace(tmp_path))
    (_, head, _) = rows_of((tmp_path / "report.html").read_text())[1]
    assert "repaired: values not in the document<" in head


def test_values_are_counted_by_field_over_the_whole_run(night):
    """Found, not found, and how many need review; with an axis."""
    grounded = figures_of(night.out).grounded
    assert [(one.name, one.found, one.not_found, one.unverifiable) for one in grounded.fields] == [
        ("name", 3, 1, 0),
        ("total", 4, 0, 0),
    ]
    assert grounded.to_review == 2
    page = page_of(night)
    assert "name: 3 found, 1 not found, 0 with no text to look in" in page
    assert "<span>0 %</span><span>50 % of its values</span><span>100 %</span>" in page
    assert "2 rows need review" in page


def test_without_the_input_the_record_still_says_what_was_found(job, server):
    """The words as a hint; no links that lead nowhere."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps(GOOD))
    job.write(server.url, rows=[{"id": "r0", "text": BILL}], extract={"evidence": "align"}).run()
    (job.folder / "in.jsonl").unlink()
    page = page_of(job)
    assert "the input cannot be read any more" in page
    assert 'title="“1.234,50”"' in page
    assert "data-mark" not in page.replace("data-mark]", "")


def test_a_job_that_looks_for_nothing_has_nothing_of_it(job, server):
    """As before: no links, no filter, input order."""
    server.script = lambda document, nth, body: Scripted(text=json.dumps(GOOD))
    job.write(server.url, rows=[{"id": "r0", "text": BILL}]).run()
    page = page_of(job)
    assert "Values found" not in page
    assert 'value="review"' not in page
    assert "<mark" not in page


@pytest.mark.parametrize("native", [False, True])
def test_pages_of_a_file_are_told_apart(job, server, native):
    """And each value says which page it is on, also where the file goes to the model as it is."""
    folder = job.folder / "files"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(
        text_pages("Bill of the Blue Mill, page one of two", "In all, as agreed: 1,234.50 EUR")
    )
    answer = {"name": "Blue Mill", "total": "1234.50"}
    server.script = lambda document, nth, body: Scripted(text=json.dumps(answer))
    how = {"documents": {"read": "native"}} if native else {}
    job.write(server.url, input={"path": "files"}, extract={"evidence": "align"}, **how).run()
    ((_, _, body),) = rows_of(page_of(job))
    assert '<p class="quiet">page 2</p><pre>' in body
    assert [plain(one) for one in re.findall(r"<small>(.*?)</small>", body)] == ["p. 1", "p. 2"]
    assert re.findall(r"<mark[^>]*>(.*?)</mark>", body) == ["Blue Mill", "1,234.50"]
