"""Where the values of a row stand, for `show`. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from pipeline.extraction.evidence.share import grounded_share, ungrounded
from pipeline.extraction.review import review_reasons
from pipeline.text import inert
from pipeline.types import Evidence, Outcome

MOST_SHOWN_CHARS = 60


def evidence_shown(outcome: Outcome) -> dict[str, Any]:
    """Nothing where values were not looked for; of several records their evidence one after the other."""
    if outcome.evidence is None:
        return {}
    all_of_it = tuple(one for record in outcome.evidence for one in record)
    return {
        "evidence": [asdict(one) for one in all_of_it],
        "grounded_share": grounded_share(all_of_it),
        "ungrounded": ungrounded(all_of_it),
        "needs_review": list(review_reasons(outcome, all_of_it)),
        **({} if outcome.text is None else {"text": outcome.text}),
    }


def evidence_text(shown: Mapping[str, Any]) -> str:
    """A line for each value of each row: `total = 12.5  ← "12,50" p. 2`."""
    return "\n\n".join(
        "\n".join(_line(one, row.get("record")) for one in row["evidence"])
        for row in shown["rows"]
        if row.get("evidence")
    )


def _line(one: Mapping[str, Any], record: object) -> str:
    found = Evidence(**one)
    value = json.dumps(_at(record, found.path), ensure_ascii=False, default=str)
    value = value if len(value) <= MOST_SHOWN_CHARS else f"{value[: MOST_SHOWN_CHARS - 1]}…"
    if found.quote is None:
        return inert(f"{found.path} = {value}  ({found.status.replace('_', ' ')})")
    page = "" if found.page is None else f" p. {found.page}"
    how = "" if found.status == "exact" else f" ({found.status})"
    return inert(f'{found.path} = {value}  ← "{" ".join(found.quote.split())}"{page}{how}')


def _at(record: object, path: str) -> object:
    """The value at a path such as `lines[2].amount`; of a list of records that is not told which."""
    for step in path.replace("[", ".[").split("."):
        if step.startswith("[") and isinstance(record, list):
            record = record[int(step[1:-1])] if int(step[1:-1]) < len(record) else None
        elif isinstance(record, Mapping):
            record = record.get(step)
        else:
            return None
    return record
