"""`estimate --compare`: the same input under other models: each with its own counter, window and price."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.known_as import known_as
from pipeline.catalog.prices import batch_share, lane_share
from pipeline.catalog.providers import profile_of
from pipeline.catalog.reasoning import expected_by, expected_tokens, reasoning_advice
from pipeline.catalog.tiers import FACTORS, FLEX
from pipeline.commands.estimate.counted import Counts, History
from pipeline.commands.estimate.estimator import EstimateBands, Terms, estimate
from pipeline.commands.estimate.lanes import Ways
from pipeline.commands.estimate.measure import measure
from pipeline.errors import JobError
from pipeline.extraction.lanes import live_because
from pipeline.extraction.prepare import Prepared, prepare
from pipeline.job.instructor import name_in, refused, split_model
from pipeline.job.settings import Job, Model, Prices, Provider
from pipeline.money import Rate, told_price
from pipeline.schema.answer_size import AnswerSize, answer_tokens

PROVIDERS: tuple[Provider, ...] = get_args(Provider)
LIKE = (0.7, 1.4)  # another model's answers over those on record: least, most


class Compared(Struct, frozen=True):
    """One model. `estimated` is None when it cannot do this job; `problem` then says why."""

    provider: str
    model: str
    window_tokens: int | None
    estimated: EstimateBands | None
    price: str | None
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        about = {
            "provider": self.provider,
            "model": self.model,
            "window_tokens": self.window_tokens,
            "price": self.price,
            "problem": self.problem,
        }
        return {**about, **(self.estimated.as_json() if self.estimated else {"cost_usd": None})}


def terms_of(prepared: Prepared) -> Terms:
    """What an estimate of this job is made on."""
    job = prepared.job
    model, name = job.model, known_as(job.model, job.prices)
    return Terms(
        size=answer_tokens(prepared.shaped.shape.schema),
        max_output_tokens=model.max_output_tokens,
        limits=job.limits,
        rate=prepared.expected_rate,
        ways=_ways(prepared),
        reasoning_tokens=expected_tokens(model),
        reasoning_by=expected_by(model),
        cap_charged=profile_of(model.provider, name).settle == "none",
    )


def _ways(prepared: Prepared) -> Ways:
    """How this job's requests go, and how else they could."""
    job, rate = prepared.job, prepared.rate
    model = job.model
    chosen = "live" if live_because(job, prepared.source.count_rows) else "batch"
    listed = model.provider not in {"openai", "sandbox"} or not model.base_url
    share = batch_share(model.provider, model.name, job.prices) if listed else job.prices.batch_share
    return Ways(
        chosen,
        lane_share(model, job.prices) if chosen == "batch" else share,
        rate if model.service_tier != "default" else None,
        _flex(model, rate),
        job.batch,
    )


def _flex(model: Model, rate: Rate | None) -> Rate | None:
    """Of a model that is sold so by the price table; a factor over all models says nothing of one."""
    found = None if rate is None or model.service_tier != "default" else dict(rate.services).get(FLEX)
    if rate is None or found is None:
        return None
    factor = FACTORS.get(model.provider, {}).get(FLEX, Decimal(1))
    return None if found.output == rate.output * factor else found


def compare(prepared: Prepared, names: Sequence[str], history: History | None) -> list[Compared]:
    """The job's own model and each of `names` (`name` or `provider:name`), all over the whole input.

    Raises:
        JobError: a name's provider does not exist.
    """
    own = measure(prepared, all_rows=True)
    compared = [_entry(prepared, estimate(own, terms_of(prepared), history))]
    for name in names:
        job = _job_with(prepared.job, name)
        try:
            other = prepare(job)
        except JobError as error:
            compared.append(Compared(job.model.provider, job.model.name, None, None, None, str(error)))
            continue
        counts = measure(other, all_rows=True)
        compared.append(_entry(other, estimate(counts, _terms_like(prepared, own, other, counts, history), None)))
    return compared


def _job_with(job: Job, name: str) -> Job:
    """The job with another model. Its own host, key and prices do not go with it, nor what the other does not take."""
    head, tail = split_model(name)
    named = head if head in PROVIDERS or name_in(head) else None
    provider, model = (job.model.provider, name) if named is None else (named, tail)
    if head and named is None and "." not in head and not head.startswith("ft"):
        raise JobError(f"--compare {name!r}: {head!r} is no provider. Known are {', '.join(PROVIDERS)}")
    if told := refused(provider):
        raise JobError(f"--compare {name!r}: {told}")
    changed = replace(  # without what another model may not take
        job.model, provider=provider, name=model, betas=(), api="auto", temperature=None, top_p=None, seed=None,
        stop=(), service_tier="default", flex_fallback=False, safety={}, extra={}, send_tenant=False,
    )  # fmt: skip
    if provider != job.model.provider:
        changed = replace(changed, base_url="", api_key_env="", api_version="", transport="http")
    if reasoning_advice(changed, job.extract.mode) is not None:
        changed = replace(changed, reasoning="default")
    return replace(job, model=changed, prices=Prices())


def _terms_like(prepared: Prepared, own: Counts, other: Prepared, counts: Counts, history: History | None) -> Terms:
    """Another model's terms: answers as long as those on record, in its own tokens, where there are any."""
    terms = terms_of(other)
    if history is None:
        return terms
    used = history.used
    answers = sum(1 + one.agains for one in history.seen)
    written = (used.output_tokens - used.reasoning_tokens) / answers
    scale = counts.document_tokens / own.document_tokens if own.document_tokens else 1.0
    like = AnswerSize(*(factor * written * scale for factor in (LIKE[0], 1.0, LIKE[1])))
    return replace(terms, size=like, size_by=f"the answers of {prepared.job.model.name} on record, in its own tokens")


def _entry(prepared: Prepared, estimated: EstimateBands) -> Compared:
    model, rate = prepared.job.model, prepared.expected_rate
    price = None if rate is None else told_price(rate)
    return Compared(model.provider, model.name, prepared.window_tokens, estimated, price, None)


def table(compared: Iterable[Mapping[str, Any]]) -> str:
    """The models side by side, one a line, from their JSON."""
    head = (
        "model",
        "provider",
        "input tokens",
        "output tokens",
        "expected",
        "low to high",
        "by batch",
        "time",
        "price",
    )
    lines, loud = [head], []
    for one in compared:
        if one["problem"]:
            lines.append((one["model"], one["provider"], *["-"] * 7))
            loud.append(f"{one['model']}: cannot do this job: {one['problem']}")
            continue
        cost, batch = one["cost_usd"], one["batch_cost_usd"]
        if cost is None:
            loud.append(f"{one['model']}: NO PRICE IS KNOWN. Its cost is unknown, not nothing")
        lines.append(
            (
                one["model"],
                one["provider"],
                f"{one['input_tokens']['expected']:,}",
                f"{one['output_tokens']['expected']:,}",
                "UNKNOWN" if cost is None else f"${cost['expected']}",
                "UNKNOWN" if cost is None else f"${cost['low']} to ${cost['high']}",
                "-" if batch is None else f"${batch['expected']}",
                f"{one['seconds']['expected']:,.0f} s",
                one["price"] or "NO PRICE",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    told = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*told, *loud])
