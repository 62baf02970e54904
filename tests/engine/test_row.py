"""A row's life, step by step: what is asked after which answer, and where the row ends.

A script answers each request by what it is: why it is asked, of which chunk, and under which cap.
"""

import asyncio
import json
from dataclasses import dataclass, field
from functools import cache

import pytest
from virtual_time import run as in_virtual_time

from pipeline.admission.gate import TenantOverBudget
from pipeline.admission.stop import Stopped
from pipeline.codes import AnswerFrom, ErrorCode, ParkReason, Status
from pipeline.engine.ask import Abandoned, RowFailed, TooLong
from pipeline.engine.feed import RowTask
from pipeline.engine.row import Extraction
from pipeline.extraction.context import SUMMARY_HEAD
from pipeline.extraction.prepare import prepare
from pipeline.extraction.requests import NORMALISE
from pipeline.job.file import resolve
from pipeline.ledger.records import StoredAnswer
from pipeline.parts import text_parts
from pipeline.schema.arrow import RecordColumn
from pipeline.types import Answer, Chunk, Outcome, Purpose, Row, Stop, Usage

DOC = b"d" * 16
THIS_SESSION, STALE = 5, 3  # a retry that replaces what was bad in session 3 or before
LARGEST = 2**63 - 1  # of what Arrow's integers hold
SCHEMA = """
from decimal import Decimal

from pydantic import BaseModel, Field, field_validator, model_validator


class Thing(BaseModel):
    name: str | None = None
    total: int | None = None
    tags: list[str] = []


class Few(Thing):
    tags: list[str] = Field([], max_length=2)


class Summed(Thing):
    @classmethod
    def merge_chunks(cls, records):
        return cls(total=sum(record.total for record in records))


class Counted(Thing):
    @model_validator(mode="after")
    def _adds_up(self):
        if self.total is not None and self.total != len(self.tags):
            raise ValueError("does not add up")
        return self


class Rate(BaseModel):
    rate: Decimal


class Emptied(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def _none(cls, name):
        return None
"""


@pytest.fixture(scope="module")
def prepared_as(tmp_path_factory):
    """The job that a case's settings make; a schema is loaded once for all cases that share them."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "things.py").write_text(SCHEMA)
    (folder / "in.jsonl").write_text('{"text": "alpha"}\n')

    @cache
    def made(schema, settings):
        job = {
            "input": {"path": "in.jsonl"},
            "extract": {"schema": f"things.py:{schema}", "prompt": "Read <{text}>"},
            "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100},
            "output": {"path": "out"},
        }
        for dotted, value in settings:
            section, key = dotted.split(".")
            job[section] = {**job.get(section, {}), key: value}
        return prepare(resolve(job, folder / "job.toml"))

    return lambda schema, settings: made(schema, tuple(settings.items()))


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def reply(text, stop=Stop.DONE, finish="stop"):
    return Answer(text, stop, finish, Usage(10, 0, 0, 5), "m-1")


def ok(**fields):
    return reply(json.dumps(thing(**fields)))


def thing(**fields):
    return {"name": None, "total": None, "tags": [], **fields}


BAD = reply('{"total": "many"}')
CUT = reply('{"na', Stop.TRUNCATED, "length")
THOUGHT = Answer("", Stop.TRUNCATED, "length", Usage(10, 0, 0, 2048, 2048), "m-1")
REFUSED = reply("I would rather not.", Stop.REFUSED, "refusal")
BLOCKED = reply("", Stop.BLOCKED, "content_filter")
LONG = TooLong("context_exceeded: 9,000 tokens are too many (HTTP 400)")
INVALID = RowFailed(ErrorCode.INVALID_REQUEST, "invalid_request: no (HTTP 400)")


@dataclass(frozen=True)
class After:
    """An answer that takes its seconds; all others take one."""

    seconds: float
    what: object


@dataclass(frozen=True)
class Queued:
    """One that leaves only after these seconds, if its row still wants it."""

    seconds: float
    what: object = None


@dataclass(frozen=True)
class Kept:
    """One on record: of this run or an earlier one. `anew` answers where it is not good enough."""

    what: Answer
    session: int
    source: AnswerFrom = AnswerFrom.LEDGER
    anew: object = None


class Script:
    """An `Ask` that answers by the names of requests; each is answered once."""

    def __init__(self, plan, answers):
        self._plan = plan
        self._answers = dict(answers)
        self._loop = asyncio.get_running_loop()
        self.asked = []  # names, in order
        self.sent = []  # of those, what left
        self.requests = {}
        self.dropped = []  # what was no longer wanted when its turn came
        self.lives = []

    def now_s(self):
        return self._loop.time()

    def _named(self, request):
        if request.purpose is Purpose.REPAIR:
            what = "repair"
        elif request.free_text:
            what = "read" if request.system == self._plan.reading_system else "summary"
        else:
            what = "normalise" if request.turns[0].text.startswith(NORMALISE) else "extract"
        return f"{what} {request.chunk} @{request.max_output_tokens}"

    async def ask(self, request, life, reusable):
        name = self._named(request)
        self.asked.append(name)
        self.requests[name] = request
        self.lives.append(life)
        found = self._answers.pop(name)
        if isinstance(found, Kept):
            if reusable(StoredAnswer(found.what, 1, found.session)):
                life.sources.add(found.source)
                return found.what
            found = found.anew
        return await self._sent(name, found, life)

    async def _sent(self, name, found, life):
        seconds = 1.0
        if isinstance(found, Queued):
            await asyncio.sleep(found.seconds)
            if not life.alive:
                self.dropped.append(name)
                raise Abandoned
            found = found.what
        if isinstance(found, After):
            seconds, found = found.seconds, found.what
        self.sent.append(name)
        if life.first_sent_s is None:
            life.first_sent_s = self.now_s()
        await asyncio.sleep(seconds)
        if isinstance(found, Exception):
            raise found
        life.sources.add(AnswerFrom.CALL)
        return found


# ── one row ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Case:
    """`script`: the requests in the order that they are asked in, with what each is answered. `ends`: the outcome."""

    name: str
    script: dict
    ends: dict
    texts: tuple = ("alpha",)  # of the chunks
    schema: str = "Thing"
    job: dict = field(default_factory=dict)


def work_of(texts, stale_session=0):
    chunks, start = [], 0
    for number, text in enumerate(texts):
        chunks.append(Chunk(number, start, start + len(text), text_parts(text), 5))
        start += len(text)
    return RowTask(Row(0, "r0", text_parts("".join(texts)), None, {}), DOC, chunks, stale_session)


def carried(prepared, script, texts, stale_session=0):
    """The outcome of one row, and what was asked for it."""

    async def scenario():
        ask = Script(prepared.plan, script)
        extraction = Extraction(prepared, ask, RecordColumn(prepared.model))
        return await extraction.outcome(work_of(texts, stale_session)), ask

    return in_virtual_time(scenario())


def failed(code, error, **more):
    return {"status": Status.FAILED, "error_code": code, "error": error, **more}


def silent(code, error):
    """Ended by what is no answer: it has neither a finish reason nor a version of the model."""
    return failed(code, error, finish_reason=None, model_version=None)


def records(*found, **more):
    return {"records": [thing(**one) for one in found], **more}


TWO, THREE = ("alpha", "beta"), ("alpha", "beta", "gamma")
HALVES = "one two three four"  # can be cut
E0, E1, E2 = "extract 0 @100", "extract 1 @100", "extract 2 @100"
TRUNCATED = "the answer hit its cap of {} output tokens, and a higher cap did not help"

ONE_CHUNK = [
    Case("ok", {E0: ok(name="a")}, records({"name": "a"})),
    Case("repaired", {E0: BAD, "repair 0 @100": ok(name="a")}, records({"name": "a"}, repaired=True)),
    Case(
        "invalid-twice",
        {E0: BAD, "repair 0 @100": reply("no JSON")},
        failed(ErrorCode.INVALID_OUTPUT, "Invalid JSON"),
    ),
    Case(
        "cannot-be-stored-then-repaired",
        {E0: ok(total=LARGEST + 1), "repair 0 @100": ok(total=LARGEST)},
        records({"total": LARGEST}, repaired=True),
    ),
    Case(
        "cannot-be-stored-twice",
        {E0: ok(total=LARGEST + 1), "repair 0 @100": ok(total=LARGEST + 2)},
        failed(ErrorCode.INVALID_OUTPUT, "the record cannot be stored"),
    ),
    Case(
        "more-digits-than-its-column",
        {E0: reply('{"rate": "0.12345678901"}')},  # a repair could only leave some out
        failed(
            ErrorCode.INVALID_OUTPUT, "cannot be stored: rate: 0.12345678901 has more digits than decimal128(38, 9)"
        ),
        schema="Rate",
    ),
    Case(
        "null-that-a-validator-made",
        {E0: reply('{"name": "a"}')},
        failed(ErrorCode.INVALID_OUTPUT, "cannot be stored: name is null, which the schema does not allow"),
        schema="Emptied",
    ),
    Case(
        "a-whole-that-does-not-add-up-then-repaired",
        {E0: ok(total=2), "repair 0 @100": ok(total=1, tags=["x"])},
        records({"total": 1, "tags": ["x"]}, repaired=True),
        schema="Counted",
    ),
    Case("raised-cap", {E0: CUT, "extract 0 @200": ok(name="a")}, records({"name": "a"})),
    Case("truncated-twice", {E0: CUT, "extract 0 @200": CUT}, failed(ErrorCode.TRUNCATED, TRUNCATED.format(200))),
    Case(
        "cut-off-while-thinking-twice",
        {E0: CUT, "extract 0 @200": THOUGHT},
        failed(
            ErrorCode.TRUNCATED,
            "2,048 tokens of reasoning, no answer: lower model.reasoning or raise model.max_output_tokens",
        ),
    ),
    Case(
        "cut-off-after-long-thinking-twice",
        {E0: CUT, "extract 0 @200": Answer(CUT.text, CUT.stop, "length", Usage(10, 0, 0, 200, 190), "m-1")},
        failed(ErrorCode.TRUNCATED, "190 tokens of it were reasoning: a lower model.reasoning leaves more"),
    ),
    Case("cut-off-while-thinking", {E0: THOUGHT, "extract 0 @200": ok(name="a")}, records({"name": "a"})),
    Case(
        "cap-at-the-model-s-most",
        {"extract 0 @16384": CUT},
        failed(ErrorCode.TRUNCATED, TRUNCATED.format("16384")),
        job={"model.max_output_tokens": 16384},
    ),
    Case(
        "cap-raised-to-the-model-s-most",
        {"extract 0 @10000": CUT, "extract 0 @16384": ok(name="a")},
        records({"name": "a"}),
        job={"model.max_output_tokens": 10000},
    ),
    Case(
        "raised-cap-then-repaired",
        {E0: CUT, "extract 0 @200": BAD, "repair 0 @200": ok(name="a")},
        records({"name": "a"}, repaired=True),
    ),
    Case(
        "repaired-with-a-raised-cap",
        {E0: BAD, "repair 0 @100": CUT, "repair 0 @200": ok(name="a")},
        records({"name": "a"}, repaired=True),
    ),
    Case(
        "every-remedy-once",
        {E0: BAD, "repair 0 @100": CUT, "repair 0 @200": BAD},
        failed(ErrorCode.INVALID_OUTPUT, "total: Input should be a valid integer"),
    ),
    Case(
        "refused",
        {E0: REFUSED},
        failed(ErrorCode.REFUSED, "the model declined: I would rather not.", finish_reason="refusal"),
    ),
    Case(
        "refused-when-repairing",
        {E0: BAD, "repair 0 @100": REFUSED},
        failed(ErrorCode.REFUSED, "the model declined", finish_reason="refusal"),
    ),
    Case(
        "blocked",
        {E0: BLOCKED},
        failed(
            ErrorCode.BLOCKED, "a content filter stopped the answer (content_filter)", finish_reason="content_filter"
        ),
    ),
    Case("no-answer", {E0: INVALID}, silent(ErrorCode.INVALID_REQUEST, "invalid_request: no (HTTP 400)")),
]
CHUNKS = [
    Case(
        "auto",
        {E0: ok(name="a", total=1, tags=["x"]), E1: ok(name="b", total=1, tags=["x"])},
        records({"name": "a", "total": 1, "tags": ["x", "x"]}, conflicts=("name",), chunks=2),
        TWO,
    ),
    Case(
        "auto-overlapping",
        {E0: ok(tags=["x"]), E1: ok(total=2, tags=["x", "y"])},
        records({"total": 2, "tags": ["x", "y"]}, chunks=2),
        TWO,
        job={"chunks.max_tokens": 50, "chunks.overlap_tokens": 5},
    ),
    Case(
        "first",
        {E0: ok(name="a"), E1: ok(name="b", total=1)},
        records({"name": "a"}, chunks=2),
        TWO,
        job={"extract.merge": "first"},
    ),
    Case(
        "none",
        {E0: ok(name="a"), E1: ok(name="b"), E2: ok()},
        records({"name": "a"}, {"name": "b"}, {}, chunks=3),
        THREE,
        job={"extract.merge": "none"},
    ),
    Case(
        "concat",
        {E0: ok(name="a", tags=["x"]), E1: ok(name="b", tags=["y"])},
        records({"name": "a", "tags": ["x", "y"]}, chunks=2),
        TWO,
        job={"extract.merge": "concat"},
    ),
    Case(
        "in-order-of-the-text",
        {E0: After(3, ok(tags=["x"])), E1: After(2, ok(tags=["y"])), E2: reply('{"tags": ["z"]}', finish="end")},
        records({"tags": ["x", "y", "z"]}, chunks=3, finish_reason="end"),
        THREE,
    ),
    Case(
        "one-of-them-repaired",
        {E0: BAD, E1: ok(total=2), "repair 0 @100": ok(name="a")},
        records({"name": "a", "total": 2}, chunks=2, repaired=True),
        TWO,
    ),
    Case(
        "merged-does-not-fit-the-schema",
        {E0: ok(tags=["x", "y"]), E1: ok(tags=["z"])},
        failed(ErrorCode.INVALID_OUTPUT, "merged record: tags: List should have at most 2 items", chunks=2),
        TWO,
        schema="Few",
    ),
    Case(
        "merged-by-the-schema-s-own-way",
        {E0: ok(total=40), E1: ok(total=2)},
        records({"total": 42}, chunks=2),
        TWO,
        schema="Summed",
    ),
    Case(
        "merged-cannot-be-stored",
        {E0: ok(total=LARGEST), E1: BAD, "repair 1 @100": ok(total=1)},
        failed(ErrorCode.INVALID_OUTPUT, "merged record: the record cannot be stored: ", chunks=2, repaired=True),
        TWO,
        schema="Summed",
    ),
    Case(
        "what-holds-of-the-whole-is-asked-of-the-merged-record",
        {E0: ok(total=3, tags=["x"]), E1: BAD, "repair 1 @100": ok(tags=["y", "z"])},
        records({"total": 3, "tags": ["x", "y", "z"]}, chunks=2, repaired=True),
        TWO,
        schema="Counted",
    ),
    Case(
        "merged-does-not-add-up",
        {E0: ok(total=3, tags=["x"]), E1: ok(tags=["y"])},
        failed(ErrorCode.INVALID_OUTPUT, "merged record: the record: Value error, does not add up", chunks=2),
        TWO,
        schema="Counted",
    ),
    *(
        Case(
            f"not-merged-and-so-whole-{rule}",
            {E0: ok(total=1), E1: ok(), "repair 0 @100": ok(total=1, tags=["x"])},
            records({"total": 1, "tags": ["x"]}, *([{}] if rule == "none" else []), chunks=2, repaired=True),
            TWO,
            schema="Counted",
            job={"extract.merge": rule},
        )
        for rule in ("first", "none")
    ),
    Case(
        "first-failure-in-order",
        {E0: After(5, REFUSED), E1: INVALID, E2: BLOCKED},
        failed(ErrorCode.REFUSED, "the model declined", finish_reason="refusal", chunks=3),
        THREE,
    ),
]
TOO_LONG = [
    Case(
        "halves",
        {E0: LONG, E1: ok(tags=["x"]), E2: ok(tags=["y"])},
        records({"tags": ["x", "y"]}, chunks=2),
        (HALVES,),
    ),
    Case(
        "halves-between-chunks",
        {E0: ok(tags=["w"]), E1: LONG, E2: ok(tags=["z"]), "extract 3 @100": ok(tags=["x"]), "extract 4 @100": ok()},
        records({"tags": ["w", "x", "z"]}, chunks=4),
        ("alpha", HALVES, "gamma"),
    ),
    Case(
        "two-chunks-in-halves",
        {
            E0: LONG,
            E1: After(2, LONG),
            **{f"extract {number} @100": ok(tags=[str(number)]) for number in (2, 3, 4, 5)},
        },
        records({"tags": ["2", "3", "4", "5"]}, chunks=4),
        (HALVES, HALVES),
    ),
    Case("twice", {E0: LONG, E1: LONG, E2: ok()}, silent(ErrorCode.CONTEXT_EXCEEDED, "9,000 tokens"), (HALVES,)),
    Case("cannot-be-cut", {E0: LONG}, silent(ErrorCode.CONTEXT_EXCEEDED, "9,000 tokens"), ("a",)),
    Case(
        "when-repairing",
        {E0: BAD, "repair 0 @100": LONG},
        silent(ErrorCode.CONTEXT_EXCEEDED, "9,000 tokens"),
        (HALVES,),
    ),
    Case(
        "with-a-raised-cap",
        {E0: CUT, "extract 0 @200": LONG, E1: ok(name="a"), E2: ok()},
        records({"name": "a"}, chunks=2),
        (HALVES,),
    ),
    Case(
        "a-half-repaired",
        {E0: LONG, E1: BAD, E2: ok(total=2), "repair 1 @100": ok(name="a")},
        records({"name": "a", "total": 2}, chunks=2, repaired=True),
        (HALVES,),
    ),
    Case(
        "a-half-failed",
        {E0: LONG, E1: ok(), E2: REFUSED},
        failed(ErrorCode.REFUSED, "the model declined", finish_reason="refusal"),
        (HALVES,),
    ),
]
READ0, NORM0 = "read 0 @100", "normalise 0 @100"
NOTES = reply("It is of Ada.")
TWO_STEP = {"extract.mode": "two_step"}
READING = [
    Case("ok", {READ0: NOTES, NORM0: ok(name="a")}, records({"name": "a"}), job=TWO_STEP),
    Case(
        "chunks-side-by-side",
        {READ0: After(2, NOTES), "read 1 @100": NOTES, "normalise 1 @100": ok(total=2), NORM0: ok(name="a")},
        records({"name": "a", "total": 2}, chunks=2),
        TWO,
        job=TWO_STEP,
    ),
    Case(
        "truncated-then-read",
        {READ0: CUT, "read 0 @200": NOTES, NORM0: ok(name="a")},
        records({"name": "a"}),
        job=TWO_STEP,
    ),
    Case(
        "truncated-twice",
        {READ0: CUT, "read 0 @200": CUT},
        failed(ErrorCode.TRUNCATED, TRUNCATED.format(200), finish_reason="length"),
        job=TWO_STEP,
    ),
    Case(
        "truncated-at-the-model-s-most",
        {"read 0 @16384": CUT},
        failed(ErrorCode.TRUNCATED, TRUNCATED.format(16384), finish_reason="length"),
        job={**TWO_STEP, "model.max_output_tokens": 16384},
    ),
    Case(
        "refused",
        {READ0: REFUSED},
        failed(ErrorCode.REFUSED, "the model declined: I would", finish_reason="refusal"),
        job=TWO_STEP,
    ),
    Case(
        "blocked",
        {READ0: BLOCKED},
        failed(ErrorCode.BLOCKED, "a content filter stopped", finish_reason="content_filter"),
        job=TWO_STEP,
    ),
    Case(
        "normalised-twice-and-read-once",
        {READ0: NOTES, NORM0: BAD, "repair 0 @100": ok(name="a")},
        records({"name": "a"}, repaired=True),
        job=TWO_STEP,
    ),
    Case(
        "normalised-with-a-raised-cap",
        {READ0: NOTES, NORM0: CUT, "normalise 0 @200": ok(name="a")},
        records({"name": "a"}),
        job=TWO_STEP,
    ),
    Case(
        "too-long-to-read",
        {
            READ0: LONG,
            "read 1 @100": NOTES,
            "read 2 @100": After(2, reply("Its total is 2.")),
            "normalise 1 @100": ok(name="a"),
            "normalise 2 @100": ok(total=2),
        },
        records({"name": "a", "total": 2}, chunks=2),
        (HALVES,),
        job=TWO_STEP,
    ),
]
ROLLING = {"chunks.context": "rolling"}
S0, S1 = "summary 0 @512", "summary 1 @512"
SUMMARIES = [
    Case("one-chunk-needs-none", {E0: ok(name="a")}, records({"name": "a"}), job=ROLLING),
    Case(
        "one-after-the-other",
        {E0: ok(name="a"), S0: reply(" So far. \n"), E1: ok(), S1: reply("And then."), E2: ok(total=3)},
        records({"name": "a", "total": 3}, chunks=3),
        THREE,
        job=ROLLING,
    ),
    Case(
        "cut-off-is-still-a-summary",
        {E0: ok(), S0: reply("So f", Stop.TRUNCATED, "length"), E1: ok(name="b")},
        records({"name": "b"}, chunks=2),
        TWO,
        job=ROLLING,
    ),
    Case(
        "refused",
        {E0: ok(), S0: REFUSED},
        failed(ErrorCode.REFUSED, "the model declined: I would", finish_reason="refusal", chunks=2),
        TWO,
        job=ROLLING,
    ),
    Case(
        "too-long",
        {E0: ok(), S0: LONG},
        silent(ErrorCode.CONTEXT_EXCEEDED, "the summary of a chunk: context_exceeded: 9,000 tokens") | {"chunks": 2},
        TWO,
        job=ROLLING,
    ),
    Case(
        "blocked",
        {E0: ok(), S0: BLOCKED},
        failed(ErrorCode.BLOCKED, "a content filter stopped", finish_reason="content_filter", chunks=2),
        TWO,
        job=ROLLING,
    ),
    Case(
        "nothing-is-asked-after-a-failure",
        {E0: REFUSED},
        failed(ErrorCode.REFUSED, "the model declined", finish_reason="refusal", chunks=3),
        THREE,
        job=ROLLING,
    ),
    Case(
        "halves-side-by-side",
        {E0: LONG, E2: ok(tags=["x"]), "extract 3 @100": ok(tags=["y"]), S0: reply("So far."), E1: ok(tags=["z"])},
        records({"tags": ["x", "y", "z"]}, chunks=3),
        (HALVES, "beta"),
        job=ROLLING,
    ),
    Case(
        "read-in-two-steps",
        {
            READ0: NOTES,
            NORM0: ok(name="a"),
            S0: reply("So far."),
            "read 1 @100": NOTES,
            "normalise 1 @100": ok(total=2),
        },
        records({"name": "a", "total": 2}, chunks=2),
        TWO,
        job={**ROLLING, **TWO_STEP},
    ),
]
GROUPS = {"": ONE_CHUNK, "chunks-": CHUNKS, "too-long-": TOO_LONG, "two-step-": READING, "rolling-": SUMMARIES}
CASES = [pytest.param(case, id=prefix + case.name) for prefix, group in GROUPS.items() for case in group]


@pytest.mark.parametrize("case", CASES)
def test_each_answer_is_followed_by_the_one_right_question_until_the_row_ends(case, prepared_as):
    """What is asked, in which order, of which chunk, under which cap; and all that the outcome says of it."""
    outcome, ask = carried(prepared_as(case.schema, case.job), case.script, case.texts)
    assert ask.asked == list(case.script)
    last = [found for found in map(bare, case.script.values()) if isinstance(found, Answer)]
    expected = {
        "status": Status.OK,
        "records": [],
        "finish_reason": last[-1].finish_reason if last else None,
        "model_version": "m-1",
        "answer_from": AnswerFrom.CALL,
        **case.ends,
    }
    told = expected.pop("error", None)
    expected = Outcome(doc=DOC, row=0, latency_ms=outcome.latency_ms, error=outcome.error, **expected)
    found = [json.loads(record) for record in outcome.records]
    assert (told in outcome.error) if told else outcome.error is None
    assert found == expected.records
    assert as_said(outcome) == as_said(expected)


def bare(found):
    return found.what if isinstance(found, After) else found


def as_said(outcome):
    return {name: getattr(outcome, name) for name in outcome.__struct_fields__ if name != "records"}


# ── what a question holds ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_repair_shows_the_model_its_answer_and_what_is_wrong_with_it(prepared_as):
    """And is as much the same question as can be."""
    _, ask = carried(prepared_as("Thing", {}), {E0: BAD, "repair 0 @100": ok()}, ("alpha",))
    (asked, answered, told), first = ask.requests["repair 0 @100"].turns, ask.requests[E0]
    assert ((asked,), answered.text) == (first.turns, BAD.text)
    assert "total: Input should be a valid integer" in told.text


def test_the_halves_of_a_chunk_hold_all_of_its_text(prepared_as):
    """In order, and numbered after the row's own chunks, so that no two requests of a row share a number."""
    script = {E0: ok(), E1: LONG, E2: ok(), "extract 3 @100": ok()}
    _, ask = carried(prepared_as("Thing", {}), script, ("alpha", HALVES))
    halves = [ask.requests[name].turns[0].text.removeprefix("Read <").removesuffix(">") for name in ask.asked[2:]]
    assert len(halves) == 2
    assert "".join(halves) == HALVES


def test_what_was_read_and_not_the_document_is_normalised(prepared_as):
    """The second of two steps sees the notes of the first, and is counted by them."""
    prepared = prepared_as("Thing", TWO_STEP)
    _, ask = carried(prepared, {READ0: NOTES, NORM0: ok()}, ("alpha",))
    assert "alpha" in ask.requests[READ0].turns[0].text
    assert ask.requests[NORM0].turns[0].text == NORMALISE + NOTES.text
    assert ask.requests[NORM0].input_tokens == prepared.plan.fixed_tokens + prepared.counter.count(NOTES.text)


def test_the_summary_of_a_chunk_goes_with_the_next_and_is_carried_on(prepared_as):
    """Nothing goes with the first; the second summary is made of the first and of the second chunk."""
    script = {E0: ok(), S0: reply(" So far. \n"), E1: ok(), S1: reply("And then."), E2: ok()}
    _, ask = carried(prepared_as("Thing", ROLLING), script, THREE)
    texts = {name: request.turns[0].text for name, request in ask.requests.items()}
    assert texts[E0] == "Read <alpha>"
    assert SUMMARY_HEAD not in texts[S0]
    assert texts[E1] == f"{SUMMARY_HEAD}So far.\n\nRead <beta>"
    assert texts[S1].startswith(f"{SUMMARY_HEAD}So far.\n\n")
    assert texts[S1].endswith("beta")
    assert texts[E2] == f"{SUMMARY_HEAD}And then.\n\nRead <gamma>"


# ── chunks of a row that fails ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("script", "code", "dropped"),
    [
        pytest.param({E0: REFUSED, E1: Queued(2), E2: Queued(3)}, ErrorCode.REFUSED, [E1, E2], id="the-first-fails"),
        pytest.param({E0: Queued(2), E1: Queued(3), E2: REFUSED}, ErrorCode.REFUSED, [E0, E1], id="the-last-fails"),
        pytest.param({E0: Queued(2), E1: INVALID, E2: After(5, REFUSED)}, ErrorCode.INVALID_REQUEST, [E0], id="two"),
        pytest.param({E0: Queued(0.5, ok()), E1: After(2, REFUSED), E2: ok()}, ErrorCode.REFUSED, [], id="too-late"),
        pytest.param(
            {E0: LONG, E1: Queued(9), E2: Queued(5), "extract 3 @100": REFUSED, "extract 4 @100": Queued(7)},
            ErrorCode.REFUSED,
            [E2, "extract 4 @100", E1],
            id="a-half-fails",
        ),
    ],
)
def test_a_chunk_that_fails_calls_off_what_its_row_has_not_sent(script, code, dropped, prepared_as):
    """It would be paid for nothing; what is on its way is waited for, and the first failure in order is the row's."""
    outcome, ask = carried(prepared_as("Thing", {}), script, (HALVES, "beta", "gamma"))
    assert (outcome.status, outcome.error_code, outcome.chunks) == (Status.FAILED, code, 3)
    assert ask.dropped == dropped
    assert len({id(life) for life in ask.lives}) == 1
    assert not ask.lives[0].alive


def test_a_row_that_is_well_stays_wanted(prepared_as):
    """A repair, a higher cap and smaller chunks are no failures."""
    script = {E0: BAD, E1: LONG, E2: CUT, "repair 0 @100": ok(), "extract 3 @100": ok(), "extract 4 @100": ok()}
    script |= {"extract 2 @200": ok()}
    outcome, ask = carried(prepared_as("Thing", {}), script, ("alpha", HALVES, "gamma"))
    assert outcome.status is Status.OK
    assert ask.lives[0].alive


STOPPED, OVER = Stopped(ParkReason.QUOTA, "the account is empty"), TenantOverBudget("t", "nothing left")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param({E0: STOPPED}, STOPPED, id="stopped"),
        pytest.param({E0: OVER}, OVER, id="over-budget"),
        pytest.param({E0: ok(), E1: STOPPED}, STOPPED, id="one-chunk-stopped"),
        pytest.param({E0: OVER, E1: ok()}, OVER, id="one-chunk-over-budget"),
        pytest.param({E0: OVER, E1: After(3, STOPPED)}, STOPPED, id="the-run-s-end-before-the-tenant-s"),
        pytest.param({E0: BAD, "repair 0 @100": STOPPED}, STOPPED, id="stopped-when-repairing"),
        pytest.param({E0: LONG, E1: ok(), E2: STOPPED}, STOPPED, id="a-half-stopped"),
    ],
)
def test_a_row_that_the_run_leaves_has_no_outcome(script, error, prepared_as):
    """It stays pending, for another day: the run's end and the tenant's are not the row's."""
    chunks = 2 if any(name == E1 for name in script) and script[E0] is not LONG else 1
    with pytest.raises(type(error)) as raised:
        carried(prepared_as("Thing", {}), script, (HALVES, "beta")[:chunks])
    assert raised.value is error


@pytest.mark.parametrize("end", [pytest.param(STOPPED, id="stopped"), pytest.param(OVER, id="over-budget")])
def test_a_failed_chunk_counts_for_more_than_the_end_of_the_run(end, prepared_as):
    """Nothing that comes later would make the row better."""
    outcome, _ = carried(prepared_as("Thing", {}), {E0: end, E1: REFUSED}, TWO)
    assert outcome.error_code is ErrorCode.REFUSED


def test_a_bug_is_not_taken_for_the_row_s_failure(prepared_as):
    """It comes out as it is, once the row's other chunks have ended."""
    with pytest.raises(ZeroDivisionError):
        carried(prepared_as("Thing", {}), {E0: ZeroDivisionError(), E1: ok()}, TWO)


# ── answers on record, and a retry ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kept", "taken"),
    [
        pytest.param({E0: Kept(ok(), STALE)}, True, id="good-and-stale"),
        pytest.param({E0: Kept(BAD, STALE, anew=ok())}, False, id="bad-and-stale"),
        pytest.param({E0: Kept(REFUSED, STALE, anew=ok())}, False, id="refused-and-stale"),
        pytest.param({E0: Kept(BLOCKED, STALE, anew=ok())}, False, id="blocked-and-stale"),
        pytest.param({E0: Kept(CUT, STALE - 1, anew=ok())}, False, id="truncated-and-staler"),
        pytest.param({E0: Kept(ok(total=LARGEST + 1), STALE, anew=ok())}, False, id="unstorable-and-stale"),
        pytest.param({E0: Kept(BAD, STALE + 1), "repair 0 @100": ok()}, True, id="bad-and-fresh"),
        pytest.param({E0: Kept(CUT, STALE + 1), "extract 0 @200": ok()}, True, id="truncated-and-fresh"),
    ],
)
def test_a_retry_asks_anew_for_what_was_bad_when_the_row_failed_and_for_nothing_else(kept, taken, prepared_as):
    """A bad answer of this very retry is taken, else a crash in its middle would pay for it twice."""
    outcome, ask = carried(prepared_as("Thing", {}), kept, ("alpha",), STALE)
    assert outcome.status is Status.OK
    assert (E0 not in ask.sent) == taken


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        pytest.param({READ0: Kept(NOTES, STALE), NORM0: ok()}, [NORM0], id="done"),
        pytest.param({READ0: Kept(CUT, STALE, anew=NOTES), NORM0: ok()}, [READ0, NORM0], id="truncated"),
        pytest.param({READ0: Kept(REFUSED, STALE, anew=NOTES), NORM0: ok()}, [READ0, NORM0], id="refused"),
        pytest.param({READ0: Kept(CUT, STALE + 1), "read 0 @200": Kept(NOTES, 9), NORM0: ok()}, [NORM0], id="fresh"),
    ],
)
def test_a_retry_reads_again_only_what_was_not_read_to_its_end(script, sent, prepared_as):
    """Plain words are not judged: what came to its end is good."""
    outcome, ask = carried(prepared_as("Thing", TWO_STEP), script, ("alpha",), STALE)
    assert outcome.status is Status.OK
    assert ask.sent == sent


def test_a_first_run_takes_whatever_is_on_record(prepared_as):
    """Nothing is stale: a bad answer is on record because it was paid for, and its repair may be there as well."""
    script = {E0: Kept(BAD, 1), "repair 0 @100": Kept(ok(name="a"), 1)}
    outcome, ask = carried(prepared_as("Thing", {}), script, ("alpha",))
    assert (outcome.status, outcome.repaired, ask.sent) == (Status.OK, True, [])


# ── where it came from, and how long it took ────────────────────────────────────────────────────────────────────────

OLD, TWIN = Kept(ok(), 1), Kept(ok(), 1, AnswerFrom.DUPLICATE)


@pytest.mark.parametrize(
    ("script", "source", "latency_ms"),
    [
        pytest.param({E0: After(2.5, ok())}, AnswerFrom.CALL, 2500, id="called"),
        pytest.param({E0: OLD}, AnswerFrom.LEDGER, None, id="on-record"),
        pytest.param({E0: TWIN}, AnswerFrom.DUPLICATE, None, id="twin"),
        pytest.param({E0: OLD, E1: TWIN}, AnswerFrom.DUPLICATE, None, id="twin-before-on-record"),
        pytest.param({E0: OLD, E1: After(3, ok())}, AnswerFrom.CALL, 3000, id="a-call-before-all"),
        pytest.param({E0: Queued(7, ok()), E1: Queued(5, ok())}, AnswerFrom.CALL, 3000, id="from-the-first-sent"),
        pytest.param({E0: After(2, BAD), "repair 0 @100": After(3, ok())}, AnswerFrom.CALL, 5000, id="repaired"),
        pytest.param({E0: After(4, REFUSED)}, AnswerFrom.CALL, 4000, id="failed"),
        pytest.param({E0: INVALID}, AnswerFrom.CALL, 1000, id="no-answer"),
        pytest.param({E0: Kept(REFUSED, 1)}, AnswerFrom.LEDGER, None, id="failed-on-record"),
    ],
)
def test_an_outcome_says_where_its_answers_came_from_and_how_long_the_provider_took(
    script, source, latency_ms, prepared_as
):
    """Of several sources the dearest; from the first request that left, so that waiting to leave does not count."""
    outcome, _ = carried(prepared_as("Thing", {}), script, TWO if E1 in script else ("alpha",))
    assert (outcome.answer_from, outcome.latency_ms) == (source, latency_ms)
