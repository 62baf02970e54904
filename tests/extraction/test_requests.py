"""Rows → requests: text that never acts, and keys that differ exactly where an answer can."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.extraction.hashes import content_key, outcome_salt, request_hash
from pipeline.extraction.plan import Examples, Plan
from pipeline.extraction.requests import (
    extract_request,
    normalising_request,
    raised_request,
    reading_request,
    repair_request,
    summary_request,
)
from pipeline.extraction.template import parse_template, render
from pipeline.job.file import resolve
from pipeline.parts import FilePart, text_parts
from pipeline.types import AnswerShape, Chunk, Purpose, Row, Turn

SHAPE = AnswerShape("Thing", "json_schema", {"type": "object", "properties": {"name": {"type": "string"}}}, strict=True)
TABLE = {
    "input": {"path": "in.jsonl"},
    "extract": {"schema": "thing.py:Thing", "system": "Read.", "prompt": "{text}"},
    "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100},
    "output": {"path": "out"},
}
TEXT = st.text(st.characters() | st.sampled_from("{}\x00%$"))  # lone surrogates too


def job(**changed):
    """The job with {section: {key: value}} laid over."""
    sections = {name: {**TABLE.get(name, {}), **changed.get(name, {})} for name in {*TABLE, *changed}}
    return resolve(sections, Path("/jobs/night.toml"))


def planned(prompt="{text}", **changed):
    made = job(extract={"prompt": prompt})
    hashed = request_hash(made, SHAPE)
    plan = Plan(
        "Read.", parse_template(prompt), 100, 400, 50, 200, 1000, 0, hashed, outcome_salt(hashed, made, "source")
    )
    return replace(plan, reading_system="Read freely.", summary_tokens=60, **changed)


def row(text="a bill", **values):
    return Row(0, "r1", text_parts(text), "acme", values)


def request(plan, text="a bill", **values):
    return extract_request(plan, row(text, **values), Chunk(0, 0, len(text), text_parts(text), len(text)))


@given(TEXT, TEXT)
def test_braces_in_a_document_mean_nothing(text, value):
    """A document that names a column, or holds format characters, arrives letter by letter."""
    template = parse_template("<{text}|{other}|{text}>")
    assert render(template, text, {"other": value}) == f"<{text}|{value}|{text}>"
    assert request(planned("{text}{other}"), text, other=value).turns == (Turn("user", text_parts(text + value)),)


@given(st.text(st.sampled_from("{}ab 0.!:[]")))
def test_any_prompt_can_be_cut_and_put_together(prompt):
    """No prompt is an error: a brace that is no placeholder stands for itself."""
    template = parse_template(prompt)
    assert len(template.literals) == len(template.columns) + 1
    same = render(template, "", {name: f"{{{name}}}" for name in template.columns})
    assert same.count("{") <= prompt.count("{")
    assert [letter for letter in same if letter not in "{}"] == [letter for letter in prompt if letter not in "{}"]


@pytest.mark.parametrize(
    ("prompt", "rendered"),
    [
        ("{{text}} {text}", "{text} T"),
        ('{"a": {text}}', '{"a": T}'),
        ("{0} {} { text } {text.x} {text!r} {a b}", "{0} {} { text } {text.x} {text!r} {a b}"),
        ("{n} {none} {gone} {list} {usd}", '1  \u0020["é"] 0.10'),
        ("{{{text}}}", "{T}"),
    ],
)
def test_prompts_worked_out_by_hand(prompt, rendered):
    values = {"n": 1, "none": None, "list": ["é"], "usd": Decimal("0.10")}
    assert render(parse_template(prompt), "T", values) == rendered


def test_what_can_change_an_answer_changes_its_key():
    """Of the job, and of the shape it is asked for in: each has a key that no other has."""
    models = ({"provider": "azure"}, {"name": "gpt-4o"}, {"temperature": 0.0}, {"temperature": 1.0}, {"betas": ["new"]})
    extracts = ({"system": "Read twice."}, {"mode": "two_step"})
    jobs = [job(), *(job(model=one) for one in models), *(job(extract=one) for one in extracts)]
    changes = ({"mode": "tool"}, {"strict": False}, {"name": "Other"}, {"schema": {"type": "object"}})
    keys = {request_hash(one, SHAPE) for one in jobs}
    keys |= {request_hash(job(), replace(SHAPE, **changed)) for changed in changes}
    assert len(keys) == len(jobs) + len(changes)


@pytest.mark.parametrize("provider", ["openai", "azure", "sandbox"])
def test_responses_have_a_key_of_their_own_asked_for_or_chosen(provider):
    """A model that has no other API could not be asked before: it has no old answers."""

    def key(name, api):
        return request_hash(job(model={"provider": provider, "name": name, "api": api}), SHAPE)

    assert key("gpt-4o", "auto") == key("gpt-4o", "chat") != key("gpt-4o", "responses")
    assert key("o3-pro", "auto") == key("o3-pro", "responses") != key("o3-pro", "chat")


def test_bedrock_has_a_key_for_each_of_its_apis_and_others_do_not():
    for provider, differ in (("bedrock", True), ("openai", False)):
        keys = {request_hash(job(model={"provider": provider, "api": api}), SHAPE) for api in ("converse", "invoke")}
        assert len(keys) == 1 + differ


@pytest.mark.parametrize(
    "changed",
    [
        {
            "model": {
                "base_url": "https://gateway.example/v1",
                "api_key_env": "OTHER",
                "stream": True,
                "transport": "sdk",
            }
        },
        {"limits": {"concurrency": 1, "max_attempts": 9, "timeout_s": 5}},
        {"prices": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}},
        {"budget": {"max_usd": 1}, "output": {"path": "elsewhere"}},
        {"extract": {"mode": "json_schema"}},  # what auto has chosen, named
        {"model": {"max_output_tokens": 200}},  # an answer that came to its end under a lower cap is as good
    ],
)
def test_what_cannot_change_an_answer_keeps_all_keys(changed):
    """A move to another gateway, budget or folder pays for nothing again."""
    hashed = request_hash(job(**changed), SHAPE)
    assert hashed == request_hash(job(), SHAPE)
    assert outcome_salt(hashed, job(**changed), "source") == outcome_salt(hashed, job(), "source")


def test_what_makes_an_outcome_of_answers_changes_outcomes_only():
    """A new merge rule is worked out again from the answers there are."""
    extracts = [{"prompt": "Now: {text}"}, {"merge": "first"}]
    chunks = [{"max_tokens": 500}, {"max_tokens": 500, "overlap_tokens": 10}, {"context": "rolling"}, {"select": 2}]
    chunks += [{"context": "window"}, {"context": "window", "window": 3}]
    changes = [*({"extract": one} for one in extracts), *({"chunks": one} for one in chunks)]
    changes += [{}]
    hashed = request_hash(job(), SHAPE)
    assert {request_hash(job(**changed), SHAPE) for changed in changes} == {hashed}
    keys = [outcome_salt(hashed, job(**changed), "source") for changed in changes]
    assert len({*keys, outcome_salt(hashed, job(), "other source"), outcome_salt(bytes(16), job(), "source")}) == 11


CONTENTS = st.tuples(*[st.text(st.sampled_from("\x0015a"), max_size=12)] * 2)


@given(CONTENTS, CONTENTS)
@example(("x\x005\x00Q", "z"), ("x", "Q\x001\x00z"))  # one text ends like the mark between text and column
def test_rows_have_equal_keys_exactly_when_their_content_is_equal(one, other):
    """Wherever they stand; and text cannot pretend to be the column after it."""
    plan = planned("{text}{a}")
    keys = {
        content_key(plan, Row(n, f"id{n}", text_parts(text), None, {"a": a}))
        for n, (text, a) in enumerate([one, other])
    }
    assert (len(keys) == 1) == (one == other)


def test_every_kind_of_request_has_a_key_of_its_own():
    """Extraction, reading, form, summary, repair and raised caps never find each other's answers."""
    plan = planned()
    asked = request(plan)
    read = reading_request(plan, asked)
    summed = summary_request(plan, asked, "", Chunk(0, 0, 6, text_parts("a bill"), 6))
    repair = repair_request(
        plan, asked, (*asked.turns, Turn("assistant", text_parts("{}")), Turn("user", text_parts("again"))), 10
    )
    made = [
        asked,
        read,
        normalising_request(plan, asked, "a bill", 5),
        summed,
        summary_request(plan, asked, "so far", Chunk(0, 0, 6, text_parts("a bill"), 6)),
        extract_request(plan, row(), Chunk(0, 0, 6, text_parts("a bill"), 6), before="so far"),
        repair,
        *(raised_request(plan, one) for one in (asked, read, summed, repair)),
    ]
    assert len({one.key for one in made}) == len(made)
    assert [one.free_text for one in (asked, read, summed, repair)] == [False, True, True, False]
    assert repair.purpose is Purpose.REPAIR


def test_a_cap_is_doubled_up_to_what_the_model_gives():
    plan = planned()
    caps, asked = [], request(plan)
    while asked is not None:
        caps.append(asked.max_output_tokens)
        asked = raised_request(plan, asked)
    assert caps == [100, 200, 400]
    assert raised_request(replace(plan, output_ceiling_tokens=50), request(plan)) is None


@given(TEXT, TEXT)
def test_the_ceiling_is_never_below_the_bytes_that_are_sent(text, other):
    """A budget reserves by it: a token is at least one byte."""
    plan = planned("{text}{other}")
    asked = request(plan, text, other=other)
    made = [asked, reading_request(plan, asked), normalising_request(plan, asked, text, 5)]
    for one in [*made, repair_request(plan, asked, (*asked.turns, Turn("user", text_parts(other))), 9)]:
        sent = sum(len(turn.text.encode("utf-8", "surrogatepass")) for turn in one.turns)
        assert one.input_tokens_ceiling >= sent


# ── examples ────────────────────────────────────────────────────────────────────────────────────────────────────────

SHOWN = (Turn("user", text_parts("Read: a")), Turn("assistant", text_parts('{"name":"a"}')))


@given(TEXT)
def test_examples_stand_before_what_is_asked_in_the_schema(text):
    """In order, as the very same turns, and never before what is read, or summed up, in plain words."""
    bare = planned("Read: {text}")
    plan = replace(bare, examples=Examples(SHOWN, 20, 19), fixed_tokens=70, fixed_bytes=219)
    asked = request(plan, text)
    chunk = Chunk(0, 0, len(text), text_parts(text), len(text))
    answered = (*asked.turns, Turn("assistant", text_parts("{")), Turn("user", text_parts("again")))
    repair = repair_request(plan, asked, answered, 10)
    shown = [asked, normalising_request(plan, asked, text, 5), repair, raised_request(plan, asked)]
    for one in shown:
        assert all(turn is same for turn, same in zip(one.turns, SHOWN, strict=False))
        assert one.shared_turns == len(SHOWN) < len(one.turns)
        sent = sum(len(turn.text.encode("utf-8", "surrogatepass")) for turn in one.turns)
        assert one.input_tokens_ceiling >= sent
    free = [reading_request(plan, asked), summary_request(plan, asked, "", chunk)]
    plainly = request(bare, text)
    for one, same in zip(
        free, (reading_request(bare, plainly), summary_request(bare, plainly, "", chunk)), strict=True
    ):
        assert one == same  # to the token
        assert raised_request(plan, one).turns == one.turns


def test_examples_cost_no_row_anything_in_its_key():
    """They are in the hash of all of the job's requests."""
    plan = planned("Read: {text}")
    shown = replace(plan, examples=Examples(SHOWN, 20, 19))
    assert request(shown).key == request(plan).key
    repaired = [
        repair_request(one, asked, (*asked.turns, *SHOWN), 10).key for one in (plan, shown) for asked in [request(one)]
    ]
    assert repaired[0] == repaired[1]


# ── files beside the text ───────────────────────────────────────────────────────────────────────────────────────────

PAGE = FilePart("image/png", "d1", "page-1.png", tokens_ceiling=1500)


def test_a_file_goes_with_the_text_and_counts_at_its_worst():
    """In the request that is extracted and in each that follows from it."""
    plan = planned("Read: {text}")
    chunk = Chunk(0, 0, 6, (*text_parts("a bill"), PAGE), 6)
    asked = extract_request(plan, row(), chunk)
    assert asked.turns == (Turn("user", (PAGE, *text_parts("Read: a bill"))),)  # models read a document before text
    alone = extract_request(plan, row(), Chunk(0, 0, 6, text_parts("a bill"), 6))
    assert asked.input_tokens_ceiling - alone.input_tokens_ceiling == PAGE.tokens_ceiling
    assert PAGE in reading_request(plan, asked).turns[0].parts
    assert PAGE in summary_request(plan, asked, "", chunk).turns[0].parts


@pytest.mark.parametrize(
    "other",
    [
        (),
        (replace(PAGE, digest="d2"),),
        (replace(PAGE, media_type="image/jpeg"),),
        (replace(PAGE, first=1, last=1),),
        (replace(PAGE, first=1, last=2),),
        (replace(PAGE, first=1, last=1, px=1300),),
        (replace(PAGE, piece=1),),
        (PAGE, PAGE),
        text_parts("\x00file\x00image/png\x00d1\x00"),
    ],
    ids=[
        "none",
        "other bytes",
        "other kind",
        "a page",
        "two pages",
        "a drawn page",
        "a part of it",
        "twice",
        "text that looks like it",
    ],
)
def test_a_file_is_part_of_what_is_found_again(other):
    """By its bytes and kind, not by its name: an equal one under another name is the same question."""
    plan = planned()

    def keys(*files):
        parts = (*text_parts("a bill"), *files)
        asked = extract_request(plan, row(), Chunk(0, 0, 6, parts, 6))
        return asked.key, content_key(plan, Row(0, "r1", parts, "acme", {}))

    assert not set(keys(PAGE)) & set(keys(*other))
    assert keys(PAGE) == keys(replace(PAGE, name="scan.png", tokens_ceiling=9))


def test_files_are_not_reserved_beyond_what_the_model_refuses():
    """Twenty pages whose rule is not known, of 73,800 tokens each. A text is reserved by its bytes, as ever."""
    plan = planned(input_most=160_000)
    pages = tuple(replace(PAGE, tokens_ceiling=73_800, first=n, last=n) for n in range(1, 21))
    asked = extract_request(plan, row(""), Chunk(0, 0, 0, pages, 20_000))
    again = repair_request(plan, asked, (*asked.turns, Turn("assistant", text_parts("{}"))), 10)
    free = [reading_request(plan, asked), summary_request(plan, asked, "", Chunk(0, 0, 0, pages, 20_000))]
    assert {one.input_tokens_ceiling for one in (asked, again, *free)} == {160_000}
    unknown = extract_request(planned(), row(""), Chunk(0, 0, 0, pages, 20_000))
    assert unknown.input_tokens_ceiling > 20 * 73_800
    text = "x" * 400_000
    assert request(plan, text).input_tokens_ceiling == request(planned(), text).input_tokens_ceiling > 400_000
    one = extract_request(plan, row(""), Chunk(0, 0, 0, pages[:1], 1000))
    assert 73_800 < one.input_tokens_ceiling < 75_000


def test_what_files_are_expected_to_cost_is_told_of_each_request_that_has_them():
    """A repair asks them again; the second of two steps has notes in their place."""
    plan = planned(two_step=True)
    pages = (replace(PAGE, tokens=700), replace(PAGE, first=2, last=2, tokens=800))
    chunk = Chunk(0, 0, 0, pages, 1500)
    asked = extract_request(plan, replace(row(""), parts=pages), chunk)
    again = repair_request(plan, asked, (*asked.turns, Turn("assistant", text_parts("{}"))), 10)
    kinds = {
        "extract": asked,
        "repair": again,
        "reading": reading_request(plan, asked),
        "summary": summary_request(plan, asked, "", chunk),
        "raised": raised_request(plan, asked),
        "normalising": normalising_request(plan, asked, "notes", 2),
        "text": request(plan),
        "of no known size": extract_request(plan, row(""), Chunk(0, 0, 0, (replace(PAGE, tokens=0),), 0)),
    }
    told = {kind: one.file_tokens for kind, one in kinds.items()}
    assert told == dict.fromkeys(kinds, 1500) | {"normalising": 0, "text": 0, "of no known size": 1}
    assert all(one.input_tokens >= one.file_tokens for kind, one in kinds.items() if kind != "of no known size")
