"""What of the results was right, counted by field. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from pipeline.commands.evaluate.compare import Judged, Verdict

MOST_PATHS = 1000  # told apart; keys of objects that are data could be any number
MOST_EXAMPLES = 3  # of what is not right, of each field
MOST_CHARS = 200


class Tally(Struct):
    """Of all rows that were compared, or of a group of them. `usd`: what they cost, None while no price is known."""

    compared: int = 0
    right_records: int = 0
    failed: int = 0
    usd: Decimal | None = None
    counts: dict[str, Counter[Verdict]] = field(default_factory=dict)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, row_id: str, leaves: Sequence[Judged], usd: Decimal | None, *, failed: bool = False) -> None:
        """A row by all its leaves; its record is right when they are."""
        self.compared += 1
        self.failed += failed
        self.right_records += all(one.verdict is Verdict.RIGHT for one in leaves)
        self.usd = self.usd if usd is None else (self.usd or Decimal(0)) + usd
        for one in leaves:
            path = bounded(one.at.path, self.counts)
            self.counts.setdefault(path, Counter())[one.verdict] += 1
            if one.verdict is not Verdict.RIGHT and not failed:
                self._keep(path, row_id, one)

    def _keep(self, path: str, row_id: str, one: Judged) -> None:
        kept = self.examples.setdefault(path, [])
        if len(kept) < MOST_EXAMPLES:
            at = one.at.known or one.at.found
            sides = {"known": said(one.known), "found": said(one.found)}
            kept.append({"id": row_id, "path": at, "verdict": str(one.verdict), **sides})

    @property
    def accuracy(self) -> float | None:
        """The share of values that are right; None where no value was known."""
        counted = sum(one.total() for one in self.counts.values())
        return sum(one[Verdict.RIGHT] for one in self.counts.values()) / counted if counted else None

    def as_json(self) -> dict[str, Any]:
        right = self.right_records
        each = None if self.usd is None or not right else f"{self.usd / right:.10f}"
        return {
            "compared": self.compared,
            "accuracy": self.accuracy,
            "record_accuracy": right / self.compared if self.compared else None,
            "fields": {path: _counted(counts) for path, counts in self.counts.items()},
            "cost_per_right_record_usd": each,
            "failed": self.failed,
        }


def bounded(path: str, counted: Mapping[str, object]) -> str:
    """The path under which to count, of which there are never many."""
    known = path in counted or len(counted) < MOST_PATHS
    return path if known else path.partition(".")[0] + ".*"


def _counted(counts: Counter[Verdict]) -> dict[str, Any]:
    n = counts.total()
    return {"n": n, **{str(one): counts[one] for one in Verdict}, "accuracy": counts[Verdict.RIGHT] / n}


def said(value: Any) -> str | None:  # noqa: ANN401 (any meaning)
    """A value for people: None where there is none."""
    if value is None:
        return None
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"
