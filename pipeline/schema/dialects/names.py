"""Names that a dialect takes, for definitions and properties. Pure."""

import re
import unicodedata
from collections.abc import Container

LONGEST = 64
OTHERS = re.compile(r"[^A-Za-z0-9_]+")


def safe_name(name: str, taken: Container[str], fallback: str) -> str:
    """A name of ASCII letters, digits and underscores that is not taken yet; as near to `name` as that allows."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = OTHERS.sub("_", ascii_name).strip("_")[:LONGEST] or fallback
    if not plain[0].isalpha():
        plain = f"{fallback}_{plain}"[:LONGEST]
    number, found = 1, plain
    while found in taken:
        number += 1
        found = f"{plain[: LONGEST - len(str(number)) - 1]}_{number}"
    return found
