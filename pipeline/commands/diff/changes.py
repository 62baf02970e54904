"""What changed of a row, and of all rows: counts, and the first rows in full. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from pipeline.commands.evaluate.compare import Judged, differing
from pipeline.commands.evaluate.tally import bounded, said

MOST_LEAVES = 40  # of a row that is shown
MOST_IDS = 20  # of rows on one side only

Line = Mapping[str, Any]


class Change(Struct, frozen=True):
    """A row that both sides have and that differs."""

    left: Line
    right: Line
    leaves: Sequence[Judged]  # known is left, found is right

    @property
    def outcomes(self) -> str | None:
        """How it ended on either side, where that differs."""
        one, other = outcome(self.left), outcome(self.right)
        return None if one == other else f"{one} → {other}"


class Counts(Struct):
    """`most`: how many changed rows are kept to be shown."""

    most: int
    same: int = 0
    changed: int = 0
    alone: tuple[int, int] = (0, 0)
    fields: Counter[str] = field(default_factory=Counter)  # rows in which it changed
    outcomes: Counter[str] = field(default_factory=Counter)
    shown: list[dict[str, Any]] = field(default_factory=list)
    ids: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

    def add(self, change: Change | None) -> None:
        """None: a row that is the same."""
        if change is None:
            self.same += 1
            return
        self.changed += 1
        if change.outcomes is not None:
            self.outcomes[change.outcomes] += 1
        self.fields.update(dict.fromkeys(bounded(one.at.path, self.fields) for one in change.leaves).keys())
        if len(self.shown) < self.most:
            self.shown.append(_told(change))

    def add_alone(self, side: int, row_id: str) -> None:
        left, right = self.alone
        self.alone = (left, right + 1) if side else (left + 1, right)
        if len(self.ids[side]) < MOST_IDS:
            self.ids[side].append(row_id)


def change_of(left: Line, right: Line, meaning: Callable[[Any], Any]) -> Change | None:
    """None where both say the same: records by what their values mean (`meaning_of`), and how the row ended."""
    leaves: list[Judged] = []
    one, other = left["record"], right["record"]
    if one is not None and other is not None and one != other:
        leaves = list(differing(meaning(one), meaning(other)))
    found = Change(left, right, leaves)
    return found if leaves or found.outcomes is not None else None


def outcome(line: Line) -> str:
    """`ok`, `pending`, or `failed` with its code."""
    code = line.get("error_code")
    return f"{line['status']} ({code})" if code else str(line["status"])


def _told(change: Change) -> dict[str, Any]:
    evidence = _by_path(change.left), _by_path(change.right)
    shown = change.leaves[:MOST_LEAVES]
    return {
        "id": change.left["id"],
        **({} if change.left.get("chunk") is None else {"chunk": change.left["chunk"]}),
        "left": _side(change.left),
        "right": _side(change.right),
        "fields": [_leaf(one, evidence) for one in shown],
        "fields_left_out": len(change.leaves) - len(shown),
    }


def _side(line: Line) -> dict[str, Any]:
    cost = line.get("cost_total_usd", line.get("cost_usd"))
    return {"outcome": outcome(line), "cost_usd": None if cost is None else f"{cost:.10f}"}


def _leaf(one: Judged, evidence: tuple[Mapping[str, Any], Mapping[str, Any]]) -> dict[str, Any]:
    left, right = _value(one.known, one.at.known, evidence[0]), _value(one.found, one.at.found, evidence[1])
    return {"path": one.at.path, "left": left, "right": right}


def _value(value: Any, at: str, evidence: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 (any meaning)
    """With where it stands in the record, and where in the document, as far as that is known."""
    told = {"at": at, "value": said(value)}
    return told if value is None or at not in evidence else {**told, "evidence": evidence[at]}


def _by_path(line: Line) -> dict[str, Any]:
    """As Arrow has it, or as it was put aside."""
    found: Any = line.get("evidence")
    found = found if found is None or isinstance(found, list) else found.as_py()
    return {one["path"]: one for one in found or ()}
