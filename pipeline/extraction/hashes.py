"""The hashes that answers and outcomes are found by, of all that can change them. Pure.

A hash that changes makes everybody pay again: tests/test_golden.py holds them.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from msgspec import to_builtins

from pipeline.catalog.apis import CONVERSE, RESPONSES, api_of, apis_of
from pipeline.extraction.plan import Plan
from pipeline.extraction.template import as_text
from pipeline.job.settings import Job
from pipeline.parts import FilePart, TextPart, files_of
from pipeline.types import AnswerShape, Row, Turn

NOT_ASKED = frozenset(
    {"base_url", "api_key_env", "stream", "transport", "caching", "lane", "flex_fallback", "send_tenant"}
)
KEY_VERSION = 1  # raise it when the meaning of a key changes: old answers are then not found, never misread


def request_hash(job: Job, shape: AnswerShape) -> bytes:
    """Everything that can change an answer, but the document: not keys, hosts, limits, prices or retries."""
    model, extract = job.model, job.extract
    more = {  # settings of later versions: they are in the hash where they say something
        "api": RESPONSES if api_of(model) == RESPONSES else "",
        "top_p": model.top_p,
        "seed": model.seed,
        "stop": model.stop,
        "reasoning": "" if model.reasoning == "default" else model.reasoning,
        "service_tier": "" if model.service_tier == "default" else model.service_tier,
        "safety": model.safety,
        "extra": model.extra,
        "examples": [
            {"prompt": extract.prompt, "text": one.text, "record": one.record} for one in extract.examples
        ],  # each is put as the prompt puts a document
        "lookups": to_builtins(shape.lookups),
    }
    return _hash(
        {
            **{f"{name}+": value for name, value in more.items() if value not in (None, "", (), [], {})},
            "key_version": KEY_VERSION,
            "provider": model.provider,
            "model": model.name,
            "api": api_of(model) if CONVERSE in apis_of(model.provider) else "",
            "betas": model.betas,
            "temperature": model.temperature,
            "system": job.extract.system,
            "mode": job.extract.mode if job.extract.mode == "two_step" else shape.mode,
            "strict": shape.strict,
            "schema": shape.schema,
            "schema_name": shape.name,
        }
    )


def outcome_salt(request: bytes, job: Job, schema_source_hash: str, tools_source_hash: str = "") -> bytes:
    """Everything that makes an outcome of answers: a change here is worked out again from answers already paid for.

    Not the output cap: an answer that came to its end under a lower one is as good, so that raising it leaves the rows
    that are ok alone and `retry` asks only those anew that it cut off.
    """
    chunks, extract = job.chunks, job.extract
    more: dict[str, Any]
    looked_for = [extract.evidence, extract.min_grounded, extract.keep_text]
    more = {} if looked_for == ["off", 0.0, False] else {"evidence": looked_for}
    more |= {"select": chunks.select} if chunks.select else {}
    more |= {"pack": True} if chunks.pack > 1 else {}  # how many go together changes when an answer comes, not which
    more |= {"window": chunks.window} if chunks.context == "window" else {}
    return _hash(
        {
            **more,
            **_several(job),
            **({"tools_source": tools_source_hash, "rounds": extract.max_tool_rounds} if extract.tools else {}),
            "request": request.hex(),
            "prompt": job.extract.prompt,
            "chunks": [chunks.max_tokens, chunks.overlap_tokens, chunks.context],
            "merge": job.extract.merge,
            "schema_source": schema_source_hash,
        }
    )


def _several(job: Job) -> dict[str, Any]:
    """The other models of a job, and which rows they get; nothing of a job with one."""
    if not job.models:
        return {}
    asked = {
        name: {key: value for key, value in to_builtins(one.model).items() if key not in NOT_ASKED}
        for name, one in job.models.items()
    }
    return {"models": asked, "routes": to_builtins(job.routes), "fallbacks": to_builtins(job.fallbacks)}


def pack_hash(job: Job, listed: AnswerShape, words: str) -> bytes:
    """Everything that can change answers of a job to several documents, but these; `words`: what stands around them."""
    return _hash({"request": request_hash(job, listed).hex(), "words": words})


def content_key(plan: Plan, row: Row) -> bytes:
    """The content of a row under this job: equal rows have equal keys, wherever they stand."""
    digest = blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=16, key=plan.outcome_salt)
    others = plan.template.other_columns + plan.key_columns
    for name in others:
        value = as_text(row.values.get(name)).encode("utf-8", "surrogatepass")
        digest.update(f"\x00{len(value)}\x00".encode() + value)
    files = files_of(row.parts)
    if others or files or row.witness is not None:  # where the text ends: it may hold what looks like what follows
        digest.update(f"\x00{len(row.text)}".encode())
    for file in files:
        digest.update(_file(file))
    if files and any(plan.page_plan):
        digest.update("\x00pages\x00{}\x00{}".format(*plan.page_plan).encode())
    if row.witness is not None:  # what its record is held against
        digest.update(b"\x00witness\x00" + _hash(row.witness))
    return digest.digest()


def request_key(plan: Plan, turns: tuple[Turn, ...], cap: int, *, closed: bool = False) -> bytes:
    """Of one request of this job: what is said, and how long its answer may be. `closed`: as `Request.closed`."""
    digest = blake2b(str(cap).encode(), digest_size=16, key=plan.request_hash)
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, TextPart):
                text = part.text.encode("utf-8", "surrogatepass")
                digest.update(f"\x00{turn.role}\x00{len(text)}\x00".encode())
                digest.update(text)
            elif isinstance(part, FilePart):
                digest.update(f"\x00{turn.role}".encode() + _file(part))
            else:  # no length stands where `lookup` does
                said = json.dumps(to_builtins(part), sort_keys=True).encode()
                digest.update(f"\x00{turn.role}\x00lookup\x00{len(said)}\x00".encode() + said)
    if closed:
        digest.update(b"\x00closed")
    return digest.digest()


def _file(file: FilePart) -> bytes:
    """What of a file can change an answer; no length stands where `file` does."""
    plan = f"{file.piece}\x00{file.first}\x00{file.last}\x00{file.px}\x00" if file.first or file.piece else ""
    return f"\x00file\x00{file.media_type}\x00{file.digest}\x00{plan}".encode()


def _hash(value: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return blake2b(canonical.encode(), digest_size=16).digest()
