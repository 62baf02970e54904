"""Which values an answer was repaired for, as they were nowhere in its document: no ledger keeps what it was told."""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from pipeline.commands.answers import Heard, judge_of_run, repaired_first
from pipeline.extraction.evidence.align import Source, align, prepared
from pipeline.extraction.evidence.asked import names_lines
from pipeline.extraction.evidence.rows import INFERRED_KINDS
from pipeline.extraction.evidence.share import NOT_FOUND
from pipeline.extraction.validate import Valid
from pipeline.schema.json_schema import original_of

MOST_NAMED = 12
MOST_SHOWN_CHARS = 80
UNNAMED = "values not in the document"


class Doubts:
    """Of one run, by run.json's job."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._possible = bool(job["extract"].get("min_grounded"))
        self._judge = judge_of_run(job) if self._possible else None
        self._ready = prepared(original_of(self._judge.model).schema) if self._judge else None

    def told(self, heard: Sequence[Heard], text: str | None, in_xml: Container[str]) -> tuple[str, ...]:
        """What a row that was repaired had said of its `text`; nothing where that cannot have been why.

        `in_xml`: paths that an e-invoice's XML has, not its text.
        """
        first = [one for one in repaired_first(heard) if not one.errors]
        if not self._possible or not first:
            return ()
        named = [] if text is None else [told for one in first for told in self._named(one, text, in_xml)]
        more = f", and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        return (f"{UNNAMED}: {', '.join(named[:MOST_NAMED])}{more}" if named else UNNAMED,)

    def _named(self, one: Heard, text: str, in_xml: Container[str]) -> list[str]:
        said = one.said.text
        if self._judge is None or self._ready is None or said is None or names_lines(said):
            return []
        verdict = self._judge.verdict(said)
        if not isinstance(verdict, Valid):
            return []
        return [
            f"{leaf.path} = {json.dumps(leaf.value, ensure_ascii=False, default=str)[:MOST_SHOWN_CHARS]}"
            for leaf in align(self._ready, json.loads(verdict.record_json), Source(text))
            if leaf.status == NOT_FOUND and leaf.kind not in INFERRED_KINDS and leaf.path not in in_xml
        ]
