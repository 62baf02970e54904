"""sample_data/invoices_pdf: every file has its truth, the truth is a record, and the generator makes these bytes."""

import json
import re
import subprocess
import sys
import zlib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from places import REPO

from pipeline.reader.kinds import read_bytes
from pipeline.reader.read import ReadOptions

FOLDER = REPO / "sample_data" / "invoices_pdf"
EXPECTED = FOLDER.with_name("invoices_pdf_expected.jsonl")
MAKERS = ("reportlab", "pypdf", "pillow", "cryptography")
TRUTH = {line["id"]: line for line in map(json.loads, EXPECTED.read_text(encoding="utf-8").splitlines())}
FILES = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.is_file()}


def other_makers():
    """What of the generator's libraries is missing here, or of another version than the files were made with."""
    pinned = dict(line.split("==") for line in (REPO / "constraints.txt").read_text().split())
    for name in MAKERS:
        try:
            if version(name) != pinned[name]:
                return f"{name} {version(name)} is not the {pinned[name]} of constraints.txt"
        except PackageNotFoundError:
            return f"{name} is not installed"
    return "another zlib" if "ng" in zlib.ZLIB_RUNTIME_VERSION else ""


@pytest.fixture(scope="module")
def invoice():
    spec = spec_from_file_location("invoice_of_samples", REPO / "schemas" / "invoice.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Invoice


def test_every_file_has_a_truth_and_every_truth_a_file():
    assert sorted(FILES) == sorted(TRUTH)
    assert len([name for name in FILES if name.endswith(".pdf")]) >= 12


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_the_truth_is_a_record_of_the_schema_or_a_reason(name, invoice):
    line = TRUTH[name]
    if line["record"] is None:
        assert line["reason"] in {"password", "damaged"}
        return
    assert line["reason"] is None
    record = invoice.model_validate_json(json.dumps(line["record"]))
    assert {*line["record"]} == {*invoice.model_fields}
    assert (record.gross_total < 0) == (record.kind == "credit_note")


def test_they_are_small_and_name_nobody():
    sizes = {name: path.stat().st_size for name, path in FILES.items()}
    assert max(sizes.values()) < 120_000
    assert sum(sizes.values()) < 700_000
    assert all(size < 20_000 for name, size in sizes.items() if name.startswith("mixed/"))
    source = "".join(path.read_text(encoding="utf-8") for path in (REPO / "benchmarks/sample_pdfs").glob("*.py"))
    assert {host.rpartition(".")[2] for host in re.findall(r"\w@([\w.]+\w)", source)} == {"example"}


@pytest.mark.skipif(other_makers() != "", reason=other_makers())
def test_the_generator_makes_these_very_bytes(tmp_path):
    command = [sys.executable, REPO / "benchmarks/sample_pdfs/make.py", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    made = {path.relative_to(tmp_path / FOLDER.name).as_posix(): path for path in (tmp_path / FOLDER.name).rglob("*.*")}
    assert sorted(made) == sorted(FILES)
    assert [name for name in made if made[name].read_bytes() != FILES[name].read_bytes()] == []
    assert (tmp_path / EXPECTED.name).read_bytes() == EXPECTED.read_bytes()


SCANS = {"16-scan.pdf", "17-fax.pdf", "19-half-scanned.pdf"}  # without a word of their own, or without the sums
SPELLED = {"08-two-pages.pdf": "7,497.62", "09-three-columns.pdf": "375,66", "18-ocr-layer.pdf": "146.16"}


@pytest.mark.parametrize("name", [name for name in sorted(TRUTH) if name.endswith(".pdf") and TRUTH[name]["record"]])
def test_pages_print_what_the_truth_says(name):
    pypdf = pytest.importorskip("pypdf")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(FILES[name]).pages)
    if name in SCANS:
        assert TRUTH[name]["record"]["gross_total"] not in text
        return
    assert TRUTH[name]["record"]["invoice_number"] in text
    assert all(line["description"] in text for line in TRUTH[name]["record"]["lines"])
    assert SPELLED.get(name, "") in text


@pytest.mark.parametrize("name", [name for name in sorted(TRUTH) if TRUTH[name]["record"] and name not in SCANS])
def test_what_the_truth_says_lies_on_the_page(name):
    """What lies beside a page's box is in the file, and nobody who looks at the page sees it."""
    pytest.importorskip("pypdfium2_raw")
    record = TRUTH[name]["record"]
    read = read_bytes(FILES[name].read_bytes(), name, ReadOptions())
    seen = "".join(page.text for piece in read.pieces for page in piece.pages).replace(" ", "")
    said = [record["supplier"], record["invoice_number"], *(line["description"] for line in record["lines"])]
    assert [words for words in said if words.replace(" ", "") not in seen] == []
    assert record["issued_on"][:4] in seen


def test_the_locked_file_opens_with_its_password():
    pypdf = pytest.importorskip("pypdf")
    locked = pypdf.PdfReader(FILES["20-password.pdf"])
    assert locked.decrypt("wrong") == 0
    assert locked.decrypt("secret") != 0
    assert "RE-2026-0533" in locked.pages[0].extract_text()


@pytest.mark.parametrize(
    ("name", "differs"), [("14-zugferd.pdf", set()), ("15-xml-differs.pdf", {"invoice_number", "due_on"})]
)
def test_the_embedded_xml_differs_where_the_truth_says(name, differs):
    pypdf = pytest.importorskip("pypdf")
    (xml,) = pypdf.PdfReader(FILES[name]).attachments["factur-x.xml"]
    line = TRUTH[name]
    record = line["record"]
    said = {
        "invoice_number": f"<ram:ID>{record['invoice_number']}</ram:ID>",
        "issued_on": record["issued_on"].replace("-", ""),
        "due_on": f'DueDateDateTime><udt:DateTimeString format="102">{record["due_on"].replace("-", "")}<',
        "gross_total": f"<ram:GrandTotalAmount>{record['gross_total']}<",
        "tax_total": f">{record['tax_total']}</ram:TaxTotalAmount>",
    }
    assert (
        {field for field, words in said.items() if words not in xml.decode()}
        == differs
        == {*line.get("xml_conflicts", ())}
    )
