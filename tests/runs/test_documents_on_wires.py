"""Every wire, with files each way they can go, whole and streamed: through the command line, against the sandbox."""

from decimal import Decimal

import pytest
from pdf_makers import image_page, text_pages
from sandbox_process import KEYS, counters, sandbox

HAIKU, NOVA = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-lite-v1:0"
BEDROCK = {"provider": "bedrock", "region": "us-east-1"}
WIRES = {
    "openai chat": {"provider": "openai", "name": "gpt-4o-mini"},
    "openai responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "azure chat": {"provider": "azure", "name": "gpt-4o-mini"},
    "azure responses": {"provider": "azure", "name": "gpt-4o-mini", "api": "responses"},
    "anthropic": {"provider": "anthropic", "name": "claude-sonnet-4-5"},
    "converse claude": {**BEDROCK, "name": HAIKU},
    "converse nova": {**BEDROCK, "name": NOVA},
    "invoke claude": {**BEDROCK, "name": HAIKU, "api": "invoke"},
    "invoke nova": {**BEDROCK, "name": NOVA, "api": "invoke"},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "p", "api_key_env": "VERTEX_KEY"},
}
TAKE_NO_PDF = {
    "azure chat": "Azure's chat completions take no PDF",
    "converse claude": "the pages of a PDF only with citations",
    "invoke nova": "Nova takes a PDF by Converse alone",
}
TOTALS = {"a.pdf": "12.50", "b.pdf": "8.00", "c.pdf": "3.75"}


@pytest.fixture(scope="module")
def url():
    with sandbox() as found:
        yield found


def written(job, url, name, read, **model):
    """Three PDFs with a text layer, and a job over them that speaks this wire."""
    job.env.update(KEYS)
    (job.folder / "inbox").mkdir()
    for file, total in TOTALS.items():
        page = f"Invoice of Acorn Mills\nSupplier: Acorn Mills, {file}\nTotal: {total}"
        (job.folder / "inbox" / file).write_bytes(text_pages(page))
    base = f"{url}/v1" if WIRES[name]["provider"] == "openai" else url
    model = {**WIRES[name], "base_url": base, "max_output_tokens": 500, **model}
    return job.write(url, input={"path": "inbox", "id": ""}, documents={"read": read}, model=model)


CELLS = [  # streaming has to do with answers, not with files: one way of each wire is enough
    (name, read, stream)
    for name in WIRES
    for read in ("text", "native", "image")
    for stream in (False, True)
    if (read != "native" or name not in TAKE_NO_PDF)
    and (not stream or read == ("image" if name in TAKE_NO_PDF else "native"))
]


@pytest.mark.parametrize(("name", "read", "stream"), CELLS)
def test_files_go_on_every_wire_each_way(job, url, name, read, stream):
    """Rows are ok by one call each, and the tokens on record are those that the server has billed."""
    before = counters(url)
    written(job, url, name, read, stream=stream).run()
    after, manifest = counters(url), job.reconcile()
    assert (manifest["rows"]["ok"], manifest["calls"], after["requests"] - before["requests"]) == (3, 3, 3)
    billed = [after[key] - before[key] for key in ("billed_prompt_tokens", "billed_completion_tokens")]
    assert [manifest["tokens"]["input_tokens"], manifest["tokens"]["output_tokens"]] == billed
    for row, call in zip(job.results(), job.calls(), strict=True):
        assert (row["document"]["mode"], row["document"]["pages"]) == (read, 1)
        assert read == "image" or row["record"]["total"] == Decimal(TOTALS[row["id"]])  # a picture it cannot see
        assert (call["ttft_ms"] is not None) == stream


@pytest.mark.parametrize("name", TAKE_NO_PDF)
def test_where_a_pdf_would_not_be_seen_check_says_so_and_with_auto_it_is_drawn(job, url, name):
    before = counters(url)["requests"]
    told = written(job, url, name, "native").pipeline("check", job.file, code=0).out
    assert "3 of them cannot be used" in told
    assert TAKE_NO_PDF[name] in told
    job.run(code=1)
    assert {row["error_code"] for row in job.results()} == {"bad_row"}
    assert counters(url)["requests"] == before
    for file in TOTALS:
        (job.folder / "inbox" / file).write_bytes(image_page(60, 80))
    job.file.write_text(job.file.read_text().replace('"native"', '"auto"'))
    job.run()
    assert [row["document"]["mode"] for row in job.results()] == ["image"] * 3


def test_check_calls_no_file_a_scan_that_is_sent_as_it_is_for_the_asking(job, url):
    told = written(job, url, "openai chat", "native").pipeline("check", job.file, code=0).out
    assert "3 files: 3 native\n" in told


def test_the_jobs_own_sandbox_reads_what_is_drawn_for_it(job, url):
    """With another provider's name nothing but the picture goes along, wherever it is sent."""
    written(job, url, "openai chat", "image", provider="sandbox", base_url="")
    job.run()
    assert [row["record"]["total"] for row in job.results()] == [*map(Decimal, TOTALS.values())]
