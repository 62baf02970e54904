"""`pipeline check`: everything that can be known to be wrong before a cent is spent, one line per thing looked at."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

from pipeline.catalog.apis import RESPONSES, api_advice, api_of
from pipeline.catalog.known_as import known_as
from pipeline.catalog.model_settings import settings_advice
from pipeline.catalog.names import bare_model
from pipeline.catalog.prices import how_to_price, priced_names
from pipeline.catalog.reasoning import said_of
from pipeline.catalog.sampling import temperature_advice
from pipeline.catalog.tiers import BY_CONTRACT, FLEX
from pipeline.catalog.windows import LIMITS, limits_of
from pipeline.commands.check_input import input_findings
from pipeline.commands.check_models import models_found
from pipeline.commands.check_url import url_findings
from pipeline.commands.lane import lane_findings
from pipeline.commands.least_cap import least_cap
from pipeline.commands.online import online as asked_online
from pipeline.commands.strict import strictly
from pipeline.errors import Finding, JobError, LedgerError
from pipeline.extraction.affordable import require_affordable
from pipeline.extraction.engines import told_of_engine
from pipeline.extraction.packs import MOST_DOCUMENT_TOKENS
from pipeline.extraction.prepare import Prepared, advice_on_reasoning, prepare
from pipeline.extraction.prompt_cache import caching_for
from pipeline.job.instructor import name_in
from pipeline.job.settings import Job
from pipeline.ledger.lock import held, require_local
from pipeline.money import told_price
from pipeline.output.advice import sizing_of
from pipeline.output.folder import ready_folder
from pipeline.output.remote.objects import Objects, StoreFailed
from pipeline.providers import settled, wire_for
from pipeline.providers.credentials.keys import credentials_for
from pipeline.providers.instructor.installed import require_client
from pipeline.schema.arrow import RecordColumn
from pipeline.text import nearest

LIKE_A_SLIP = 0.75
FLEX_S = 900.0  # developers.openai.com, flex processing, and ai.google.dev, flex inference: up to 15 minutes


def check(job: Job, environ: Mapping[str, str], *, online: bool = False, strict: bool = False) -> list[Finding]:
    """All findings, in the order of the job file. Opens no connection, but for what is remote, or `online`.

    `online`: the provider is asked too, at no cost. `strict`: what production needs is a problem where it is missing.
    """
    findings = [Finding("job file", "ok", job.file), *url_findings(settled(job.model, environ))]
    prepared: Prepared | None = None
    try:
        prepared = prepare(job)
    except JobError as error:
        findings.append(Finding("schema, prompt and input", "problem", str(error)))
    if prepared is not None:
        findings.extend(_prepared(prepared, environ))
        findings.append(_try("budget and limits", lambda: _budget(prepared)))
        findings += _cap(prepared)
        findings += told_of_engine(job, documents=prepared.source.documents)
        findings.append(_try("credentials", lambda: _credentials(prepared, environ)))
    findings += _client(job.model.provider)
    findings.append(_try("output", lambda: _output(job, environ)))
    findings += asked_online(job, environ) if online else []
    findings += strictly(job, priced=None if prepared is None else prepared.rate is not None) if strict else []
    return findings


def _prepared(prepared: Prepared, environ: Mapping[str, str]) -> Iterator[Finding]:
    job, plan = prepared.job, prepared.plan
    shape = prepared.shaped.shape
    strict = "enforced by the provider" if shape.strict else "not enforced by the provider: answers are checked here"
    yield Finding("schema", "ok", f"{shape.name}, asked for as {shape.mode}, {strict}")
    for note in prepared.notes:
        yield Finding("schema", "warning", note)
    for path, kind in RecordColumn(prepared.model).fields:
        yield Finding("column", "ok", f"{path}: {kind}")
    overhead = prepared.overhead_tokens
    columns = ", ".join(("{text}", *(f"{{{name}}}" for name in plan.template.other_columns)))
    yield Finding("prompt", "ok", f"uses {columns}; {overhead} tokens go with every request")
    if plan.examples.turns:
        count, tokens = len(plan.examples.turns) // 2, plan.examples.tokens
        yield Finding("examples", "ok", f"{count:,}, with {tokens:,} of these tokens, before each document")
    if prepared.lookups:
        yield Finding(
            "look-ups", "ok", ", ".join(f"{one.tool.name}({', '.join(one.takes)})" for one in prepared.lookups)
        )
    rows, findings = input_findings(prepared.source, prepared.job.documents.read)
    yield from findings
    yield _window(prepared)
    if plan.select:
        told = f"of a longer document {plan.select} are asked about, by {len(plan.words_asked)} words of the schema"
        yield Finding("chunks", "ok", f"{told}; of files that go by pages none is left out")
    yield from _packs(prepared)
    if api_of(job.model) == RESPONSES:
        why = "as this model has no chat completions" if job.model.api != RESPONSES else "as asked for"
        yield Finding("api", "ok", f"the Responses API, {why}")
    if (of_api := api_advice(job.model)) is not None:  # what is sure was refused before
        yield Finding("model", "warning", of_api.told)
    yield from _settings(prepared)
    if (advised := sizing_of(prepared)) is not None:
        yield Finding("model", "warning", advised.told)
    yield Finding("prompt caching", "ok", caching_for(job.model, overhead, rows, prepared.expected_rate).told)
    yield from _price(prepared)
    yield from models_found(prepared, environ)
    try:
        yield from lane_findings(prepared, rows, environ)
    except JobError as error:
        yield Finding("lane", "problem", str(error))


def _packs(prepared: Prepared) -> Iterator[Finding]:
    """How short documents go together."""
    if prepared.packed is None:
        return
    pack, shape = prepared.packed.plan, prepared.packed.shape
    enforced = "" if shape.strict else ", not enforced by the provider"
    most = min(pack.tokens, MOST_DOCUMENT_TOKENS)
    told = f"up to {pack.rows} documents of at most {most:,} tokens each go in one call, {pack.tokens:,} together"
    yield Finding("chunks", "ok", f"{told}, asked for as {shape.mode}{enforced}")


def _settings(prepared: Prepared) -> Iterator[Finding]:
    """What [model] asks for beside the model; what is surely refused was said where the job was prepared."""
    job = prepared.job
    heat = job.model.temperature
    advice = None if heat is None else temperature_advice(job.model.name, heat)
    if advice is not None and (advice.sure or job.model.reasoning != "none"):
        yield Finding("model", "problem" if advice.sure else "warning", advice.told)
    if job.model.reasoning != "default":
        told = advice_on_reasoning(job, prepared.shaped)
        yield Finding("reasoning", "ok" if told is None else "warning", told.told if told else said_of(job.model))
    for one in settings_advice(job.model):
        yield Finding("model", "warning", one.told)
    if job.model.service_tier == FLEX and job.limits.timeout_s < FLEX_S:
        slow = f"flex answers may take {FLEX_S / 60:g} minutes, and one that is given up may be billed"
        yield Finding("model", "warning", f"{slow}: limits.timeout_s = {job.limits.timeout_s:g} should be {FLEX_S:g}")
    if job.model.send_tenant and not job.input.tenant:
        yield Finding("model", "warning", "model.send_tenant has nothing to send: input.tenant names no column")


def _price(prepared: Prepared) -> Iterator[Finding]:
    job = prepared.job
    if prepared.rate is None:
        mend = f"cost will be null. {how_to_price(job.model.provider, job.model.name)}"
        yield Finding("prices", "warning", f"no price is known for {job.model.name}: {mend}")
    else:
        rate = prepared.rate.expected
        if prepared.rate.asked and rate.output == prepared.rate.output and not _priced(job):
            told = f"no price of {job.model.name} at {job.model.service_tier!r} is known: the standard one is taken"
            yield Finding("prices", "warning", f"{told}. The provider may not sell this model so")
        at = f" at the tier {prepared.rate.asked!r}" if prepared.rate.asked else ""
        yield Finding("prices", "ok", f"{told_price(rate)}{at} ({rate.source})")


def _priced(job: Job) -> bool:
    """Whether one price holds for every tier: the job's own, and those of providers that sell by contract."""
    own = job.prices.input_usd_per_mtok is not None and job.prices.output_usd_per_mtok is not None
    return own or job.model.provider in BY_CONTRACT


def _window(prepared: Prepared) -> Finding:
    """What the model takes; of one that is not in our table, the name that may be meant."""
    job = prepared.job
    name, known = job.model.name, known_as(job.model, job.prices)
    detail = (
        f"{name}: window {prepared.window_tokens:,} tokens, at most {prepared.plan.chunk_tokens:,} of text a request"
    )
    detail += f", as {known}" if known != name else ""
    if limits_of(known).known:
        return Finding("model", "ok", detail)
    names = {one: one for one in LIMITS}
    names |= {bare_model(one): one for one in priced_names(job.model.provider) if limits_of(one).known}
    found = nearest(bare_model(name), names, cutoff=LIKE_A_SLIP)
    meant = "" if found is None else f". Did you mean {names[found]!r}?"
    less = "chunks.max_tokens is for what takes less"
    return Finding("model", "warning", f"{detail}; {less} (not in our table: assumed){meant}")


def _budget(prepared: Prepared) -> str:
    require_affordable(prepared)
    cap = prepared.job.budget.max_usd
    return f"at most ${cap:f}" if cap is not None else "no cap in USD"


def _cap(prepared: Prepared) -> list[Finding]:
    """Where a first call has no room beneath budget.max_usd; a job that can send none at all is a problem."""
    try:
        found = least_cap(prepared)
    except JobError:  # told of the input
        return []
    if found is None:
        return []
    level = "problem" if found.too_dear == found.rows else "warning"
    return [Finding("budget.max_usd", level, found.told(prepared.job.budget.max_usd or Decimal(0)))]


def _credentials(prepared: Prepared, environ: Mapping[str, str]) -> str:
    model = prepared.job.model
    wire_for(model, prepared.shaped.shape, environ)
    credentials_for(model, environ)
    return "not needed" if model.provider == "sandbox" else "present"


def _client(provider: str) -> list[Finding]:
    """Of a provider behind instructor: whether it can be asked from here."""
    if not name_in(provider):
        return []

    def there() -> str:
        require_client(provider)
        return "its client is installed"

    return [_try("instructor", there)]


def _output(job: Job, environ: Mapping[str, str]) -> str:
    folder = ready_folder(job)
    require_local(folder)
    holder = held(folder)
    if holder:
        raise JobError(f"{folder} is in use by another run: {holder}")
    if not job.output_url:
        return str(Path(folder))
    Objects(job.output_url, environ).now()
    return f"{job.output_url} can be written; worked on in {folder}"


def _try(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, "ok", look())
    except (JobError, LedgerError, StoreFailed) as error:
        return Finding(what, "problem", str(error))
