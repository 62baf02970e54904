"""A record against the XML that came with its document: fields that surely mean the same, and differ. Pure.

Neither is right by itself: what differs is told, and nothing is changed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.extraction.field_names import OTHER, names_of, resolved
from pipeline.extraction.invoice_names import (
    ADDRESSES,
    BUYER,
    BUYERS,
    HEAD,
    LINE,
    LINES,
    SAME,
    SELLER,
    SELLERS,
    Meaning,
)
from pipeline.text import folded

CENT, HALF_CENT = Decimal("0.01"), Decimal("0.005")
CREDITS = frozenset(
    ["81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "532"]
)  # UNTDID 1001: credit notes
CREDIT_WORDS = re.compile("credit|gutschrift|avoir|abono|accredito|storno|kredit")
INVOICE_WORDS = re.compile("invoice|rechnung|facture|factura|fattura|fatura|factuur|faktura")
SYMBOLS = {"€": "EUR", "£": "GBP"}
MARKED = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})")
MONEY = re.compile(r"[^\d.,+-]+")

Facts = Mapping[str, Any]
Schema = Mapping[str, Any]


class _Place(Struct, frozen=True):
    """Where in the record, what names mean there, and what the XML says there."""

    path: str
    names: Mapping[str, Meaning]
    facts: Facts
    definitions: Mapping[str, Schema]
    is_credit: bool = False  # signs are anybody's then


def conflicts(record: Mapping[str, Any], schema: Schema, facts: Facts) -> tuple[str, ...]:
    """Paths such as `total_gross` and `lines[2].amount`, in the schema's order.

    Args:
        record: as JSON has it.
        schema: its JSON schema; of fields their names count, then their titles and descriptions, read as names.
        facts: of `pipeline.reader.einvoice.facts_of`.
    """
    is_credit = facts.get("type_code") in CREDITS
    return tuple(_in_object(record, schema, _Place("", HEAD, facts, schema.get("$defs", {}), is_credit)))


def _in_object(record: Mapping[str, Any], schema: Schema, place: _Place) -> Iterator[str]:
    for key, field in resolved(schema, place.definitions).get("properties", {}).items():
        value = record.get(key)
        if value in (None, "", []):
            continue
        inner = replace(place, path=f"{place.path}.{key}" if place.path else key)
        for name in names_of(key, field):
            if (found := _in_field(name, value, field, inner)) is not None:
                yield from found
                break


def _in_field(name: str, value: object, field: Schema, place: _Place) -> list[str] | None:
    """What differs in a field; None where its name says nothing."""
    if isinstance(value, Mapping):
        names = _names_within(name, place)
        return None if names is None else list(_in_object(value, field, replace(place, names=names)))
    if isinstance(value, list):
        is_lines = place.names is HEAD and name in LINES and all(isinstance(one, Mapping) for one in value)
        return _in_lines(value, field, place) if is_lines else None
    meaning = place.names.get(name)
    if meaning is None:
        return None
    return [place.path] if _differs(meaning, value, place) else []


def _names_within(name: str, place: _Place) -> Mapping[str, Meaning] | None:
    if place.names is not HEAD:
        return place.names if name in ADDRESSES else None
    return SELLER if name in SELLERS else BUYER if name in BUYERS else HEAD if name in SAME else None


def _in_lines(lines: Sequence[Mapping[str, Any]], field: Schema, place: _Place) -> list[str]:
    """Line by line, where both sides have as many; nothing where they are the same in another order."""
    told: Sequence[Facts] = place.facts.get("lines", ())
    if len(told) != len(lines):
        return []
    items = resolved(field, place.definitions).get("items", {})

    def differing(number: int, facts: Facts) -> list[str]:
        at = replace(place, path=f"{place.path}[{number}]", names=LINE, facts=facts)
        return list(_in_object(lines[number], items, at))

    in_order = [path for number, facts in enumerate(told) for path in differing(number, facts)]
    left = list(told)
    for number in range(len(lines) if in_order else 0):
        same = next((facts for facts in left if not differing(number, facts)), None)
        if same is None:
            return in_order
        left.remove(same)
    return []


def _differs(meaning: Meaning, value: object, place: _Place) -> bool:
    """Whether it is none of the facts that may be meant, where there are any and both sides can be read."""
    said = [place.facts[fact] for fact in meaning.facts if place.facts.get(fact)]
    if meaning.kind == "tax":  # or a rate, as some name it
        said += [tax["rate"] for tax in place.facts.get("taxes", ()) if said and "rate" in tax]
    same = [SAME_BY_KIND[meaning.kind](value, one, place) for one in said]
    return bool(same) and True not in same and False in same


def _same_amount(value: object, said: str, place: _Place) -> bool | None:
    ours, theirs = amount(value), amount(said)
    if ours is None or theirs is None:
        return None
    if place.is_credit:
        ours, theirs = abs(ours), abs(theirs)
    return abs(ours - theirs) < HALF_CENT


def _same_price(value: object, said: str, place: _Place) -> bool | None:
    """Without tax, or with it, as the lines of some invoices are."""
    ours, theirs, rate = amount(value), amount(said), amount(place.facts.get("tax_rate", "0"))
    if ours is None or theirs is None:
        return None
    if place.is_credit:
        ours, theirs = abs(ours), abs(theirs)
    with_tax = theirs * (1 + (rate or Decimal(0)) / 100)
    return abs(ours - theirs) < HALF_CENT or abs(ours - with_tax) <= CENT


def _same_quantity(value: object, said: str, place: _Place) -> bool | None:
    ours, theirs = amount(value), amount(said)
    if ours is None or theirs is None:
        return None
    return abs(ours) == abs(theirs) if place.is_credit else ours == theirs


def _same_rate(value: object, said: str, place: _Place) -> bool | None:
    del place
    ours, theirs = amount(value), amount(said)
    return None if ours is None or theirs is None else theirs in {ours, ours * 100}


def _same_date(value: object, said: str, place: _Place) -> bool | None:
    del place
    ours, theirs = day(value), day(said)
    return None if ours is None or theirs is None else ours == theirs


def _same_name(value: object, said: str, place: _Place) -> bool | None:
    """Case, accents and punctuation aside; one may say more than the other."""
    del place
    if not isinstance(value, str):
        return None
    ours, theirs = _words(value), _words(said)
    return ours <= theirs or theirs <= ours if ours and theirs else None


def _same_words(value: object, said: str, place: _Place) -> bool | None:
    """What was sold is worded freely: half of the words of the shorter are enough."""
    del place
    if not isinstance(value, str):
        return None
    ours, theirs = _words(value), _words(said)
    return 2 * len(ours & theirs) >= min(len(ours), len(theirs)) if ours and theirs else None


def _words(text: str) -> set[str]:
    return set(OTHER.split(folded(text))) - {""}


def _same_id(value: object, said: str, place: _Place) -> bool | None:
    del place
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    ours, theirs = (OTHER.sub("", folded(one)) for one in (str(value), said))
    return None if not ours or not theirs else ours == theirs


def _same_code(value: object, said: str, place: _Place) -> bool | None:
    """A currency."""
    del place
    code = SYMBOLS.get(str(value).strip(), str(value).strip().upper())
    return code == said.upper() if len(code) == 3 and code.isalpha() else None


def _same_country(value: object, said: str, place: _Place) -> bool | None:
    del place
    ours = str(value).strip().upper()
    return ours == said.upper() if len(ours) == 2 else None


def _same_kind(value: object, said: str, place: _Place) -> bool | None:
    del place
    text = folded(str(value))
    if CREDIT_WORDS.search(text):
        return said in CREDITS
    return said not in CREDITS if INVOICE_WORDS.search(text) else None


SAME_BY_KIND = {
    "amount": _same_amount, "tax": _same_amount, "price": _same_price, "quantity": _same_quantity, "rate": _same_rate,
    "date": _same_date, "name": _same_name, "id": _same_id, "currency": _same_code, "country": _same_country,
    "kind": _same_kind, "words": _same_words,
}  # fmt: skip


def amount(value: object) -> Decimal | None:
    """None for what is no amount, or may be one of two: 1,234 and 1.234."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value)
    if "," in text:
        whole, _, part = re.split(r"([.,])(?=[^.,]*$)", MONEY.sub("", text))
        if len(part) == 3:
            return None
        text = re.sub("[.,]", "", whole) + "." + part
    for said in (text, MONEY.sub("", text)):
        with suppress(InvalidOperation):
            number = Decimal(said)
            return number if number.is_finite() else None
    return None


def day(value: object) -> date | None:
    text = str(value).strip()
    marked = MARKED.fullmatch(text)
    try:
        if marked:
            return date(int(marked["year"]), int(marked["month"]), int(marked["day"]))
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
