"""How the report writes money, times and text."""

from decimal import Decimal
from html import escape as escaped

from pipeline.money import dollars
from pipeline.text import duration, inert

CENT = Decimal("0.01")
SHORT = 240


def escape(text: object) -> str:
    """Inert in HTML, and on whoever's terminal prints it."""
    return escaped(inert(str(text)))


def escape_text(text: str) -> str:
    """The same of a source text, whose tabs stay tabs."""
    return "\t".join(map(escape, text.split("\t")))


def usd(amount: Decimal) -> str:
    return (
        f"${amount:,.2f}" if amount >= 100 else f"${amount:,.4f}" if amount >= CENT or not amount else dollars(amount)
    )


def milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value < 10_000 else duration(value / 1000)


def short(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """Rounded down: 100 % is all of them."""
    return f"{part * 1000 // whole / 10:.1f} %"
