"""What is told or asked before a run spends: what a changed job makes due again, and what costs much without a cap.

Pure. Answers on record are free: a new merge rule is told, and never asked about.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from pipeline.codes import ErrorCode
from pipeline.extraction.plan import Plan
from pipeline.extraction.template import TEXT
from pipeline.money import Band, Rate, worst_case_usd

PARTS = {  # what can change an answer or an outcome, as the job file calls it
    "extract": (
        *("system", "prompt", "mode", "merge", "examples", "evidence", "min_grounded", "keep_text"),
        *("tools", "max_tool_rounds"),
    ),
    "model": (
        *("provider", "name", "api", "betas", "temperature", "max_output_tokens", "top_p", "seed", "stop"),
        *("reasoning", "service_tier", "safety", "extra"),
    ),
    "chunks": ("max_tokens", "overlap_tokens", "context", "select", "window", "pack"),
}
REPAIRS = 2  # calls for one question at the most, in the cheap bound
EARLIER = "this job has run on some rows only, and others were paid for under an earlier one"
FRESH = "--fresh starts over in a new ledger"


class RowsDue(Struct, frozen=True):
    """The rows of an input by what a run would do with them; those that are done, or cannot be used, are the rest."""

    rows: int  # in all
    again: int = 0  # paid for once more: they had an outcome, under an earlier job
    new: int = 0  # paid for, and never had one
    free: int = 0  # worked out again from answers on record

    @property
    def paid(self) -> int:
        return self.again + self.new


class Consent(Struct, frozen=True):
    """What the job agrees to by itself."""

    capped: bool  # budget.max_usd is set
    above_usd: Decimal  # budget.confirm_above_usd
    model: str
    by_batch: bool = False  # what is sent goes at the batch price


class ConsentPrompt(Struct, frozen=True):
    """What to say before anything is sent; to `ask` is to send nothing without a yes."""

    level: Literal["ask", "warning", "notice"]
    text: str
    cost_usd: Band[Decimal] | None = None
    cap_would_do: bool = False  # whether a cap, too, is a yes
    rerun: bool = False  # whether it is about paying once more for rows, because the job changed
    rehearsal: bool = False  # it is told, and not asked: in the sandbox it is free


def weigh(due: RowsDue, why: str, cost_usd: Band[Decimal] | None, consent: Consent) -> ConsentPrompt | None:
    """The word on a run, or None where nothing need be said.

    `why` rows are due again, in words; "" when the job is the last run's. `cost_usd` of all that is paid for.
    """
    if due.again:
        told = _told(due, why, cost_usd, consent)
        return ConsentPrompt(_level(due, cost_usd, consent), told, cost_usd, rerun=why != FRESH)
    if due.new and cost_usd is None and not consent.capped:
        return unpriced(consent.model)
    if not due.new or consent.capped or cost_usd is None or cost_usd.high <= consent.above_usd:
        return ConsentPrompt("notice", f"{why}: {_free(due)}", cost_usd) if why and due.free else None
    told = f"{_rows(due.new)} to run, and budget.max_usd is not set: {_price(cost_usd, consent)}"
    return ConsentPrompt("ask", f"{told}. budget.confirm_above_usd is {consent.above_usd}", cost_usd, cap_would_do=True)


def rehearsed(word: ConsentPrompt | None) -> ConsentPrompt | None:
    """In the sandbox: the question that a changed job raises where it is paid for, and no other."""
    return replace(word, rehearsal=True) if word is not None and word.rerun else None


def unpriced(model: str) -> ConsentPrompt:
    return ConsentPrompt(
        "warning",
        f"no price is known for {model}: what this run costs is not known, and no cap can be kept. "
        "[prices] in the job file tells it: input_usd_per_mtok and output_usd_per_mtok, or as = the model of the price "
        "table that it costs the same as",
    )


def _level(due: RowsDue, cost_usd: Band[Decimal] | None, consent: Consent) -> Literal["ask", "warning", "notice"]:
    """A cap is a yes to what is new, not to paying for the same rows again."""
    if cost_usd is None:
        return "warning"
    asked = cost_usd.high * due.again / due.paid if consent.capped else cost_usd.high
    return "ask" if asked > consent.above_usd else "notice"


def _told(due: RowsDue, why: str, cost_usd: Band[Decimal] | None, consent: Consent) -> str:
    new = f" and {due.new:,} new ones run" if due.new else ""
    told = f"{why}: {due.again:,} of {due.rows:,} rows would be run again{new}, {_price(cost_usd, consent)}"
    if why == FRESH:
        return told
    return f"{told}; {_free(due)}"


def _free(due: RowsDue) -> str:
    return f"{_rows(due.free)} can be worked out again from answers on record for free"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _price(cost_usd: Band[Decimal] | None, consent: Consent) -> str:
    if cost_usd is None:
        return f"at a cost that is not known: there is no price for {consent.model}"
    low, expected, high = cost_usd.each(_usd)
    by = " by batch" if consent.by_batch else ""
    return f"about ${expected} ({low} to {high}){by}"


def _usd(amount: Decimal) -> str:
    """Cents; two digits that count where there are no whole cents."""
    if amount == 0 or amount >= Decimal("0.10"):
        return f"{amount:,.2f}"
    return f"{amount:.{1 - amount.adjusted()}f}"


def changed_parts(before: Mapping[str, Any], now: Mapping[str, Any], schema: str = "") -> tuple[str, ...]:
    """The keys that differ between two jobs, as run.json has them, and that make rows due; `schema`, if that did."""
    keys = [(section, key) for section, names in PARTS.items() for key in names]
    found = [
        f"{section}.{key}"
        for section, key in keys
        if key in (before.get(section) or {}) and before[section][key] != (now.get(section) or {}).get(key)
    ]
    otherwise = "the source of extract.tools" if (now.get("extract") or {}).get("tools") else "the job"
    return (*found, *([schema] if schema else [])) or (otherwise,)


def changed_words(parts: Sequence[str]) -> str:
    """The parts as the reason for what is due; "" where none changed."""
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    return f"{listed} changed since the last run" if parts else ""


def most_usd(rows: int, text_bytes: int, plan: Plan, rate: Rate) -> Decimal:
    """More than any estimate says of documents of that size: a token for each byte, every cap used, all repaired."""
    steps = max(1, plan.chunk_tokens - plan.overlap_tokens)
    requests = rows + text_bytes // steps
    copies = plan.template.columns.count(TEXT) * (2 if plan.overlap_tokens else 1)
    tokens = requests * (plan.fixed_bytes + plan.window_tokens) + copies * text_bytes
    calls = REPAIRS * (2 if plan.two_step or plan.summary_tokens else 1) * (1 + plan.rounds)
    return calls * worst_case_usd(tokens, requests * plan.max_output_tokens, rate)


def unusable(rows: int) -> str:
    told = "1 row cannot be used as it is" if rows == 1 else f"{rows:,} rows cannot be used as they are"
    return f"{told} (bad_row): mend the input"


def nothing_to_retry(failed: Mapping[str, int], code: str | None) -> str:
    """Why a retry of rows with `code` (None: any) has nothing to send; "" when it has. `failed`: rows by code."""
    bad = failed.get(ErrorCode.BAD_ROW, 0)
    others = {name: count for name, count in failed.items() if name != ErrorCode.BAD_ROW}
    if code in others or (code is None and others):
        return ""
    if bad and code in {None, ErrorCode.BAD_ROW}:
        return f"{unusable(bad)}, then run again. Nothing was sent"
    if not failed:
        return "no row failed, so nothing was sent"
    listed = ", ".join(f"{count:,} {name}" for name, count in sorted(failed.items()))
    return f"no row failed as {code}; failed are: {listed}. Nothing was sent"
