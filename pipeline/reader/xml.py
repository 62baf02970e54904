"""XML of strangers, read with expat: no DTD, no entities, bounded depth. Names are local ones: prefixes are free."""

from collections.abc import Callable, Iterable
from typing import Final
from xml.parsers import expat

from pipeline.reader.read import DAMAGED, Unreadable

MAX_DEPTH = 256
NAMESPACE: Final = "\x01"  # stands between a namespace and a name; no XML can hold it

Start = Callable[[str, dict[str, str]], None]
Said = Callable[[str], None]


def walk(chunks: Iterable[bytes], what: str, *, start: Start, end: Said, text: Said) -> None:
    """Call for every element's start and end, and for all text. `what` is what messages call the XML.

    Raises:
        Unreadable: it is not well-formed, has a DTD, or is nested deeper than MAX_DEPTH.
    """
    depth = 0

    def begin(name: str, attrs: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable(DAMAGED, f"{what} is nested more than {MAX_DEPTH} deep")
        start(_local(name), {_local(key): value for key, value in attrs.items()} if attrs else attrs)

    def finish(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(_local(name))

    def refuse(*_: object) -> None:
        raise Unreadable(DAMAGED, f"{what} has a DTD, which may hide files and floods of text; it is not read")

    parser = expat.ParserCreate(namespace_separator=NAMESPACE)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, finish, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        for chunk in chunks:
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two: of its encoding
        raise Unreadable(DAMAGED, f"{what} is no well-formed XML: {error}") from None


def _local(name: str) -> str:
    return name.rpartition(NAMESPACE)[2]
