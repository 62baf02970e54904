"""Of several places where a value may stand, one: beside its siblings, beside its words, or the first. Pure."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.extraction.evidence.find import CODE, MARKS
from pipeline.extraction.evidence.index import Index, Span
from pipeline.extraction.evidence.items import Candidate, chosen_in, items_in, lines_of
from pipeline.extraction.evidence.labels import Labels, Phrases

MOST_COMPARED = 64  # places of one value
CENTS = re.compile(r"[.,]\d\d\b")  # 7.00 is more than a 7


class Rank(NamedTuple):
    """What speaks for a place, the more important first. `is_spelt`: its words are apart, and no page's address."""

    worded: float
    is_spelt: bool
    away: int  # lines from where its siblings are, negative
    is_alone: bool
    has_cents: bool
    first: int


def chosen(candidates: Sequence[Candidate], phrases: Phrases, index: Index) -> dict[str, Span]:
    """Path → place. What stands everywhere (quantities, codes, enums) is left out unless siblings or words place it."""
    lists: dict[str, dict[str, list[Candidate]]] = {}
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        item = one.value.group[: one.value.group.rfind("]") + 1]
        if item:
            lists.setdefault(item[: item.rfind("[")], {}).setdefault(item, []).append(one)
        else:
            groups.setdefault(one.value.group, []).append(one)
    labels = Labels(phrases, index)
    out: dict[str, Span] = {}
    for items in lists.values():
        out |= _of_list(list(items.values()), index)
    for group, members in groups.items():
        out |= _of_object(members, labels, index, nested=bool(group))
    return out


def _of_list(items: Sequence[Sequence[Candidate]], index: Index) -> dict[str, Span]:
    placed = items_in(items, lines_of(items, index), index)
    out: dict[str, Span] = {}
    for places in chosen_in([item for item in placed if item is not None], index):
        out |= places
    for item, place in zip(items, placed, strict=True):
        line = 0 if place is None else place.line
        for one in item:
            if one.spans and one.value.path not in out and not stands_everywhere(one):
                out[one.value.path] = min(one.spans, key=lambda span: abs(index.line(span[0]) - line))
    return out


def _of_object(members: Sequence[Candidate], labels: Labels, index: Index, *, nested: bool) -> dict[str, Span]:
    """By the field's words; then, in an object within the record, near to its other values; then alone; then first."""
    out = {one.value.path: one.spans[0] for one in members if one.spans}
    unsure = [one for one in members if one.spans and _is_unsure(one)]
    line = lines_of([members], index)[0] if nested and unsure else None
    for one in unsure:
        ranked = ((_rank(one, span, line, labels), span) for span in one.spans[:MOST_COMPARED])
        rank, out[one.value.path] = max(ranked)
        beside = line is not None and rank.away == 0 and len(members) > 1
        if not beside and not _counts(one, rank.worded, out[one.value.path], index):
            del out[one.value.path]
    return out


def _is_unsure(one: Candidate) -> bool:
    return len(one.spans) > 1 or one.value.kind == "date" or stands_everywhere(one)


def _rank(one: Candidate, span: Span, line: int | None, labels: Labels) -> Rank:
    index = labels.index
    text = index.text[slice(*span)]
    spelt = one.value.kind != "text" or " " not in str(one.value.value) or any(map(str.isspace, text))
    away = 0 if line is None else -abs(index.line(span[0]) - line)
    has_cents = CENTS.search(text) is not None
    return Rank(round(labels.score(one.value.place, span), 2), spelt, away, _is_alone(span, index), has_cents, -span[0])


def _counts(one: Candidate, worded: float, span: Span, index: Index) -> bool:
    """Whether a place says something: not where words say that a date is another, or that a 7 is anything."""
    if one.value.kind == "date":
        return worded >= 0
    return worded > 0 or not stands_everywhere(one) or CENTS.search(index.text[slice(*span)]) is not None


def stands_everywhere(one: Candidate) -> bool:
    """Whether that it is printed says nothing of where it was taken from."""
    value = one.value
    code = value.kind == "text" and CODE.fullmatch(str(value.value)) is not None and value.value not in MARKS
    return value.kind == "enum" or code or one.is_small


def _is_alone(span: Span, index: Index) -> bool:
    """Whether it is no part of something longer, such as 20418 of SK-20418."""
    around = index.text[max(0, span[0] - 1) : span[0]] + index.text[span[1] : span[1] + 1]
    return not any(one in "-/._@" for one in around)
