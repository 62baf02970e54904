"""What an amount is by the words before it. Pure."""

from collections.abc import Sequence

KINDS_BY_RANK = ("none", "item", "left", "gross", "incl", "net", "tax", "total")


def kind_of(kinds: Sequence[str]) -> str:
    """The one that counts of kinds of words in a row (`words.AMOUNT_WORDS`); `incl` is a gross total.

    >>> kind_of(["total", "net"])
    'net'
    """
    tax = kinds[0] == "tax" and not {"none", "item", "incl"} & set(kinds)
    found = "tax" if tax else min(kinds, key=KINDS_BY_RANK.index)
    return "gross" if found == "incl" else found
