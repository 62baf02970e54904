"""Texts → the language they are in, and the fields that a schema for them may have. Pure.

Guesses: they are written where a person edits them. What stands in front of a colon in several documents is a field.
"""

import keyword
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

LABELLED = re.compile(r"^[ \t>*|-]*([^\W\d_][\w .'’/#&()-]{0,38}?)[ \t]*[:：][ \t]*(\S.{0,120})$", re.MULTILINE)
COLUMNS = re.compile(r"[ \t]{3,}|\t")  # what two of them on one line are parted by
LOOKED_AT_CHARS = 20_000  # of one text
MOST_FIELDS, LEAST_FIELDS = 12, 2
SEEN_SHARE = 0.3  # of the documents, from which on a label is a field
MOST_WORDS = 4
DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d)|\d{4}年\d{1,2}月\d{1,2}日"
    r"|\d{1,2}\.? +[^\W\d_]{3,12}\.? +\d{4}|[^\W\d_]{3,12}\.? +\d{1,2},? +\d{4}"
)
AMOUNT = re.compile(  # a number with leading zeros, or with seven digits in a row, is somebody's name for a thing
    r"(?:[A-Z]{3} ?|[$€£¥₹] ?)?[-−]?(?!0\d|\d{7})\d(?:[\d.,'’  ]*\d)?(?: ?(?:[A-Z]{3}|[$€£¥₹%]))?"
)
WHOLE = re.compile(r"[1-9]\d{0,5}|0")
OF_PYDANTIC = {
    "copy",
    "dict",
    "json",
    "schema",
    "validate",
    "construct",
    "fields",
    "parse_obj",
    "parse_raw",
    "from_orm",
}
TAKEN = OF_PYDANTIC | {"datetime", "str", "int"}  # these stand in the file as types
HEADS = frozenset({"http", "https", "re", "fwd", "fw", "ps", "nb", "cc", "bcc", "mailto", "tel", "fax", "note"})
WORDS = {
    "English": "the and of to in is for with that this from by are was your",
    "German": "der die das und ist nicht mit von für auf ein eine dem den wird sie",
    "French": "le la les et des est pour dans que une avec sur du vous nous",
    "Spanish": "el los las y del para por con una que su se es como más",
    "Italian": "il gli di che per una con del della sono non le dei nel",
    "Dutch": "de het een van en voor met niet zijn wordt op bij uw wij",
    "Portuguese": "o os de do da para com uma não que em dos das por",
    "Polish": "i w na z do nie się jest dla od oraz przez",
    "Swedish": "och att det som en för på är med av till inte",
}
SCRIPTS = {
    "Japanese": "HIRAGANA", "Korean": "HANGUL", "Chinese": "CJK", "Russian": "CYRILLIC", "Arabic": "ARABIC",
    "Hebrew": "HEBREW", "Greek": "GREEK", "Thai": "THAI", "Hindi": "DEVANAGARI",
}  # fmt: skip


class Guessed(Struct, frozen=True):
    """A field. `kind` is a type as it is written."""

    name: str
    kind: str
    description: str


PLAIN = (
    Guessed("title", "str", "Title or subject of the document, as printed"),
    Guessed("summary", "str", "What it says, in one or two sentences"),
)
DATED = Guessed("dated", "datetime.date", "Date of the document itself")
TOTAL = Guessed("total", "Decimal", "The amount that it is about, without its currency")


def language_of(texts: Iterable[str]) -> str:
    """Its English name, or "" where nothing speaks for one."""
    sample = " ".join(text[:LOOKED_AT_CHARS] for text in texts)[: 5 * LOOKED_AT_CHARS]
    letters = Counter(unicodedata.name(char, "").partition(" ")[0] for char in sample if char.isalpha())
    script = next((name for name, one in SCRIPTS.items() if letters[one] > 0.1 * letters.total()), "")
    if script:
        return script
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    score = {name: sum(words[word] for word in listed.split()) for name, listed in WORDS.items()}
    best = max(score, key=lambda name: score[name])
    return best if score[best] >= max(3, 0.03 * words.total()) else ""


def fields_of(texts: Sequence[str]) -> tuple[Guessed, ...]:
    """What texts like these tell, with no name twice; never none."""
    seen: dict[str, list[str]] = defaultdict(list)  # by label: its value in each document, of which there is one
    for text in texts:
        for label, value in _labelled(text[:LOOKED_AT_CHARS]).items():
            seen[label].append(value)
    least = max(1 if len(texts) < 3 else 2, round(SEEN_SHARE * len(texts)))
    known = [(label, values) for label, values in seen.items() if len(values) >= least]
    known.sort(key=lambda one: -len(one[1]))
    found: dict[str, Guessed] = {}
    for label, values in known[:MOST_FIELDS]:
        if name := field_name(label):
            found.setdefault(name, Guessed(name, kind_of(values), f"What is printed as {label!r}"))
    if len(found) >= LEAST_FIELDS:
        return tuple(found.values())
    dated = (DATED,) if sum(1 for text in texts if DATE.search(text)) * 2 > len(texts) else ()
    priced = (TOTAL,) if sum(1 for text in texts if re.search(r"[$€£¥]", text)) * 2 > len(texts) else ()
    return tuple({one.name: one for one in (*PLAIN, *dated, *priced, *found.values())}.values())


def kind_of(values: Sequence[str]) -> str:
    """`datetime.date`, `Decimal` or `int` where all values are such, else `str`."""
    for kind, pattern in (("datetime.date", DATE), ("int", WHOLE), ("Decimal", AMOUNT)):
        if all(pattern.fullmatch(value.strip()) for value in values):
            return kind
    return "str"


def field_name(label: str) -> str:
    """A label as the name of a field; "" where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", label.replace("ß", "ss")).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if not name or not name[0].isalpha():
        return ""
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN or name.startswith("model_") else name


def _labelled(text: str) -> dict[str, str]:
    """The first value of each label of a text."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        for part in COLUMNS.split(line):
            match = LABELLED.fullmatch(part)
            label = match[1].strip() if match else ""
            if match and label.lower() not in HEADS and len(label.split()) <= MOST_WORDS and "//" not in match[2][:2]:
                found.setdefault(label, match[2].strip())
    return found
