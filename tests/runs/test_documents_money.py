"""What files cost: the cap holds whatever a picture is billed as, estimates hold, and nothing is paid for again."""

import json
import os
from decimal import Decimal

import pytest
from inbox import pages, paid_twice, sent_files, write
from pdf_makers import image_page
from pictures import png
from places import REPO
from scripted_server import Scripted

MTOK = Decimal(1_000_000)
OWN = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}
PICTURES = {f"{n}.png": png(20 + n, 20) for n in range(12)}


@pytest.mark.parametrize(
    ("name", "billed", "concurrency"), [("my-model", 70_000, 1), ("my-model", 70_000, 8), ("gpt-4o-mini", 25_501, 8)]
)
def test_the_cap_holds_a_picture_of_a_kilobyte_that_is_billed_as_70_000_tokens(job, server, name, billed, concurrency):
    server.script = lambda *_: Scripted(usage=(billed, 20))
    each = (billed + 20) / MTOK
    sections = {"model": {"name": name}, "prices": OWN, "limits": {"concurrency": concurrency}}
    write(job, server.url, PICTURES, **sections)
    job.run("--max-usd", f"{each * 5:f}", code=3)
    manifest = job.reconcile()
    assert sum(len(data) for _, body, _ in server.requests for data in sent_files(body)) < 1000 * server.sent
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert Decimal(manifest["cost_usd"]) == each * server.sent <= each * 5
    assert server.sent >= 4
    job.run("--max-usd", f"{each * 20:f}")
    assert (server.sent, paid_twice(server)) == (12, [])


def test_a_provider_that_bills_more_than_its_rule_is_believed_from_then_on(job, server):
    """The cap leaves room for a call by the rule, and less than the next one costs: it must not leave."""
    server.script = lambda *_: Scripted(usage=(70_000, 20))
    write(job, server.url, PICTURES, prices=OWN, limits={"concurrency": 1})
    cap = Decimal("0.18")  # gpt-4o-mini's picture is 25,501 tokens at the most
    job.run("--max-usd", f"{cap:f}", code=3)
    assert (server.sent, job.reconcile()["reason"]) == (2, "budget")


def test_a_text_row_does_not_teach_what_a_scan_is_reserved_at(job, server):
    """Texts are counted as we do; pictures are billed at a hundred times what is expected of them."""
    server.script = lambda _document, _nth, body: Scripted(usage=(70_000 if sent_files(body) else 60, 20))
    texts = {f"a{n}.txt": f"a short letter, number {n}" for n in range(20)}
    scans = {f"b{n}.pdf": image_page(60 + n, 80) for n in range(6)}
    sections = {"model": {"name": "my-model"}, "prices": OWN, "documents": {"read": "image"}}
    write(job, server.url, texts | scans, **sections)
    cap = Decimal("0.3")
    job.run("--max-usd", f"{cap:f}", code=3)
    assert Decimal(job.reconcile()["cost_usd"]) <= cap
    assert {row["status"] for row in job.results() if row["id"].startswith("a")} == {"ok"}


@pytest.mark.parametrize("before", [("a",), ("a", "b")], ids=["texts", "texts and scans"])
def test_what_texts_cost_does_not_estimate_scans(job, server, before):
    """An answer to a text is as long as the text here, and one to a scan short, however much its picture costs."""
    script = lambda _document, _nth, body: Scripted(  # noqa: E731
        usage=(36_930, 60) if sent_files(body) else (len(json.dumps(body)) // 4, len(json.dumps(body)) // 12)
    )
    server.script = script
    texts = {f"a{n}.txt": "Invoice line, 5.00 EUR\n" * (10 + 5 * n) for n in range(20)}
    scans = {f"{sort}{n}.pdf": image_page(60 + n, 80 + ord(sort)) for n in range(6) for sort in "bc"}
    files = texts | {name: data for name, data in scans.items() if name[0] in before}
    write(job, server.url, files, documents={"read": "image"}).run()
    write(job, server.url, scans)
    write(job, server.url, {}, documents={"read": "image"})
    told = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    due = 12 if before == ("a",) else 6
    assert told["requests"] == due
    assert told["input_tokens"]["low"] <= 36_930 * due <= told["input_tokens"]["high"]
    assert told["output_tokens"]["low"] <= 60 * due <= told["output_tokens"]["high"]


@pytest.mark.parametrize("read", ["native", "image"])
def test_what_the_sandbox_bills_for_the_sample_folder_is_within_the_estimate(job, read):
    text = (REPO / "jobs" / "invoices_pdf.toml").read_text().replace('"../out/invoices_pdf"', '"out"')
    text = text.replace('"../', f'"{REPO}/').replace('read = "auto"', f'read = "{read}"')
    job.file.write_text(text.replace("latency_ms = 80", "latency_ms = 1"))
    told = json.loads(job.pipeline("estimate", job.file, "--json", code=0).out)
    job.run()
    manifest = job.reconcile()
    assert manifest["rows"]["ok"] == 24
    for key in ("input_tokens", "output_tokens"):
        assert told[key]["low"] <= manifest["tokens"][key] <= told[key]["high"]
    assert Decimal(told["cost_usd"]["low"]) <= Decimal(manifest["cost_usd"]) <= Decimal(told["cost_usd"]["high"])


FILES = {"a/letter.txt": "a letter", "a/three.pdf": pages(3), "scan.pdf": image_page(60, 80), "photo.png": png(30, 30)}


@pytest.fixture
def paid(job, server):
    """A job over four files, native where a model can see them, that has been run; how many calls it took."""
    job.written = lambda **documents: write(job, server.url, FILES, documents={"read": "auto", **documents})
    job.written().run()
    job.inbox = job.folder / "inbox"
    assert server.sent == len(FILES)
    server.requests.clear()
    return job


def test_a_file_that_was_renamed_moved_or_touched_costs_nothing(paid, server):
    for name in FILES:
        os.utime(paid.inbox / name, ns=(1, 1))
    paid.run()
    (paid.inbox / "a").rename(paid.inbox / "b")
    (paid.inbox / "scan.pdf").rename(paid.inbox / "b" / "renamed.pdf")
    (paid.inbox / "photo.png").rename(paid.inbox / "photo.pdf")  # its bytes say what it is
    paid.run()
    assert server.sent == 0
    assert sorted(row["id"] for row in paid.results()) == ["b/letter.txt", "b/renamed.pdf", "b/three.pdf", "photo.pdf"]
    assert {row["status"] for row in paid.results()} == {"ok"}
    paid.reconcile()


@pytest.mark.parametrize(
    ("documents", "again"),
    [
        ({"image_px": 900}, 0),  # nothing was drawn
        ({"pages_per_call": 20}, 0),  # texts and single pages alike; the answers are on record
        ({"pages_per_call": 2}, 0),  # three.pdf went as text
        ({"max_pages": 50}, 0),
        ({"max_mb": 5}, 0),
        ({"embedded_xml": "ignore"}, 0),
        ({"read": "native"}, 1),  # three.pdf no longer as text
        ({"read": "native", "pages_per_call": 2}, 2),
        ({"read": "image"}, 3),  # all but the letter
    ],
    ids=str,
)
def test_a_setting_is_paid_for_again_only_where_it_matters(paid, server, documents, again):
    paid.written(**documents).run("--yes")
    assert server.sent == again
    paid.reconcile()


def test_how_large_pages_are_drawn_matters_where_they_are_drawn(paid, server):
    paid.written(read="image").run("--yes")
    server.requests.clear()
    paid.written(read="image", image_px=900).run("--yes")
    assert server.sent == 3
    server.requests.clear()
    paid.written(read="image").run("--yes")
    paid.written().run("--yes")
    assert server.sent == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_scan_twice_is_asked_once(job, server, workers):
    scan = image_page(60, 80)
    files = {"one.pdf": scan, "two.pdf": scan, "deep/three.pdf": scan, "other.pdf": image_page(80, 80)}
    write(job, server.url, files, limits={"workers": workers}).run()
    assert (server.sent, paid_twice(server)) == (2, [])
    assert sorted(row["answer_from"] for row in job.results()) == ["call", "call", "duplicate", "duplicate"]
    job.reconcile()
