"""Rows and job → requests, each found by the hash of all that can change its answer.

Pure. A document's bytes are data: the prompt's template is cut into pieces once, and text is only ever put between
them, so that braces in a document mean nothing.
"""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.catalog.providers import PROVIDERS
from pipeline.job.settings import Job
from pipeline.types import AnswerShape, Chunk, Purpose, Request, Row, Turn

KEY_VERSION = 1  # raise it when the meaning of a key changes: old answers are then not found, never misread
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")
TEXT = "text"
FRAME_BYTES = 1024  # parameter names and punctuation around what the job fixes
READ = (
    "Before anything is put into a form, read. Write down in plain text all that the document says about what is "
    "asked for below: figures, names and dates as printed, tables line by line, obvious scanning errors mended. "
    "Invent nothing, and say so where something cannot be read. What will be asked for, as a JSON schema:"
)
NORMALISE = "These notes were taken from a document. Bring them into the form that is asked for.\n\n"
SUMMARISE = (
    "You keep a running summary of a long document that is read in parts, for whoever reads the next part: who and "
    "what it is about, terms that were defined, and what was left open. Answer with the new summary of all parts so "
    "far, in at most {words} words, and nothing else."
)
SUMMARY_HEAD = "Summary of the parts of this document before this one, only to understand it:\n"


class Template(Struct, frozen=True):
    """A prompt cut at its placeholders: literals[0], value of columns[0], literals[1] and so on."""

    literals: tuple[str, ...]  # one more than columns
    columns: tuple[str, ...]  # "text" is the document itself

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The input columns that the prompt names, beside the document."""
        return tuple(dict.fromkeys(name for name in self.columns if name != TEXT))


def parse_template(prompt: str) -> Template:
    """Cut `prompt` at {column}; {{ and }} stand for braces; any other brace stands for itself."""
    literals, columns, piece, position = [], [], "", 0
    for match in PLACEHOLDER.finditer(prompt):
        piece += prompt[position : match.start()]
        position = match.end()
        if match.group(1) is None:
            piece += match.group()[0]
        else:
            literals.append(piece)
            columns.append(match.group(1))
            piece = ""
    return Template((*literals, piece + prompt[position:]), tuple(columns))


def render(template: Template, text: str, values: Mapping[str, Any]) -> str:
    parts = [template.literals[0]]
    for name, literal in zip(template.columns, template.literals[1:], strict=True):
        parts.append(text if name == TEXT else _as_text(values.get(name)))
        parts.append(literal)
    return "".join(parts)


class Plan(Struct, frozen=True):
    """What every request of a job has in common."""

    system: str
    template: Template
    max_output_tokens: int
    output_ceiling_tokens: int  # what a truncated answer's cap may be raised to
    fixed_tokens: int  # a request with an empty document, as counted
    fixed_bytes: int  # the same as sent
    chunk_tokens: int  # the most that a chunk may have
    overlap_tokens: int
    request_hash: bytes
    doc_hash: bytes
    two_step: bool = False  # a free reading first, then its form
    reading_system: str = ""  # the system prompt of that reading: what to look for
    summary_tokens: int = 0  # the cap of the running summary that goes with each chunk; 0: none does


def request_hash(job: Job, shape: AnswerShape) -> bytes:
    """Everything that can change an answer, but the document: not keys, hosts, limits, prices or retries."""
    model = job.model
    return _hash(
        {
            "key_version": KEY_VERSION,
            "provider": model.provider,
            "model": model.name,
            "api": model.api if PROVIDERS[model.provider].invoke_wire else "",
            "betas": model.betas,
            "temperature": model.temperature,
            "system": job.extract.system,
            "mode": job.extract.mode if job.extract.mode == "two_step" else shape.mode,
            "strict": shape.strict,
            "schema": shape.schema,
            "schema_name": shape.name,
        }
    )


def doc_hash(request: bytes, job: Job, schema_source_hash: str) -> bytes:
    """Everything that makes an outcome of answers: a change here is worked out again from answers already paid for.

    Not the output cap: an answer that came to its end under a lower one is as good, so that raising it leaves the rows
    that are ok alone and `retry` asks only those anew that it cut off.
    """
    chunks = job.chunks
    return _hash(
        {
            "request": request.hex(),
            "prompt": job.extract.prompt,
            "chunks": [chunks.max_tokens, chunks.overlap_tokens, chunks.context],
            "merge": job.extract.merge,
            "schema_source": schema_source_hash,
        }
    )


def doc_key(plan: Plan, row: Row) -> bytes:
    """The content of a row under this job: equal rows have equal keys, wherever they stand."""
    digest = blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=16, key=plan.doc_hash)
    others = plan.template.other_columns
    for name in others:
        value = _as_text(row.values.get(name)).encode("utf-8", "surrogatepass")
        digest.update(f"\x00{len(value)}\x00".encode() + value)
    if others:  # where the text ends: it may hold what looks like the columns
        digest.update(f"\x00{len(row.text)}".encode())
    return digest.digest()


def extract_request(plan: Plan, row: Row, chunk: Chunk, summary: str = "") -> Request:
    """The question that is to be answered in the schema; `summary` is of the chunks before."""
    text = render(plan.template, chunk.text, row.values)
    turn = Turn("user", f"{SUMMARY_HEAD}{summary}\n\n{text}" if summary else text)
    others = sum(len(_as_text(row.values.get(name))) for name in plan.template.columns if name != TEXT)
    return Request(
        key=_request_key(plan, (turn,), plan.max_output_tokens),
        row=row.index,
        row_id=row.id,
        chunk=chunk.number,
        purpose=Purpose.EXTRACT,
        system=plan.system,
        turns=(turn,),
        max_output_tokens=plan.max_output_tokens,
        input_tokens=plan.fixed_tokens + chunk.tokens + (others + len(summary)) // 3,
        input_tokens_ceiling=plan.fixed_bytes + _utf8_bytes(turn.text),
        tenant=row.tenant,
    )


def reading_request(plan: Plan, request: Request) -> Request:
    """The first of two steps: the same document, read freely."""
    return _free(plan, request, plan.reading_system, request.turns, plan.max_output_tokens)


def normalising_request(plan: Plan, request: Request, reading: str, reading_tokens: int) -> Request:
    """The second of two steps: what was read, in the schema."""
    turns = (Turn("user", f"{NORMALISE}{reading}"),)
    return replace(
        request,
        key=_request_key(plan, turns, request.max_output_tokens),
        turns=turns,
        input_tokens=plan.fixed_tokens + reading_tokens,
        input_tokens_ceiling=plan.fixed_bytes + _utf8_bytes(turns[0].text),
    )


def summary_request(plan: Plan, request: Request, summary: str, chunk: Chunk) -> Request:
    """What the next chunk should know: the summary so far, carried on over this chunk."""
    before = f"{SUMMARY_HEAD}{summary}\n\n" if summary else ""
    turns = (Turn("user", f"{before}The next part of the document:\n\n{chunk.text}"),)
    return _free(plan, request, SUMMARISE.format(words=plan.summary_tokens // 2), turns, plan.summary_tokens)


def _free(plan: Plan, request: Request, system: str, turns: tuple[Turn, ...], cap: int) -> Request:
    """A question in plain words."""
    size = _utf8_bytes(system) + sum(_utf8_bytes(turn.text) for turn in turns)
    return replace(
        request,
        key=_request_key(plan, (Turn("system", system), *turns), cap),
        system=system,
        turns=turns,
        max_output_tokens=cap,
        input_tokens=request.input_tokens + len(system) // 4,
        input_tokens_ceiling=FRAME_BYTES + size,
        free_text=True,
    )


def repair_request(plan: Plan, request: Request, turns: tuple[Turn, ...], added_tokens: int) -> Request:
    """The one second chance: the same question with the answer and what is wrong with it."""
    return replace(
        request,
        key=_request_key(plan, turns, request.max_output_tokens),
        purpose=Purpose.REPAIR,
        turns=turns,
        input_tokens=request.input_tokens + added_tokens,
        input_tokens_ceiling=plan.fixed_bytes + sum(_utf8_bytes(turn.text) for turn in turns),
    )


def raised_request(plan: Plan, request: Request) -> Request | None:
    """The same question with room for twice the answer, or None when the model has no more room to give."""
    cap = min(2 * request.max_output_tokens, max(plan.output_ceiling_tokens, request.max_output_tokens))
    if cap == request.max_output_tokens:
        return None
    turns = (Turn("system", request.system), *request.turns) if request.free_text else request.turns
    return replace(request, key=_request_key(plan, turns, cap), max_output_tokens=cap)


def _request_key(plan: Plan, turns: tuple[Turn, ...], cap: int) -> bytes:
    digest = blake2b(str(cap).encode(), digest_size=16, key=plan.request_hash)
    for turn in turns:
        text = turn.text.encode("utf-8", "surrogatepass")
        digest.update(f"\x00{turn.role}\x00{len(text)}\x00".encode())
        digest.update(text)
    return digest.digest()


def _hash(value: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return blake2b(canonical.encode(), digest_size=16).digest()


def _as_text(value: object) -> str:
    """A column's value in a prompt: text as it is, nothing for null, JSON for what has structure."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
