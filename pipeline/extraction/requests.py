"""Rows → requests: in the schema, in two steps, with a summary, and once more; and the words around them. Pure."""

from collections.abc import Sequence

from msgspec.structs import replace

from pipeline.documents.page_chunks import joined
from pipeline.extraction.context import SUMMARY_HEAD, WINDOW_HEAD
from pipeline.extraction.hashes import request_key
from pipeline.extraction.plan import Plan
from pipeline.extraction.template import TEXT, as_text, render
from pipeline.parts import FilePart, ResultPart, SaidPart, TextPart, TurnPart, files_of, text_parts
from pipeline.types import Chunk, Purpose, Request, Row, Turn

CALL_BYTES = 256  # names and punctuation around what a look-up found
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
SOME_PAGES = "Of this document of {whole} pages, what is given here is {these}.\n\n"


def extract_request(plan: Plan, row: Row, chunk: Chunk, before: str = "") -> Request:
    """The question that is to be answered in the schema; `before`: the summary or the records of the chunks before."""
    files = files_of(joined(chunk.parts))
    text = _which_pages(row, files) + render(plan.template, chunk.text, row.values)
    text = f"{WINDOW_HEAD if plan.window_chunks else SUMMARY_HEAD}{before}\n\n{text}" if before else text
    turn = Turn("user", (*files, TextPart(text)))
    others = sum(len(as_text(row.values.get(name))) for name in plan.template.columns if name != TEXT)
    return Request(
        key=request_key(plan, (turn,), plan.max_output_tokens),
        row=row.index,
        row_id=row.id,
        chunk=chunk.number,
        purpose=Purpose.EXTRACT,
        system=plan.system,
        turns=(*plan.examples.turns, turn),
        max_output_tokens=plan.max_output_tokens,
        input_tokens=plan.fixed_tokens + chunk.tokens + (others + len(before)) // 3,
        input_tokens_ceiling=_ceiling(plan, plan.fixed_bytes, turn),
        tenant=row.tenant,
        shared_turns=len(plan.examples.turns),
        file_tokens=_file_tokens(turn),
    )


def _which_pages(row: Row, files: Sequence[FilePart]) -> str:
    """Where only some pages of a document go along, which; else ""."""
    whole = row.document.pages if row.document is not None else None
    if not files or not whole or sum(file.last - file.first + 1 for file in files) == whole:
        return ""
    spans = ((file.first, file.last) for file in files if file.first)
    told = [f"page {first}" if first == last else f"pages {first} to {last}" for first, last in spans]
    return SOME_PAGES.format(whole=whole, these=", ".join(told)) if told else ""


def reading_request(plan: Plan, request: Request) -> Request:
    """The first of two steps: the same document, read freely."""
    return _free(plan, request, plan.reading_system, _own(request), plan.max_output_tokens)


def normalising_request(plan: Plan, request: Request, reading: str, reading_tokens: int) -> Request:
    """The second of two steps: what was read, in the schema."""
    turns = (Turn("user", text_parts(f"{NORMALISE}{reading}")),)
    return replace(
        request,
        key=request_key(plan, turns, request.max_output_tokens),
        turns=(*plan.examples.turns, *turns),
        input_tokens=plan.fixed_tokens + reading_tokens,
        input_tokens_ceiling=_ceiling(plan, plan.fixed_bytes, *turns),
        file_tokens=0,
    )


def summary_request(plan: Plan, request: Request, summary: str, chunk: Chunk) -> Request:
    """What the next chunk should know: the summary so far, carried on over this chunk."""
    before = f"{SUMMARY_HEAD}{summary}\n\n" if summary else ""
    turns = (
        Turn(
            "user",
            (*files_of(joined(chunk.parts)), TextPart(f"{before}The next part of the document:\n\n{chunk.text}")),
        ),
    )
    return _free(plan, request, SUMMARISE.format(words=plan.summary_tokens // 2), turns, plan.summary_tokens)


def evidence_request(plan: Plan, request: Request, system: str, question: str) -> Request:
    """Where values stand that were not found, in plain words."""
    return _free(plan, request, system, (Turn("user", text_parts(question)),), plan.max_output_tokens)


def _free(plan: Plan, request: Request, system: str, turns: tuple[Turn, ...], cap: int) -> Request:
    """A question in plain words."""
    return replace(
        request,
        key=request_key(plan, (Turn("system", text_parts(system)), *turns), cap),
        system=system,
        turns=turns,
        max_output_tokens=cap,
        input_tokens=request.input_tokens - plan.examples.tokens + len(system) // 4,
        input_tokens_ceiling=_ceiling(plan, FRAME_BYTES + utf8_bytes(system), *turns),
        file_tokens=_file_tokens(*turns),
        free_text=True,
        shared_turns=0,
    )


def repair_request(plan: Plan, request: Request, turns: tuple[Turn, ...], added_tokens: int) -> Request:
    """The one second chance: the same question with the answer and what is wrong with it."""
    own = turns[request.shared_turns :]
    closed = request.closed or bool(plan.lookups)
    return replace(
        request,
        key=request_key(plan, own, request.max_output_tokens, closed=closed),
        closed=closed,
        purpose=Purpose.REPAIR,
        turns=turns,
        input_tokens=request.input_tokens + added_tokens,
        input_tokens_ceiling=_ceiling(plan, plan.fixed_bytes, *own),
        file_tokens=_file_tokens(*own),
    )


def round_request(plan: Plan, request: Request, turns: tuple[Turn, ...], added_tokens: int, *, closed: bool) -> Request:
    """The same question with what was looked up for it; `closed`: and nothing more may be."""
    own = turns[request.shared_turns :]
    return replace(
        request,
        key=request_key(plan, own, request.max_output_tokens, closed=closed),
        turns=turns,
        input_tokens=request.input_tokens + added_tokens,
        input_tokens_ceiling=_ceiling(plan, plan.fixed_bytes, *own),
        closed=closed,
    )


def raised_request(plan: Plan, request: Request) -> Request | None:
    """The same question with room for twice the answer, or None when the model has no more room to give."""
    cap = min(2 * request.max_output_tokens, max(plan.output_ceiling_tokens, request.max_output_tokens))
    if cap == request.max_output_tokens:
        return None
    own = _own(request)
    turns = (Turn("system", text_parts(request.system)), *own) if request.free_text else own
    return replace(request, key=request_key(plan, turns, cap, closed=request.closed), max_output_tokens=cap)


def _own(request: Request) -> tuple[Turn, ...]:
    """What is said in this request alone; the rest is in the hash of all of the job's requests."""
    return request.turns[request.shared_turns :]


def _ceiling(plan: Plan, fixed: int, *turns: Turn) -> int:
    """Tokens that these, beside what is `fixed`, can be billed as at the most.

    No tokenizer makes more of a text than its bytes. Files whose rule is not known may add up to more than any model
    takes: what it refuses for its length is not billed.
    """
    most = fixed + sum(_most_tokens(part) for turn in turns for part in turn.parts)
    return min(most, plan.input_most) if plan.input_most and _file_tokens(*turns) else most


def _most_tokens(part: TurnPart) -> int:
    if isinstance(part, FilePart):
        return part.tokens_ceiling
    if isinstance(part, ResultPart):
        return CALL_BYTES + utf8_bytes(part.call + part.name + part.text)
    return utf8_bytes(part.own if isinstance(part, SaidPart) else part.text)


def _file_tokens(*turns: Turn) -> int:
    """What the files in these are expected to be billed as; one with a file is never taken for text alone."""
    return sum(max(1, file.tokens) for turn in turns for file in files_of(turn.parts))


def utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
