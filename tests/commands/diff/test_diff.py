"""`pipeline diff`: counts, both values, evidence and cost; to people, to CI and as a page."""

import json
import re
from decimal import Decimal

import pyarrow as pa
import pytest
from known_answers import FULL, RECORD, SCHEMA, answers, called, output, row

from pipeline.commands.diff import diff as diff_module
from pipeline.commands.diff import page as page_module

ATTACK = "<script>alert(1)</script>\u202e"
EVIDENCE = pa.list_(
    pa.struct([("path", pa.string()), ("status", pa.string()), ("quote", pa.string()), ("page", pa.int16())])
)
WITH_EVIDENCE = pa.schema([*SCHEMA, ("evidence", EVIDENCE)])
MOVED = {
    **FULL,
    "lines": [{"what": "pallet", "count": 1, "amount": Decimal("39.00")}, FULL["lines"][0]],
    "name": ATTACK,
}


def told(*words, code=1):
    ended, out, err = called("diff", *words, "--json")
    assert ended == code, err
    return json.loads(out)


@pytest.fixture
def left(tmp_path):
    return output(tmp_path / "left", [row("a"), row("b"), row("c"), row("d", None), row("gone")])


@pytest.fixture
def right(tmp_path):
    dearer = {"cost_usd": Decimal("0.02"), "cost_total_usd": Decimal("0.02")}
    rows = [row("a", **dearer), row("b", MOVED), row("c", None), row("d", None, error_code="timeout"), row("new")]
    return output(tmp_path / "right", rows)


def test_every_count_of_the_contract(left, right):
    found = told(left, right)
    names = ("rows", "same", "changed", "only_left", "only_right")
    assert [found[name] for name in names] == [6, 1, 3, 1, 1]
    assert found["fields"] == {"name": 1, "lines[].amount": 1}
    assert found["cost_usd"] == ["0.0500000000", "0.0600000000"]
    assert found["outcomes"] == {"ok → failed (refused)": 1, "failed (refused) → failed (timeout)": 1}
    assert (found["only_left_ids"], found["only_right_ids"]) == (["gone"], ["new"])


def test_a_change_has_both_values_and_where_they_stand(left, right):
    """An item that has moved is the same item."""
    (change,) = (one for one in told(left, right)["changes"] if one["id"] == "b")
    amount = next(one for one in change["fields"] if one["path"] == "lines[].amount")
    assert amount["left"] == {"at": "lines[1].amount", "value": "38.00"}
    assert amount["right"] == {"at": "lines[0].amount", "value": "39.00"}
    assert change["right"] == {"outcome": "ok", "cost_usd": "0.0100000000"}


@pytest.mark.parametrize(
    "other",
    [
        FULL,
        {**FULL, "total": Decimal("1234.5"), "tags": ["b", "a"], "lines": FULL["lines"][::-1]},
        {**FULL, "name": "O\u0308lmu\u0308hle  Süd ", "more": '{"days": 30.0, "terms": "net"}'},
    ],
)
def test_what_means_the_same_is_equal(tmp_path, other):
    """By value, whatever the order of lists: as eval compares."""
    found = told(output(tmp_path / "l", [row("a")]), output(tmp_path / "r", [row("a", other)]), code=0)
    assert (found["equal"], found["same"], found["fields"]) == (True, 1, {})


def test_an_output_is_equal_to_itself(left):
    assert told(left, left, code=0)["same"] == 5


def test_what_a_duplicate_shows_as_its_cost_was_paid_once(tmp_path, left):
    copy = output(tmp_path / "r", [row("a"), row("b", answer_from="duplicate"), row("c", cost_total_usd=None)])
    assert told(left, copy)["cost_usd"] == ["0.0500000000", "0.0100000000"]


def test_evidence_is_told_where_there_is_any(tmp_path, left):
    """The column may be there on one side only."""
    said = [{"path": "total", "status": "exact", "quote": "Total 1.00", "page": 2}]
    rows = [row("a", {**FULL, "total": Decimal("1.00")}, evidence=said)]
    changed = output(tmp_path / "r", rows, WITH_EVIDENCE)
    (change,) = told(left, changed)["changes"]
    assert change["fields"][0]["right"]["evidence"] == said[0]
    assert "evidence" not in change["fields"][0]["left"]
    reordered = output(tmp_path / "o", [row("x"), *rows], WITH_EVIDENCE)
    (change,) = told(left, reordered)["changes"]
    assert change["fields"][0]["right"]["evidence"] == said[0]


def test_of_two_schemas_what_both_have_is_compared_and_the_rest_named(tmp_path, left):
    """They are not equal, though all that could be compared is; a number and a text of it are the same."""
    fields = [pa.field("total", pa.string()) if one.name == "total" else one for one in RECORD if one.name != "paid"]
    schema = SCHEMA.set(SCHEMA.get_field_index("record"), pa.field("record", pa.struct(fields)))
    record = {**FULL, "total": "1234.5"}
    other = output(tmp_path / "r", [row("a", record), row("b", record), row("c", record), row("d", None), row("gone", record)], schema)  # fmt: skip  # noqa: E501
    found = told(left, other)
    assert (found["same"], found["fields_of_one_side"]) == (5, {"left": ["paid"], "right": []})
    _, text, _ = called("diff", left, other)
    assert "fields that only left has, which are not compared: paid" in text


def test_rows_beyond_the_bound_are_counted_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(diff_module, "MOST_SHOWN", 2)
    monkeypatch.setattr(page_module, "MOST_ON_PAGE", 3)
    one = output(tmp_path / "l", [row(str(number)) for number in range(9)])
    other = output(tmp_path / "r", [row(str(number), {**FULL, "name": "x"}) for number in range(9)])
    found = told(one, other)
    assert (len(found["changes"]), found["changes_left_out"], found["fields"]) == (2, 7, {"name": 9})
    _, _, err = called("diff", one, other, "--to", tmp_path / "d.html")
    assert "3 of 9 changed rows" in err
    assert "3 of 9 changed rows are in this file, 6 are not." in (tmp_path / "d.html").read_text()


def test_people_get_the_fields_and_the_first_rows(left, right):
    code, text, _ = called("diff", left, right)
    assert code == 1
    assert "rows   6: 1 the same, 3 changed, 1 only left, 1 only right" in text
    assert "  lines[1].amount / lines[0].amount: '38.00' → '39.00'" in text
    assert "only right: new" in text
    assert "\u202e" not in text


def test_the_page_is_whole_in_itself_and_runs_nothing_that_a_document_says(tmp_path, left, right):
    target = tmp_path / "d.html"
    assert called("diff", left, right, "--to", target)[0] == 1
    text = target.read_text()
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "default-src 'none'" in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert " style=" not in text
    assert {'data-kinds="f0 f1"', 'data-kinds="outcome"'} <= set(re.findall(r'data-kinds="[^"]*"', text))
    assert not list(tmp_path.glob("*.tmp"))


def test_a_page_that_cannot_be_written_says_so(tmp_path, left, right):
    code, _, err = called("diff", left, right, "--to", tmp_path / "no" / "d.html")
    assert code == 2
    assert "cannot be written" in err


def test_lines_of_chunks_are_paired_by_their_numbers(tmp_path, left):
    schema = pa.schema([*SCHEMA, ("chunk", pa.int32())])
    one = output(tmp_path / "l", [row("a", chunk=0), row("a", chunk=1)], schema)
    other = output(tmp_path / "r", [row("a", chunk=0), row("a", {**FULL, "name": "x"}, chunk=1)], schema)
    (change,) = told(one, other)["changes"]
    assert (change["id"], change["chunk"]) == ("a", 1)
    code, _, err = called("diff", one, left)
    assert code == 2
    assert "a line for each chunk" in err


@pytest.mark.parametrize(
    ("which", "said"), [("nowhere", "no such job file or folder"), ("empty", "no results.parquet")]
)
@pytest.mark.parametrize("first", [True, False])
def test_a_folder_without_results_is_refused(tmp_path, left, which, said, first):
    (tmp_path / "empty").mkdir()
    code, _, err = called("diff", *([tmp_path / which, left] if first else [left, tmp_path / which]))
    assert code == 2
    assert said in err


def test_a_file_that_is_damaged_is_named(tmp_path, left):
    (tmp_path / "bad").mkdir()
    whole = (left / "results.parquet").read_bytes()
    (tmp_path / "bad" / "results.parquet").write_bytes(whole[: len(whole) // 2])
    code, _, err = called("diff", left, tmp_path / "bad")
    assert code == 2
    assert "bad/results.parquet: cannot be read" in err
    assert called("eval", tmp_path / "bad", "--golden", answers(tmp_path / "g.jsonl", {"a": FULL}))[0] == 2
