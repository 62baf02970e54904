"""`pipeline eval`: what is said of results, to people and to CI; and what is refused."""

import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from known_answers import FULL, RECORD, SAID, SCHEMA, answers, called, output, row
from places import REPO

from pipeline.commands.evaluate import tally

GOLDEN = REPO / "jobs" / "invoices.golden.jsonl"


@pytest.fixture
def out(tmp_path):
    wrong = {**FULL, "total": Decimal("1.00"), "tags": ["a"], "day": None}
    rows = [
        row("a", country="DE", document={"media_type": "application/pdf", "pages": 1}),
        row("b", wrong, country="FR", model="m2", document={"media_type": "application/pdf", "pages": 1}),
        row("c", None, country="FR", document={"media_type": "image/png", "pages": 1}),
        row("d", status="pending", answer_from="previous"),
        row("e", country="DE"),
        row("b", None, error_code="bad_row"),  # an id that an earlier row has
    ]
    return output(tmp_path / "out", rows)


@pytest.fixture
def golden(tmp_path):
    return answers(tmp_path / "golden.jsonl", {"a": SAID, "b": SAID, "c": SAID, "d": SAID, "nowhere": SAID})


def told(*words, code=0):
    ended, out, err = called("eval", *words, "--json")
    assert ended == code, err
    return json.loads(out)


def test_every_count_of_the_contract(out, golden):
    """What is pending or not there is not compared; of what failed all is missing; the first row of an id counts."""
    found = told(out, "--golden", golden)
    assert (found["rows"], found["compared"], found["failed"], found["pending"], found["absent"]) == (5, 3, 1, 1, 1)
    assert found["record_accuracy"] == 1 / 3
    assert found["cost_per_right_record_usd"] == "0.0300000000"
    assert found["fields"]["total"] == {"n": 3, "right": 1, "wrong": 1, "missing": 1, "extra": 0, "accuracy": 1 / 3}
    assert found["fields"]["day"] == {"n": 3, "right": 1, "wrong": 0, "missing": 2, "extra": 0, "accuracy": 1 / 3}
    assert found["fields"]["tags[]"] == {"n": 6, "right": 3, "wrong": 0, "missing": 3, "extra": 0, "accuracy": 0.5}
    assert found["fields"]["lines[].amount"]["right"] == 4
    assert found["fields"]["more.days"]["right"] == 2
    assert list(found["fields"])[:3] == ["name", "total", "share"]
    sums = [sum(counts[name] for counts in found["fields"].values()) for name in ("right", "n")]
    assert found["accuracy"] == sums[0] / sums[1]


@pytest.mark.parametrize(("gate", "code"), [("0.5", 0), ("0.99", 1), ("1", 1), ("0", 0)])
def test_the_gate_is_an_exit_code(out, golden, gate, code):
    found = told(out, "--golden", golden, "--gate", gate, code=code)
    assert (found["gate"], found["passed"]) == (float(gate), code == 0)


def test_what_is_exactly_at_the_gate_passes(tmp_path):
    rows = output(tmp_path / "out", [row("a"), row("b", {**FULL, "name": "other"})])
    known = answers(tmp_path / "g.jsonl", {"a": {"name": FULL["name"]}, "b": {"name": FULL["name"]}})
    assert told(rows, "--golden", known, "--gate", "0.5")["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("by", "compared"),
    [
        ("model", {"m1": 2, "m2": 1}),
        ("country", {"DE": 1, "FR": 2}),
        ("document.media_type", {"application/pdf": 2, "image/png": 1}),
        ("record.total", {"1.00": 1, "1234.50": 1, "null": 1}),
    ],
)
def test_by_any_column(out, golden, by, compared):
    groups = told(out, "--golden", golden, "--by", by)["by"]
    assert {name: one["compared"] for name, one in groups.items()} == compared


def test_by_tenant_is_by_the_column_that_was_kept_of_it(out, golden):
    tables = {name: {} for name in ("budget", "extract", "limits", "model", "output", "prices")}
    job = {"name": "x", "input": {"tenant": "country"}, **tables}
    (out / "run.json").write_text(json.dumps({"state": "finished", "job": job}))
    assert set(told(out, "--golden", golden, "--by", "tenant")["by"]) == {"DE", "FR"}


def test_people_get_a_table_the_worst_field_first_and_examples(out, golden):
    code, text, _ = called("eval", out, "--golden", golden, "--gate", "0.9", "--by", "model")
    lines = text.splitlines()
    assert code == 1
    assert lines[0] == "compared 3 of 5 known rows, 1 of them failed (1 are pending; 1 have no row here)"
    assert "BELOW the gate of 0.9" in lines[1]
    assert lines[5].split()[0] == "total"
    assert "  b  total: '1.00' was found, '1234.50' is known" in lines


def test_records_may_be_text_or_parquet_and_ids_whole_numbers(tmp_path):
    """A null of a Parquet file says that there is nothing, as in JSON."""
    rows = output(tmp_path / "out", [row("7")])
    text = tmp_path / "t.jsonl"
    text.write_text(json.dumps({"id": 7, "record": json.dumps(SAID), "note": "ignored"}))
    table = pa.Table.from_pylist([{"id": 7, "record": FULL}], pa.schema([("id", pa.int64()), ("record", RECORD)]))
    pq.write_table(table, tmp_path / "t.parquet")
    for known in (text, tmp_path / "t.parquet"):
        assert told(rows, "--golden", known, "--gate", "1")["record_accuracy"] == 1


def test_no_record_known_and_none_found_is_right(tmp_path):
    rows = output(tmp_path / "out", [row("a", None), row("b")])
    found = told(rows, "--golden", answers(tmp_path / "g.jsonl", {"a": None, "b": None}))
    assert found["record_accuracy"] == 0.5
    assert found["fields"]["name"]["extra"] == 1


def test_a_line_for_each_chunk_has_a_known_answer_for_each(tmp_path):
    schema = pa.schema([*SCHEMA, ("chunk", pa.int32())])
    rows = output(tmp_path / "out", [row("a", chunk=0), row("a", {**FULL, "name": "x"}, chunk=1)], schema)
    known = tmp_path / "g.jsonl"
    known.write_text("".join(json.dumps({"id": "a", "chunk": n, "record": {"name": "x"}}) + "\n" for n in (0, 1)))
    assert told(rows, "--golden", known)["record_accuracy"] == 0.5
    code, _, err = called("eval", rows, "--golden", answers(known, {"a": {"name": "x"}}))
    assert code == 2
    assert "`chunk`" in err


def test_what_a_duplicate_shows_as_its_cost_was_paid_once(tmp_path):
    rows = output(tmp_path / "out", [row("a"), row("b", answer_from="duplicate", cost_usd=Decimal(0))])
    found = told(rows, "--golden", answers(tmp_path / "g.jsonl", {"a": SAID, "b": SAID}))
    assert found["cost_per_right_record_usd"] == "0.0050000000"


def test_no_right_record_has_no_cost(tmp_path):
    rows = output(tmp_path / "out", [row("a", {**FULL, "name": "x"})])
    found = told(rows, "--golden", answers(tmp_path / "g.jsonl", {"a": SAID}))
    assert found["cost_per_right_record_usd"] is None


def test_keys_that_are_data_do_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tally, "MOST_PATHS", 2)
    more = {f"k{number}": number for number in range(9)}
    rows = output(tmp_path / "out", [row("a", {**FULL, "more": json.dumps(more)})])
    found = told(rows, "--golden", answers(tmp_path / "g.jsonl", {"a": {"name": FULL["name"], "more": more}}))
    assert {path: one["n"] for path, one in found["fields"].items()} == {"name": 1, "more.k0": 1, "more.*": 8}


BAD = [
    ('{"id": "a"}', ":1: has no `record`"),
    ('{"record": {}}', ":1: has no `id`"),
    ('{"id": 1.5, "record": {}}', ":1: has the id Decimal('1.5')"),
    ('{"id": "a", "record": {}}\n{"id": "a", "record": {}}', ":2: the id 'a' is there twice"),
    ('{"id": "a", "record": {"totle": 1}}', ":1 ('a'): the results have no field 'totle'. Did you mean 'total'?"),
    ('{"id": "a", "record": {"lines": [{"amonut": 1}]}}', "Did you mean 'lines[].amount'?"),
    ('{"id": "a", "record": {"lines": {}}}', ":1 ('a'): lines is {}, and not a list"),
    ('{"id": "a", "record": "{"}', "text that is not valid JSON"),
    ('{"id": "a", "record": ', ":1: not valid JSON"),
    ("[]", ":1: the line is no object"),
    ("\n", "holds no known answers"),
    ('{"id": "z", "record": {}}', "none of its ids is in"),
    ('{"id": "d", "record": {}}', "are still pending"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_known_answers_that_are_none_are_refused_by_name(out, tmp_path, text, said):
    known = tmp_path / "bad.jsonl"
    known.write_text(text)
    code, printed, err = called("eval", out, "--golden", known, "--json")
    assert (code, printed) == (2, "")
    assert said in err
    assert str(known) in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--golden", "no.jsonl"], "no such file"),
        (["--golden", "golden.csv"], "JSON lines (.jsonl) or Parquet"),
        (["--golden", "golden.jsonl", "--gate", "95"], "Write 0.95 for 95 %"),
        (["--golden", "golden.jsonl", "--gate", "nan"], "nan is not from 0 to 1"),
        (["--golden", "golden.jsonl", "--gate", "-0.1"], "is not from 0 to 1"),
        (["--golden", "golden.jsonl", "--by", "contry"], "Did you mean 'country'?"),
        (["--golden", "golden.jsonl", "--by", "record.lines"], "no such column"),
        (["--golden", "golden.jsonl", "--by", "record"], "more than one value a row"),
        (["--golden", "golden.jsonl", "--by", "tenant"], "input.keep"),
    ],
)
def test_wrong_words_are_refused(out, golden, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "golden.csv").write_text("id,record\n")
    code, _, err = called("eval", out, *words)
    assert code == 2
    assert said in err


@pytest.mark.parametrize(
    ("place", "said"), [("nowhere", "no such job file or folder"), (".", "no results.parquet here")]
)
def test_a_folder_without_results_is_refused(golden, tmp_path, monkeypatch, place, said):
    monkeypatch.chdir(tmp_path)
    code, _, err = called("eval", place, "--golden", golden)
    assert code == 2
    assert said in err


def test_the_known_answers_of_the_samples_are_those_that_the_samples_come_with():
    """jobs/invoices.golden.jsonl has what sample_data says is expected, in the form that eval takes."""
    expected = [
        json.loads(line) for line in (REPO / "sample_data" / "invoices_expected.jsonl").read_text().splitlines()
    ]
    for line, known in zip(GOLDEN.read_text().splitlines(), expected, strict=True):
        found = json.loads(line)
        amounts = [item["amount"] for item in found["record"].pop("lines")]
        assert {"id": found["id"], **found["record"], "line_amounts": amounts} == known
