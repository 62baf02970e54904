"""A row's record against its document: looked for, asked about once where that is wanted, and repaired once.

What is found is decided in `extraction.evidence`; here is the order, and who is asked.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.codes import ErrorCode, Status
from pipeline.engine.ask import RowFailed
from pipeline.engine.row_end import ChunkAnswer, RowEnds
from pipeline.engine.threads import in_thread_if_long
from pipeline.extraction.evidence.align import Leaf
from pipeline.extraction.evidence.asked import MOST_VALUES, lines_named, question
from pipeline.extraction.evidence.rows import Found, RowText, carried, named, ready_for, share_of
from pipeline.extraction.evidence.share import is_wanted
from pipeline.extraction.prepare import Prepared
from pipeline.schema.json_schema import original_of
from pipeline.types import Chunk, Request, Row

MOST_NAMED = 12  # of a row's values that are nowhere, in words
MOST_SHOWN_CHARS = 80


class Second(Protocol):
    """Whom a row's second questions go to."""

    async def where(self, request: Request, question: str) -> str:
        """The answer to a question in plain words, beside what `request` asked; "" where there is none."""
        ...

    async def doubted(self, one: ChunkAnswer, doubts: Sequence[str]) -> ChunkAnswer | None:
        """The one repair of an answer; None where that has been, or brings no record."""
        ...


class Grounding:
    """Of a job whose values are looked for."""

    def __init__(self, prepared: Prepared, ends: RowEnds) -> None:
        extract = prepared.job.extract
        self._ready = ready_for(original_of(prepared.model).schema)
        self._ends = ends
        self._asks = extract.evidence == "ask"
        self._min_share = extract.min_grounded
        self._per_chunk = extract.merge == "none"

    async def grounded(
        self, row: Row, answers: Sequence[ChunkAnswer], end: dict[str, Any], second: Second
    ) -> dict[str, Any]:
        """How the row ends, with the evidence of its records.

        Raises:
            RowFailed: ungrounded: too little of them stands in the document, after a repair.
        """
        text = RowText(row, [one.chunk for one in answers])
        found = await self._looked(text, end["records"])
        if self._asks:
            found = await self._named(text, found, answers, second)
        if not self._is_enough(text, found):
            repaired = await self._repaired(text, answers, second)
            again = self._ends.merged(repaired)
            if again["status"] is Status.OK:
                end, before = again, found
                found = await self._looked(text, end["records"])
                if len(found) == len(before):
                    found = [carried(*pair) for pair in zip(found, before, strict=True)]
            if not self._is_enough(text, found):
                raise RowFailed(ErrorCode.UNGROUNDED, self._told(text, found), reply=repaired[-1].reply)
        return {**end, "evidence": tuple(text.evidence(one) for one in found)}

    def is_grounded(self, row: Row, chunk: Chunk, record_json: str) -> bool:
        """Whether enough of one chunk's record stands in the chunk."""
        if not self._min_share:
            return True
        text = RowText(row, [chunk])
        return self._is_enough(text, [text.found(self._ready, record_json, text.stretches[0])])

    async def _looked(self, text: RowText, records: Sequence[str]) -> list[Found]:
        """A long text takes its time (a millisecond a KB): off the event loop then."""
        return await in_thread_if_long(text.text, lambda: self._found(text, records))

    def _found(self, text: RowText, records: Sequence[str]) -> list[Found]:
        """With one record per chunk each in its chunk, else in all of the text."""
        if self._per_chunk:
            pairs = zip(records, text.stretches, strict=True)
            return [text.found(self._ready, record, stretch) for record, stretch in pairs]
        return [text.found(self._ready, record, text.whole) for record in records]

    def _is_enough(self, text: RowText, found: Sequence[Found]) -> bool:
        share = share_of(text, found)
        return share is None or share >= self._min_share

    async def _named(
        self, text: RowText, found: list[Found], answers: Sequence[ChunkAnswer], second: Second
    ) -> list[Found]:
        """With what a model says stands where, of what is required and was not found: one question for the row."""
        most = max(range(len(found)), key=lambda number: len(_required(found[number])))
        if not (asked := _required(found[most])):
            return found
        place = most if self._per_chunk else _chunk_with_most(answers, asked)
        asked = [leaf for leaf in asked if self._per_chunk or _is_in(leaf, answers[place])][:MOST_VALUES] or asked
        stretch = text.stretches[place]
        words = text.text[stretch.start : stretch.end]
        said = await second.where(
            answers[place].request, question(words, [(leaf.path, leaf.value) for leaf in asked[:MOST_VALUES]])
        )
        lines = lines_named(said, len(asked), len(words.splitlines()))
        seen = named(found[most], words, stretch.start, lines, asked)
        return [*found[:most], seen, *found[most + 1 :]]

    async def _repaired(self, text: RowText, answers: Sequence[ChunkAnswer], second: Second) -> list[ChunkAnswer]:
        """The answers, those repaired that say what their own chunk does not."""
        made = []
        for one, stretch in zip(answers, text.stretches, strict=True):
            missing = text.found(self._ready, one.record_json, stretch).missing
            again = await second.doubted(one, _doubts(missing)) if missing else None
            made.append(again or one)
        return made

    def _told(self, text: RowText, found: Sequence[Found]) -> str:
        share = share_of(text, found)
        missing = [leaf for one in found for leaf in one.missing]
        more = f", and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        return (
            f"{share or 0:.0%} of its values stand in the document, and extract.min_grounded = {self._min_share:g}: "
            f"not found {', '.join(_shown(leaf) for leaf in missing[:MOST_NAMED])}{more}"
        )


def grounding_of(prepared: Prepared, ends: RowEnds) -> Grounding | None:
    """None for a job that looks for no values."""
    return Grounding(prepared, ends) if is_wanted(prepared.job.extract) else None


def _required(found: Found) -> list[Leaf]:
    return [leaf for leaf in found.missing if leaf.required]


def _chunk_with_most(answers: Sequence[ChunkAnswer], leaves: Sequence[Leaf]) -> int:
    return max(range(len(answers)), key=lambda number: sum(_is_in(leaf, answers[number]) for leaf in leaves))


def _is_in(leaf: Leaf, answer: ChunkAnswer) -> bool:
    return json.dumps(leaf.value, ensure_ascii=False, default=str) in answer.record_json


def _doubts(missing: Sequence[Leaf]) -> list[str]:
    return [_shown(leaf) for leaf in missing[:MOST_NAMED]]


def _shown(leaf: Leaf) -> str:
    return f"{leaf.path} = {json.dumps(leaf.value, ensure_ascii=False, default=str)[:MOST_SHOWN_CHARS]}"
