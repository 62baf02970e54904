"""Text as it can be sent, shown and read. Pure."""

import unicodedata


def repaired(text: str) -> str:
    """`text` as it can be sent: pairs of surrogates joined, lone ones made U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 5400:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def inert(text: str) -> str:
    """`text` with what a terminal would act on (escapes, control characters, changes of direction) made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char == "\n" or not _acts(char) else f"\\u{ord(char):04x}" for char in text)


def _acts(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
