"""What is held against the aligner: kinds of values, whether one is printed, and how one is falsified."""

import random
import re
from datetime import date, timedelta
from typing import Any

from pipeline.extraction.evidence import Leaf

IDS = {"invoice_number", "number", "order_number", "vat_id", "seller_iban", "postcode"}
SMALL = {"quantity", "rate", "tax_rate"}


def kind_of(leaf: Leaf) -> str:
    name = leaf.path.rpartition(".")[2]
    if leaf.kind != "text":
        return "dates" if leaf.kind == "date" else "small" if name in SMALL else "amounts"
    return "currency" if name == "currency" else "ids" if name in IDS else "names"


def is_printed(leaf: Leaf, text: str, squeezed: str, words: set[str]) -> bool:
    if leaf.kind == "number":
        whole, _, part = f"{abs(float(leaf.value)):.6f}".rstrip("0").partition(".")
        separated = r"[.,'’ \u00a0]?".join(whole)
        return bool(
            re.search(rf"(?<!\d){separated}" + (rf" ?[.,] ?{part}0*(?!\d)" if part else r"(?:[.,]0+)?(?!\d)"), text)
        )
    if leaf.kind == "date":
        day = date.fromisoformat(leaf.value)
        marked = (
            "%d.%m.%Y",
            "%d.%m.%y",
            "%Y-%m-%d",
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d-%m-%Y",
            "%Y/%m/%d",
            "%Y%m%d",
            "%d/%m/%y",
        )
        plain = {f"{day.day}.{day.month}.{day.year}", f"{day.day}/{day.month}/{day.year}"}
        worded = re.search(rf"(?<!\d){day.day}\W?\w{{0,4}}(?:{day:%b}|[a-zäéû]{{3,9}})\W?{day.year}", squeezed)
        return bool(worded) or any(form in squeezed for form in {*plain, *(day.strftime(one) for one in marked)})
    said = str(leaf.value).casefold()
    return re.sub(r"\s", "", said) in squeezed or set(re.findall(r"[^\W_]+", said)) <= words


def falsified(leaf: Leaf, chance: random.Random) -> str | None:
    """One digit, letter, word or date changed."""
    said = str(leaf.value)
    if leaf.kind == "date":
        return str(date.fromisoformat(said) + timedelta(days=chance.choice([-30, -7, -1, 1, 7, 30])))
    digits = [place for place, char in enumerate(said) if char.isdigit()]
    if leaf.kind == "number":
        digits = [place for place in digits if "." not in said or place <= said.index(".") + 2] or digits
    letters = [place for place, char in enumerate(said) if char.isalpha()]
    spots = digits if leaf.kind == "number" or (digits and kind_of(leaf) == "ids") else letters or digits
    if not spots:
        return None
    words = said.split()
    if leaf.kind == "text" and len(words) > 1 and kind_of(leaf) == "names" and chance.random() < 0.3:
        place = chance.randrange(len(words))
        return " ".join([*words[:place], chance.choice(["Falsum", "Other", "Neumann"]), *words[place + 1 :]])
    place = chance.choice(spots)
    others = "0123456789" if said[place].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    other = chance.choice([one for one in others if one != said[place].lower()])
    return said[:place] + other + said[place + 1 :]


def with_value(record: Any, path: str, value: str) -> Any:
    """The record with another value at a path."""
    head, _, rest = path.replace("[", ".[").lstrip(".").partition(".")
    if not head:
        return value
    if head.startswith("["):
        place = int(head[1:-1])
        return [with_value(one, rest, value) if number == place else one for number, one in enumerate(record)]
    return {**record, head: with_value(record[head], rest, value)}
