"""The input as an estimate needs it: rows, duplicates, chunks and token counts, in one pass and offline."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from msgspec import Struct

from pipeline.catalog.known_as import known_as
from pipeline.codes import Status
from pipeline.commands.estimate.counted import Counts
from pipeline.commands.estimate.packs import Packing
from pipeline.documents.sources.rows import SeenIds
from pipeline.documents.token_pool import Cutting, counted
from pipeline.extraction import requests as planning
from pipeline.extraction.hashes import content_key
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.template import TEXT, Template, render
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.queries import ends
from pipeline.parts import files_of
from pipeline.schema.answer_size import answer_tokens
from pipeline.types import Chunk, Request, Row

ROUND_TOKENS = 100  # of what a model asks for in a round of look-ups, and of what they find, as a guess
ROWS_MEASURED_AT_ONCE = 256


class RequestOverhead(Struct, frozen=True):
    """What every request of a job holds beside its chunk, in tokens as nearly as they are known of the provider."""

    plan: Plan
    fixed_tokens: int
    texts: int  # how often the prompt holds the chunk's text
    record_tokens: int = 0  # of a record that goes with the chunks after it

    def tokens(self, others: int, piece: "Piece") -> int:
        return self.fixed_tokens + others + self.texts * piece.text_tokens + piece.file_tokens


class Piece(Struct, frozen=True):
    """A chunk by its sizes. Files go along once, however often the prompt holds the text beside them."""

    text_tokens: int
    file_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.text_tokens + self.file_tokens


def overhead_of(prepared: Prepared) -> RequestOverhead:
    plan = prepared.plan
    record = round(answer_tokens(prepared.shaped.shape.schema).expected) if plan.window_chunks else 0
    return RequestOverhead(plan, prepared.overhead_tokens, plan.template.columns.count(TEXT), record)


def measure(prepared: Prepared, *, failed_only: bool = False, all_rows: bool = False) -> Counts:
    """Count what is still to be sent; rows with an outcome in the output folder's ledger cost nothing more.

    `failed_only`: what a retry would send. `all_rows`: as if nothing was done.
    """
    question, job = overhead_of(prepared), prepared.job
    sums = Counts(fixed_tokens_per_request=question.fixed_tokens)
    rows = rows_to_send(prepared, sums, failed_only=failed_only, all_rows=all_rows)
    plan = question.plan
    name = known_as(job.model, job.prices)
    cutting = Cutting(job.model.provider, name, plan.chunk_tokens, plan.overlap_tokens, plan.select, plan.words_asked)
    alone = prepared.packed is None or failed_only  # what a retry is to mend goes by itself
    packing, tenants = None if alone else Packing(prepared, sums), deque[str | None]()

    def texts_of(batch: Sequence[Row]) -> list[tuple[str, str]]:
        found = list(_without_files(prepared, question, sums, batch))
        tenants.extend(row.tenant for row in found if packing is not None)
        return [(row.text, other_text(plan, row)) for row in found]

    for counts in counted(cutting, map(texts_of, rows)):
        for others, asked, skipped in counts:
            _add(sums, question, others, [Piece(tokens) for tokens in asked])
            if packing is not None:
                tenant = tenants.popleft()
                if len(asked) == 1 and not skipped:
                    packing.add(tenant, others + asked[0], question.tokens(others, Piece(asked[0])))
            sums.skipped_chunks += len(skipped)
            sums.skipped_input_tokens += sum(question.tokens(others, Piece(tokens)) for tokens in skipped)
            sums.skipped_document_tokens += sum(skipped)
    if packing is not None:
        packing.end()
    return sums


def _without_files(prepared: Prepared, question: RequestOverhead, sums: Counts, rows: Sequence[Row]) -> Iterator[Row]:
    """The rows whose text is to be counted; those that go as files are, by their pages."""
    for row in rows:
        if not files_of(row.parts):
            yield row
            continue
        others = prepared.counter.count(other_text(question.plan, row))
        _add(sums, question, others, [piece_of(chunk) for chunk in prepared.chunks_of(row, exact=True)])


def piece_of(chunk: Chunk) -> Piece:
    files = files_of(chunk.parts)
    known = sum(file.tokens for file in files)
    return Piece(chunk.tokens - known, max(known, len(files)))


def requests_to_send(prepared: Prepared) -> Iterator[Request]:
    """The first request of every chunk that has no outcome yet."""
    plan = prepared.plan
    for rows in rows_to_send(prepared, Counts()):
        for row in rows:
            for piece in prepared.chunks_of(row, exact=True):
                yield planning.extract_request(plan, row, piece)


def other_text(plan: Plan, row: Row) -> str:
    """What a prompt holds of the row beside its document."""
    template = plan.template
    if not template.other_columns:
        return ""
    return render(Template(("",) * len(template.literals), template.columns), "", row.values)


def rows_to_send(
    prepared: Prepared, sums: Counts, *, failed_only: bool = False, all_rows: bool = False
) -> Iterator[list[Row]]:
    """The rows that a run, or a retry, would send, a batch at a time; what was passed over is counted in `sums`."""
    ledger = prepared.ledger_path
    with ExitStack() as opened:
        seen = opened.enter_context(closing(SeenIds()))
        done = None
        if ledger.exists() and not all_rows:
            done = opened.enter_context(reading(ledger))
        for rows in prepared.source.batches(ROWS_MEASURED_AT_ONCE):
            yield _to_send(prepared.plan, rows, sums, seen, done, failed_only=failed_only)


def _to_send(
    plan: Plan,
    rows: Sequence[Row],
    sums: Counts,
    seen: SeenIds,
    done: Connection | None,
    *,
    failed_only: bool,
) -> list[Row]:
    docs = [None if row.problem else content_key(plan, row) for row in rows]
    ended = ends(done, [doc for doc in docs if doc is not None]) if done is not None else {}
    wanted = {}
    for row, doc in zip(rows, docs, strict=True):
        sums.rows += 1
        if doc is None:
            sums.bad_rows += 1
            continue
        end = ended.get(doc)
        if (end is None or end.of_its_file) if not failed_only else (end is not None and end.status == Status.FAILED):
            wanted[row.index] = row, doc.hex()
        else:
            sums.done_rows += 1
    repeated = seen.claim([(index, doc) for index, (_, doc) in wanted.items()])
    sums.duplicate_rows += len(repeated)
    return [row for index, (row, _) in wanted.items() if index not in repeated]


def _add(sums: Counts, question: RequestOverhead, others: int, pieces: Sequence[Piece]) -> None:
    plan = question.plan
    for number, one in enumerate(pieces):
        tokens, piece = question.tokens(others, one), one.tokens
        sums.requests += 1
        sums.file_requests += one.file_tokens > 0
        sums.input_tokens += tokens
        sums.document_tokens += piece
        before = min(plan.window_tokens, min(number, plan.window_chunks) * question.record_tokens)
        sums.input_tokens += before
        sums.free_input_tokens += before
        if plan.two_step:  # the reading is about as long as what was read, and is what the second step reads
            _add_free(sums, tokens - plan.examples.tokens, min(piece, plan.max_output_tokens))
        if plan.rounds:  # one of look-ups, which holds all of the question, and what it found
            _add_free(sums, tokens + ROUND_TOKENS, ROUND_TOKENS)
        if plan.summary_tokens and number < len(pieces) - 1:
            _add_free(sums, piece + plan.summary_tokens + plan.summary_tokens // 2, plan.summary_tokens // 2)


def _add_free(sums: Counts, input_tokens: int, output_tokens: int) -> None:
    sums.free_requests += 1
    sums.input_tokens += input_tokens
    sums.free_input_tokens += input_tokens
    sums.free_output_tokens += output_tokens
