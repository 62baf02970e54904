"""Before money is spent: what is told, what is asked, and what is not worth a question."""

import contextlib
import os
import pty
import subprocess
from decimal import Decimal

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from nights import answer, command_line_of, nights_of
from scripted_server import Scripted
from warm_start import launcher

from pipeline.commands.consent.decide import (
    FRESH,
    Consent,
    RowsDue,
    changed_parts,
    changed_words,
    most_usd,
    nothing_to_retry,
    weigh,
)
from pipeline.commands.estimate.counted import Counts
from pipeline.commands.estimate.estimator import Terms, estimate
from pipeline.extraction.plan import Plan
from pipeline.extraction.template import parse_template
from pipeline.job.settings import Limits
from pipeline.money import Band, Rate
from pipeline.schema.answer_size import AnswerSize

ASK = ("--set", "budget.confirm_above_usd=0.00001")
PROMPT = ("--set", "extract.prompt=Read again: {text}")
FIVE = {f"r{n}": f"document {n}" for n in range(5)}
VALIDATOR = "\n    @model_validator(mode='after')\n    def checked(self):\n        {body}\n        return self\n"


@pytest.fixture
def nightly(job, server):
    return nights_of(job, server)


@pytest.fixture
def pipeline(job):
    return command_line_of(job)


# ── decided and worded ──────────────────────────────────────────────────────────────────────────────────────────────

BAND = Band(Decimal("0.90"), Decimal("1.20"), Decimal("1.60"))
FREELY = Consent(capped=False, above_usd=Decimal(1), model="m")
CAPPED = replace(FREELY, capped=True)
WHY = "extract.prompt changed since the last run"


def test_a_change_is_told_with_its_rows_and_its_cost():
    """Which part, how many of how many rows, about how much, and what is free."""
    word = weigh(RowsDue(2060, again=2000, new=50, free=10), WHY, BAND, FREELY)
    assert (word.level, word.cost_usd) == ("ask", BAND)
    assert word.text == (
        "extract.prompt changed since the last run: 2,000 of 2,060 rows would be run again and 50 new ones run, "
        "about $1.20 (0.90 to 1.60); 10 rows can be worked out again from answers on record for free"
    )


@each_case(
    ("due", "why", "cost", "consent", "level"),
    [
        (RowsDue(5, again=5), WHY, BAND, FREELY, "ask"),
        (RowsDue(5, again=5), WHY, BAND, CAPPED, "ask"),  # a cap is no yes to paying twice
        (RowsDue(5, again=5), WHY, BAND, replace(FREELY, above_usd=Decimal(2)), "notice"),
        (RowsDue(100, again=1, new=99), WHY, BAND, CAPPED, "notice"),  # nearly all of it is new, and covered by the cap
        (RowsDue(100, again=1, new=99), WHY, BAND, FREELY, "ask"),
        (RowsDue(5, again=5), WHY, None, FREELY, "warning"),
        (RowsDue(5, free=5), WHY, None, FREELY, "notice"),
        (RowsDue(5), WHY, None, FREELY, None),  # an earlier job's outcomes are all there
        (RowsDue(5, again=5), FRESH, BAND, FREELY, "ask"),
        (RowsDue(5, new=5), WHY, BAND, CAPPED, None),
        (RowsDue(5, new=5), "", BAND, FREELY, "ask"),
        (RowsDue(5, new=5), "", BAND, CAPPED, None),
        (RowsDue(5, new=5), "", BAND._replace(high=Decimal(1)), FREELY, None),
        (RowsDue(5, new=5), "", None, FREELY, "warning"),
        (RowsDue(5, free=5), "", None, FREELY, None),
        (RowsDue(6, new=1, free=5), WHY, BAND, CAPPED, "notice"),
        (RowsDue(6, new=1, free=5), WHY, BAND, FREELY, "ask"),
        (RowsDue(6, new=1, free=5), "", BAND, CAPPED, None),
    ],
)
def test_only_what_may_cost_much_is_asked_about(due, why, cost, consent, level):
    """A question for money above the threshold, a line for the rest, nothing for what is free and not changed."""
    word = weigh(due, why, cost, consent)
    assert (word and word.level) == level
    assert word is None or word.cap_would_do == (level == "ask" and not due.again)


AMOUNTS = st.decimals(min_value=0, max_value=100, places=4)


@given(
    due=st.builds(RowsDue, st.integers(0, 9), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    why=st.sampled_from(["", WHY, FRESH]),
    high=AMOUNTS,
    consent=st.builds(Consent, st.booleans(), AMOUNTS, st.just("m")),
)
def test_nothing_is_asked_about_what_costs_nothing_or_little(due, why, high, consent):
    """A question means: rows to be paid for, by more than the threshold at the most, and no cap that covers them."""
    word = weigh(due, why, Band(high / 2, high / 2, high), consent)
    if word is not None and word.level == "ask":
        assert due.paid
        assert high > consent.above_usd
        assert due.again or not consent.capped
    elif due.paid and high > consent.above_usd:
        assert consent.capped


def test_small_amounts_keep_two_digits_that_count():
    told = weigh(RowsDue(1, again=1), WHY, Band(Decimal("0.000123"), Decimal("0.0456"), Decimal(1234)), FREELY).text
    assert "about $0.046 (0.00012 to 1,234.00)" in told


def test_the_parts_are_named_as_the_job_file_names_them():
    """Limits, budget and output are no parts; a file of another version names none."""
    before = {"extract": {"prompt": "a"}, "model": {"name": "x", "betas": []}, "limits": {"concurrency": 1}}
    now = {"extract": {"prompt": "b"}, "model": {"name": "y", "betas": []}, "limits": {"concurrency": 2}}
    assert changed_parts(before, now) == ("extract.prompt", "model.name")
    assert changed_parts(before, before, "the schema") == ("the schema",)
    assert changed_parts({}, now) == changed_parts(now, now) == ("the job",)
    tools = {"extract": {"tools": ["lookups.py:find"]}}
    assert changed_parts(tools, tools) == ("the source of extract.tools",)
    assert changed_words(("a", "b", "c")) == "a, b and c changed since the last run"
    assert changed_words(("a",)) == "a changed since the last run"
    assert changed_words(()) == ""


@pytest.mark.parametrize(
    ("failed", "code", "told"),
    [
        ({}, None, "no row failed"),
        ({"timeout": 2}, None, ""),
        ({"timeout": 2}, "timeout", ""),
        ({"timeout": 2, "bad_row": 1}, "refused", "no row failed as refused; failed are: 1 bad_row, 2 timeout"),
        ({"bad_row": 2, "timeout": 1}, None, ""),
        ({"bad_row": 2}, None, "2 rows cannot be used as they are"),
        ({"bad_row": 1}, "bad_row", "1 row cannot be used as it is"),
    ],
)
def test_a_retry_of_nothing_says_why(failed, code, told):
    assert nothing_to_retry(failed, code).startswith(told)
    assert bool(nothing_to_retry(failed, code)) == bool(told)


def plan_of(prompt, overlap):
    return Plan(
        system="", template=parse_template(prompt), max_output_tokens=200, output_ceiling_tokens=400, fixed_tokens=100,
        fixed_bytes=100, chunk_tokens=1000, overlap_tokens=overlap, request_hash=b"", outcome_salt=b"",
    )  # fmt: skip


@given(
    sizes=st.lists(st.integers(1, 4000), max_size=30),
    bytes_per_token=st.sampled_from([1, 3.6]),
    copies=st.sampled_from([1, 4]),
    answers=st.floats(1, 500),
)
def test_no_estimate_is_above_the_cheap_bound(sizes, bytes_per_token, copies, answers):
    """So that an input whose bound is below the threshold need not be read to know that nothing is to be asked."""
    rate = Rate(input=Decimal(3), cached_input=Decimal(1), cache_write=Decimal(3), output=Decimal(15), source="x")
    plan = plan_of("{text}" * copies, 0)
    tokens = [max(1, int(size / bytes_per_token)) for size in sizes]
    requests = sum(-(-count // plan.chunk_tokens) for count in tokens)
    counts = Counts(
        rows=len(sizes), bad_rows=0, done_rows=0, duplicate_rows=0, requests=requests,
        input_tokens=requests * 100 + copies * sum(tokens), document_tokens=sum(tokens), fixed_tokens_per_request=100,
    )  # fmt: skip
    terms = Terms(size=AnswerSize(1, answers, 2 * answers), max_output_tokens=200, limits=Limits(), rate=rate)
    assert estimate(counts, terms, None).cost_usd[2] <= most_usd(len(sizes), sum(sizes), plan, rate)


# ── through the command line, against a server that counts ──────────────────────────────────────────────────────────


def test_a_change_that_would_be_paid_for_is_shown_and_asked_about(nightly, pipeline, job, server):
    """Which key, how many rows, what it costs; without a terminal it needs a flag. Nothing is sent before."""
    nightly({f"r{n}": f"document {n}" for n in range(20)})
    pipeline("run")
    whole = (job.out / "results.parquet").read_bytes()
    refused = pipeline("run", *ASK, *PROMPT, code=2)
    assert "extract.prompt changed since the last run: 20 of 20 rows would be run again, about $0.0" in refused
    assert "; 0 rows can be worked out again from answers on record for free. Nothing was sent" in refused
    assert refused.rstrip().endswith("--yes-rerun")
    assert server.sent == 20
    assert (job.out / "results.parquet").read_bytes() == whole
    assert "20 of 20 rows would be run again" in pipeline("run", *ASK, *PROMPT, "--yes-rerun")
    assert server.sent == 40
    pipeline("run", *ASK)  # the first prompt again: its outcomes are all there
    assert server.sent == 40


def test_a_change_that_costs_little_is_shown_all_the_same(nightly, pipeline, server):
    """Below budget.confirm_above_usd it is a line, not a question."""
    nightly(FIVE)
    pipeline("run")
    assert "5 of 5 rows would be run again, about $0.0" in pipeline("run", *PROMPT)
    assert server.sent == 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"model.name": "gpt-4.1-mini"}, "model.name"),
        ({"extract.system": "Be careful."}, "extract.system"),
        ({"extract.mode": "json_object"}, "extract.mode"),
        ({"model.temperature": "0.5"}, "model.temperature"),
        ({"chunks.max_tokens": "5"}, "chunks.max_tokens"),
        ({"model.name": "gpt-4.1-mini", "extract.system": "Be careful."}, "extract.system and model.name"),
    ],
)
def test_what_has_changed_is_named(nightly, pipeline, server, change, told):
    """All of it."""
    nightly(dict.fromkeys("abcde", "document of more than a few words, to be cut where chunks are small"))
    pipeline("run")
    sets = [word for key, value in change.items() for word in ("--set", f"{key}={value}")]
    assert f"{told} changed since the last run: 5 of 5 rows would be run again" in pipeline("run", *ASK, *sets, code=2)
    assert server.sent == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"chunks.max_tokens": "50"}, "5 rows can be worked out again"),  # the same pieces, so the same requests
        ({"extract.merge": "first"}, "extract.merge changed since the last run: 5 rows can be worked out again"),
        ({"limits.concurrency": "3", "limits.timeout_s": "9", "budget.max_usd": "5"}, ""),
        ({"prompt_version": "second", "output.path": "out/../out", "model.max_output_tokens": "200"}, ""),
    ],
)
def test_what_costs_nothing_is_not_asked_about(nightly, pipeline, server, change, told):
    """A rule that is worked out again from answers on record is told; limits and budgets change nothing."""
    nightly(FIVE)
    pipeline("run")
    sets = [word for key, value in change.items() for word in ("--set", f"{key}={value}")]
    said = pipeline("run", *ASK, *sets)
    assert told in said
    assert ("changed since" in said) == bool(told)
    assert server.sent == 5


def test_new_rows_are_not_paid_for_again(nightly, pipeline, server):
    """With a new merge rule they are all that costs: the cap, or the threshold, is for them, and no change is."""
    nightly(FIVE)
    pipeline("run")
    nightly({**FIVE, "new": "a new document"})
    merge = ("--set", "extract.merge=first")
    refused = pipeline("run", *ASK, *merge, code=2)
    assert "1 row to run, and budget.max_usd is not set: about $0.00002" in refused, "the cost of one row, not of six"
    assert "would be run again" not in refused
    assert "5 rows can be worked out again" in pipeline("run", *ASK, *merge, "--max-usd", "1")
    assert server.sent == 6


def test_what_is_left_of_a_change_is_free_too(nightly, pipeline, server):
    """The first rows were worked out again last time; the others have their answers, under the job before that."""
    merge = ("--set", "extract.merge=first")
    nightly(FIVE)
    pipeline("run")
    pipeline("run", *ASK, *merge, "--limit", "2")
    assert "to run" not in pipeline("run", *ASK, *merge)
    assert server.sent == 5


def test_a_prompt_of_other_columns_finds_what_it_paid_for(nightly, pipeline, server):
    """Rows had an outcome by the columns that the last prompt named."""
    named = {"prompt": "From {customer}: {text}"}
    nightly(FIVE, extract=named)
    pipeline("run")
    nightly({**FIVE, "new": "a new document"})
    refused = pipeline("run", *ASK, code=2)
    assert "extract.prompt changed since the last run: 5 of 6 rows would be run again and 1 new ones run" in refused


def test_two_steps_are_free_when_both_are_on_record(nightly, pipeline, server):
    """The second question holds the first one's answer, and is found by it."""
    nightly(FIVE, extract={"mode": "two_step"})
    pipeline("run")
    assert "5 rows can be worked out again" in pipeline("run", *ASK, "--set", "extract.merge=first")
    assert server.sent == 10


def test_a_validator_that_finds_no_new_fault_is_free_and_one_that_does_is_asked_about(nightly, pipeline, job, server):
    """A stricter one sends the rows that it finds fault with to a repair, and that costs."""
    nightly(FIVE)
    pipeline("run")
    schema = job.folder / "thing.py"
    before = schema.read_text()
    schema.write_text(before + VALIDATOR.format(body="assert self.total"))
    assert "the schema's validators changed since the last run: 5 rows can be worked out" in pipeline("run", *ASK)
    schema.write_text(before + VALIDATOR.format(body="assert not self.name.endswith('3')"))
    refused = pipeline("run", *ASK, code=2)
    assert "the schema's validators changed since the last run: 1 of 5 rows would be run again" in refused
    schema.write_text(before.replace("name: str", "name: str\n    other: str = ''"))
    assert "the schema changed since the last run: 5 of 5 rows would be run again" in pipeline("run", *ASK, code=2)
    assert server.sent == 5


def test_a_repair_on_record_is_free_too(nightly, pipeline, server):
    """Each step of a row's life is found again."""
    server.script = lambda document, nth, body: Scripted(text="{}" if len(body["messages"]) < 3 else answer(document))
    nightly(FIVE)
    pipeline("run")
    assert server.sent == 10
    assert "5 rows can be worked out again" in pipeline("run", *ASK, "--set", "extract.merge=first")
    assert server.sent == 10


def test_starting_over_is_asked_about_too(nightly, pipeline, job, server):
    """Everything would be paid for again; where nothing was paid for yet, it is a run like any other."""
    nightly(FIVE)
    pipeline("run", *ASK, "--fresh", "--max-usd", "1")
    refused = pipeline("run", *ASK, "--fresh", code=2)
    assert "--fresh starts over in a new ledger: 5 of 5 rows would be run again, about $0.000" in refused
    assert "--fresh --yes" in refused
    assert server.sent == 5
    pipeline("run", *ASK, "--fresh", "--yes")
    assert server.sent == 10
    assert len(list(job.out.glob("ledger-*.sqlite"))) == 1


def test_a_damaged_ledger_is_named_and_starting_over_without_it_is_asked_about(nightly, pipeline, job, server):
    """Nobody knows what was paid for in it: all of it may be."""
    nightly(FIVE)
    pipeline("run")
    (job.out / "ledger.sqlite").write_bytes(b"no database" * 1000)
    assert "is damaged or not a ledger" in pipeline("run", *ASK, code=2)
    assert "5 of 5 rows would be run again" in pipeline("run", *ASK, "--fresh", code=2)
    assert server.sent == 5


def test_a_run_that_costs_much_needs_a_cap_or_a_yes(nightly, pipeline, job, server):
    """A cap is consent, and so is --yes; what costs little is not asked about, nor what is finished."""
    nightly(FIVE)
    refused = pipeline("run", *ASK, code=2)
    assert "5 rows to run, and budget.max_usd is not set: about $0.000" in refused
    assert "--yes   (or with a cap: --max-usd X)" in refused
    assert server.sent == 0
    assert not (job.out / "results.parquet").exists()
    pipeline("run", *ASK, "--max-usd", "1")
    pipeline("run", *ASK)
    nightly({**FIVE, "a": "document a", "b": "document b"})
    assert "2 rows to run" in pipeline("run", *ASK, code=2)
    pipeline("run")
    assert server.sent == 7


def test_a_run_of_the_first_rows_is_no_consent_to_all(nightly, pipeline, server):
    """The same file has more rows than `--limit` showed, and another text in another column."""
    nightly([{"id": key, "text": text, "other": f"other {text}", "customer": "c"} for key, text in FIVE.items()])
    pipeline("run", "--limit", "2")
    assert "3 rows to run" in pipeline("run", *ASK, code=2)
    pipeline("run")
    assert "5 rows to run" in pipeline("run", *ASK, "--set", "input.text=other", code=2)
    assert server.sent == 5


def test_a_retry_that_costs_much_is_asked_about_by_its_own_rows(nightly, pipeline, server):
    """Only those of the code that was asked for are counted."""
    server.script = lambda document, nth, body: (
        Scripted(refusal="no") if document in {"document 1", "document 2"}
        else Scripted(400, error={"message": "no", "code": "x"}) if document == "document 3" else None
    )  # fmt: skip
    nightly(FIVE)
    pipeline("run", code=1)
    assert "3 rows to run" in pipeline("retry", *ASK, code=2)
    refused = pipeline("retry", *ASK, "--where", "error_code=refused", code=2)
    assert "2 rows to run" in refused
    assert "--where error_code=refused --yes" in refused
    assert server.sent == 5
    server.script = None
    pipeline("retry", *ASK, "--where", "error_code=refused", "--yes", code=1)
    assert server.sent == 7


def test_no_price_and_no_cap_is_a_warning(nightly, pipeline, server):
    """What it costs is not known, so it is not asked about either; the same for a change."""
    nightly(FIVE, model={"name": "a-model-of-our-own"})
    assert "warning: no price is known for a-model-of-our-own" in pipeline("run", *ASK)
    told = pipeline("run", *ASK, *PROMPT)
    assert "5 of 5 rows would be run again, at a cost that is not known" in told
    assert server.sent == 10
    assert "no price" not in pipeline("run", *ASK, *PROMPT).split("job: finished")[0], "nothing is sent any more"


SANDBOX = {"provider": "sandbox", "base_url": ""}


def test_the_sandbox_is_free_and_rehearses_the_question(nightly, pipeline):
    """Its prices are played: what would be asked of a changed job is told, with the flag that answers it."""
    nightly(FIVE, model=SANDBOX)
    assert "budget.max_usd is not set" not in pipeline("run", *ASK)
    told = pipeline("run", *ASK, *PROMPT, "--yes")
    assert "extract.prompt changed since the last run: 5 of 5 rows would be run again, about $0.000" in told
    assert "In the sandbox that is free and goes on" in told
    assert "--yes --yes-rerun" in told
    agreed = pipeline("run", *ASK, "--set", "extract.prompt=A third: {text}", "--yes-rerun")
    assert "5 of 5 rows would be run again" in agreed
    assert "In the sandbox" not in agreed
    cheap = pipeline("run", "--set", "extract.prompt=A fourth: {text}")
    assert "5 of 5 rows would be run again" in cheap
    assert "In the sandbox" not in cheap
    assert "run again" not in pipeline("run", *ASK, "--set", "extract.prompt=A fourth: {text}")


def test_what_was_rehearsed_was_not_paid_for(nightly, pipeline, server):
    """The first night after rehearsals is one like any other; what was paid for before them still was."""
    nightly(FIVE, model=SANDBOX)
    pipeline("run", "--fresh")
    nightly(FIVE)
    assert "5 rows to run, and budget.max_usd is not set" in pipeline("run", *ASK, code=2)
    pipeline("run", *ASK, "--yes")
    nightly(FIVE, model=SANDBOX)
    pipeline("run", *ASK, *PROMPT)
    nightly(FIVE)
    assert "5 of 5 rows would be run again" in pipeline("run", *ASK, *PROMPT, "--yes", code=2)
    assert server.sent == 5


def test_a_try_on_some_rows_is_no_consent_to_paying_again_for_all(nightly, pipeline, server):
    """After it the job is no longer a changed one, and yet the others were paid for before. Once agreed, it goes on."""
    nightly(FIVE)
    pipeline("run")
    pipeline("run", *PROMPT, "--limit", "1")
    for flags in (("--yes",), ("--max-usd", "1")):
        refused = pipeline("run", *ASK, *PROMPT, *flags, code=2)
        assert "others were paid for under an earlier one: 4 of 5 rows would be run again, about $0.0" in refused
    assert server.sent == 6
    pipeline("run", *ASK, *PROMPT, "--limit", "3", "--yes-rerun")
    assert "2 of 5 rows would be run again" in pipeline("run", *ASK, *PROMPT, "--yes", code=2)
    pipeline("run", *ASK, *PROMPT, "--yes-rerun", "--max-usd", "0.00004", code=3)
    nightly({**FIVE, "new": "another"})
    pipeline("run", *ASK, *PROMPT, "--yes")
    assert server.sent == 11
    nightly({**FIVE, "new": "another", "newer": "yet another"})
    pipeline("run", *ASK, *PROMPT, "--yes", "--max-usd", "1")
    assert server.sent == 12


def test_yes_is_no_consent_to_paying_again(nightly, pipeline, job, server):
    """`--yes` agrees to what is new, `--yes-rerun` to what was paid for before, and to what is new beside it."""
    nightly(FIVE)
    pipeline("run", *ASK, "--yes")
    nightly({**FIVE, "new": "another"})
    for changed in (PROMPT, ("--set", "model.name=gpt-4o"), ("--set", "model.temperature=0.5")):
        for flags in (("--yes",), ("--yes", "--max-usd", "9"), ("--yes", "--log-format", "json")):
            refused = pipeline("run", *ASK, *changed, *flags, code=2)
            assert "5 of 6 rows would be run again and 1 new ones run, about $0.0" in refused
            assert (
                "Nothing was sent. To pay for those rows again, which --yes alone does not agree to:  pipeline"
                in refused
            )
            assert refused.rstrip().endswith("--yes-rerun")
    assert server.sent == 5
    pipeline("run", *ASK, *PROMPT, "--yes-rerun", "--max-usd", "0.00008", code=3)
    pipeline("run", *ASK, *PROMPT, "--yes", "--max-usd", "1")  # what was agreed to goes on
    assert server.sent == 11


def test_a_run_that_leaves_its_estimate_says_so_once(nightly, pipeline, server):
    """With what it comes to in the end."""
    server.script = lambda document, nth, body: Scripted(text=answer(document), usage=(20_000, 4000), delay_s=0.05)
    nightly({f"r{n}": f"document {n}" for n in range(150)}, limits={"concurrency": 4})
    assert pipeline("run", *ASK, "--yes").count("costs more than its estimate") == 1


@pytest.mark.parametrize(("said", "code", "sent"), [(b"n\n", 2, 0), (b"\x04", 2, 0), (b"\n", 2, 0), (b"y\n", 0, 5)])
def test_on_a_terminal_it_is_a_question(nightly, job, server, said, code, sent):
    """No is the answer where none is given, and sends nothing."""
    nightly(FIVE)
    ours, theirs = pty.openpty()
    command = [launcher(), "-m", "pipeline", "run", str(job.file), *ASK]
    process = subprocess.Popen(command, cwd=job.folder, env=job.env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, said)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while piece := os.read(ours, 4096):
            shown += piece
    assert process.wait(60) == code
    assert b"Go on? [y/N]" in shown
    os.close(ours)
    assert server.sent == sent


def test_json_logs_are_no_conversation(nightly, job, server):
    """On a terminal too: who reads JSON lines answers no question."""
    nightly(FIVE)
    ours, theirs = pty.openpty()
    command = [launcher(), "-m", "pipeline", "run", str(job.file), *ASK, "--log-format", "json"]
    process = subprocess.Popen(command, cwd=job.folder, env=job.env, stdin=theirs, stdout=theirs, stderr=theirs)
    assert process.wait(60) == 2
    os.close(theirs)
    os.close(ours)
    assert server.sent == 0
