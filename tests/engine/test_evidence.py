"""A row's record against its document: what is asked for once more, with what words, and where the row ends."""

import json

import pytest
from virtual_time import run as in_virtual_time

from pipeline.codes import ErrorCode, Status
from pipeline.engine.ask import RowFailed, TooLong
from pipeline.engine.feed import RowTask
from pipeline.engine.row import Extraction
from pipeline.extraction.prepare import prepare
from pipeline.job.file import resolve
from pipeline.ledger.records import StoredAnswer
from pipeline.parts import text_parts
from pipeline.schema.arrow import RecordColumn
from pipeline.text import DOUBT, WHERE
from pipeline.types import Answer, Chunk, Purpose, Reading, Row, Stop, Usage

SCHEMA = """
from datetime import date

from pydantic import BaseModel


class Bill(BaseModel):
    seller: str
    total: float
    due: date | None = None
    paid: bool = False
    codes: list[str] = []
"""
TEXT = "Bill of the Blue Mill\nto be paid by the 3rd of the fifth month of 2026\ntotal due: 1.234,50 EUR\n"
GOOD = {"seller": "Blue Mill", "total": 1234.5}
WRONG = {"seller": "Red Mill", "total": 99.25}
HALF = {"seller": "Blue Mill", "total": 99.25}


class Asked:
    """An `Ask` that answers by kind; `extract` by chunk, each is answered once."""

    def __init__(self, **answers):
        self.answers = {kind: list(told) if isinstance(told, list) else [told] for kind, told in answers.items()}
        self.requests = []
        self.stored = {}

    def now_s(self):
        return 0.0

    async def ask(self, request, life, reusable):  # noqa: ARG002 (as an Ask is called)
        kind = "where" if request.free_text else str(request.purpose)
        self.requests.append((kind, request))
        if kind in self.stored and reusable(StoredAnswer(self.stored[kind], 1, 2)):
            return self.stored[kind]
        found = self.answers[kind].pop(0)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Answer) else reply(found)

    @property
    def kinds(self):
        return [kind for kind, _ in self.requests]


def reply(what, stop=Stop.DONE):
    return Answer(what if isinstance(what, str) else json.dumps(what), stop, "stop", Usage(10, 0, 0, 5), "m-1")


@pytest.fixture(scope="module")
def prepared_as(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    (folder / "bills.py").write_text(SCHEMA)
    (folder / "in.jsonl").write_text('{"text": "alpha"}\n')

    def made(**extract):
        job = {
            "input": {"path": "in.jsonl"},
            "extract": {"schema": "bills.py:Bill", **extract},
            "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100},
            "output": {"path": "out"},
        }
        return prepare(resolve(job, folder / "job.toml"))

    return made


def ended(prepared, ask, texts=(TEXT,), *, stale_session=0, reading=None):
    chunks, start = [], 0
    for number, text in enumerate(texts):
        chunks.append(Chunk(number, start, start + len(text), text_parts(text), 5))
        start += len(text)
    row = Row(0, "r0", text_parts("".join(texts)), None, {}, reading=reading)
    extraction = Extraction(prepared, ask, RecordColumn(prepared.model))
    return in_virtual_time(extraction.outcome(RowTask(row, b"d" * 16, chunks, stale_session)))


def statuses(outcome):
    return {one.path: one.status for found in outcome.evidence for one in found}


def test_without_it_nothing_is_looked_for(prepared_as):
    outcome = ended(prepared_as(), Asked(extract=GOOD))
    assert (outcome.evidence, outcome.text) == (None, None)


def test_values_are_found_in_the_rows_text_with_no_call_more(prepared_as):
    ask = Asked(extract=WRONG | {"seller": "Blue Mill"})
    outcome = ended(prepared_as(evidence="align", keep_text=True), ask)
    assert statuses(outcome) == {"seller": "exact", "total": "not_found", "paid": "inferred"}
    seller = outcome.evidence[0][0]
    assert outcome.text[seller.start : seller.end] == seller.quote == "Blue Mill"
    assert (seller.chunk, seller.page, seller.places, seller.source) == (0, None, 1, "text")
    assert (outcome.status, ask.kinds) == (Status.OK, ["extract"])


def test_a_record_that_is_too_little_grounded_is_repaired_with_the_paths_named(prepared_as):
    ask = Asked(extract=WRONG, repair=GOOD)
    outcome = ended(prepared_as(min_grounded=0.8), ask)
    said = ask.requests[1][1].turns[-1].text
    assert said.startswith(DOUBT)
    assert '- seller = "Red Mill"\n- total = 99.25\n' in said
    assert (outcome.status, outcome.repaired) == (Status.OK, True)
    assert statuses(outcome) == {"seller": "exact", "total": "normalised", "paid": "inferred"}


@pytest.mark.parametrize(
    "second",
    [WRONG, reply("no JSON"), reply('{"se', Stop.TRUNCATED), TooLong("too long"), reply("no", Stop.REFUSED)],
    ids=["as wrong", "no record", "cut off", "too long", "refused"],
)
def test_one_that_stays_so_fails_as_ungrounded(prepared_as, second):
    ask = Asked(extract=WRONG, repair=second)
    outcome = ended(prepared_as(min_grounded=0.8), ask)
    assert (outcome.status, outcome.error_code) == (Status.FAILED, ErrorCode.UNGROUNDED)
    assert outcome.error == (
        "0% of its values stand in the document, and extract.min_grounded = 0.8: not found "
        'seller = "Red Mill", total = 99.25'
    )
    assert ask.kinds == ["extract", "repair"]


def test_what_was_repaired_already_is_not_repaired_again(prepared_as):
    ask = Asked(extract="no JSON", repair=WRONG)
    assert ended(prepared_as(min_grounded=0.8), ask).error_code == ErrorCode.UNGROUNDED
    assert ask.kinds == ["extract", "repair"]


def test_the_share_itself_is_enough(prepared_as):
    ask = Asked(extract=HALF)
    assert ended(prepared_as(min_grounded=0.5), ask).status is Status.OK
    assert ask.kinds == ["extract"]


def test_a_document_without_a_text_cannot_be_verified_and_is_never_below(prepared_as):
    ask = Asked(extract=WRONG)
    outcome = ended(prepared_as(min_grounded=1.0), ask, reading=Reading("", whole=False))
    assert statuses(outcome) == {"seller": "unverifiable", "total": "unverifiable", "paid": "inferred"}
    assert (outcome.status, ask.kinds) == (Status.OK, ["extract"])


def test_only_the_chunk_that_says_what_it_does_not_is_repaired(prepared_as):
    ask = Asked(extract=[GOOD, WRONG | {"codes": ["K-77"]}], repair={"seller": "Blue Mill", "total": 7.25})
    outcome = ended(prepared_as(min_grounded=1.0, merge="auto"), ask, (TEXT, "Blue Mill, rest: 7.25\n"))
    assert [request.chunk for kind, request in ask.requests if kind == "repair"] == [1]
    assert outcome.status is Status.OK


def test_records_of_chunks_are_looked_for_in_their_own_chunk(prepared_as):
    ask = Asked(extract=[GOOD, GOOD])
    outcome = ended(prepared_as(evidence="align", merge="none"), ask, (TEXT, "Blue Mill, rest: 7.25\n"))
    first, second = outcome.evidence
    assert [one.status for one in first[:2]] == ["exact", "normalised"]
    assert [one.status for one in second[:2]] == ["exact", "not_found"]
    assert (second[0].start, second[0].chunk) == (len(TEXT), 1)


def test_pages_are_told_by_where_a_value_stands(prepared_as):
    reading = Reading(f"A letter.\f{TEXT}\fBlue", by_eye=(2,))
    outcome = ended(prepared_as(evidence="align"), Asked(extract=GOOD), reading=reading)
    assert [(one.page, one.source) for one in outcome.evidence[0][:2]] == [(2, "ocr")] * 2
    assert outcome.evidence[0][0].status == "normalised"


# ── asking where ────────────────────────────────────────────────────────────────────────────────────────────────────

ODD = {"seller": "Mill of the Blues", "total": 1234.5, "due": "2026-05-03"}
ODD_TEXT = "Bill of the Mill, the blue one\ntotal due: 1.234,50 EUR\n"


def test_required_values_that_are_not_found_are_asked_for_once_and_looked_at(prepared_as):
    ask = Asked(extract=ODD, where="1: 1")
    outcome = ended(prepared_as(evidence="ask"), ask, (ODD_TEXT,))
    question = ask.requests[1][1]
    said = question.turns[0].text
    assert "1| Bill of the Mill, the blue one\n2| total due: 1.234,50 EUR" in said
    assert f"{WHERE}\n1. seller = Mill of the Blues\n\n" in said, "what is not required is not asked for"
    assert question.purpose is Purpose.EXTRACT
    seller = outcome.evidence[0][0]
    assert (seller.status, seller.quote) == ("quoted", "of the Mill, the")
    assert ODD_TEXT[seller.start : seller.end] == seller.quote
    assert ask.kinds == ["extract", "where"]


@pytest.mark.parametrize("answer", ["1: 2", "1: 0", "1: 99", "7: 1", "", "I do not know.", RowFailed("timeout", "x")])
def test_a_line_that_does_not_say_it_is_not_believed(prepared_as, answer):
    outcome = ended(prepared_as(evidence="ask"), Asked(extract=ODD | {"seller": "Rosewood"}, where=answer), (ODD_TEXT,))
    assert statuses(outcome)["seller"] == "not_found"
    assert outcome.status is Status.OK


def test_nothing_is_asked_where_all_that_is_required_was_found(prepared_as):
    ask = Asked(extract=GOOD | {"due": "2026-05-04"})
    ended(prepared_as(evidence="ask"), ask)
    assert ask.kinds == ["extract"]


def test_what_was_named_counts_and_stays_named_after_a_repair(prepared_as):
    ask = Asked(extract=ODD | {"total": 5.5}, where="1: 1\n2: 0", repair=ODD | {"due": None})
    outcome = ended(prepared_as(evidence="ask", min_grounded=1.0), ask, (ODD_TEXT,))
    assert ask.kinds == ["extract", "where", "repair"]
    assert statuses(outcome) == {"seller": "quoted", "total": "normalised", "paid": "inferred"}


# ── a retry ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_asks_anew_for_what_was_ungrounded_and_takes_what_was_not(prepared_as):
    prepared = prepared_as(min_grounded=0.8)
    anew = Asked(extract=GOOD)
    anew.stored = {"extract": reply(WRONG)}
    assert ended(prepared, anew, stale_session=3).status is Status.OK
    assert anew.answers["extract"] == []
    kept = Asked(extract=WRONG)
    kept.stored = {"extract": reply(GOOD)}
    assert ended(prepared, kept, stale_session=3).status is Status.OK
    assert len(kept.answers["extract"]) == 1
