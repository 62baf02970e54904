"""What the content of a request is made of: texts and files, and what is said of look-ups between them."""

from msgspec import Struct


class TextPart(Struct, frozen=True, tag="text"):
    """Text, as it is said."""

    text: str


class FilePart(Struct, frozen=True, tag="file"):
    """A file, or some of its pages, that goes to the model as it is; its bytes are read when the request leaves."""

    media_type: str  # of what the model gets
    digest: str  # sha256 of the whole source's bytes, in hex: what the answer depends on
    name: str  # neutral: a provider may show it to the model
    tokens_ceiling: int  # never less than what a provider bills for it as input
    tokens: int = 0  # what it is expected to be billed as
    first: int = 0  # its pages, from 1, both included; 0: all of it, as it is
    last: int = 0
    px: int = 0  # longest edge of the picture that its one page is drawn as; 0: it is not drawn
    path: str = ""  # the source, on this machine: no part of what is asked
    piece: int = 0  # of the source: the part of a mail, from 0
    size: int = 0  # bytes that it adds to a request before base64, about


class LoadedPart(FilePart, frozen=True, tag="loaded"):
    """The same with its bytes, for as long as it takes to send them. It is in no ledger, log or error."""

    base64: bytes = b""

    def __repr__(self) -> str:
        return f"LoadedPart({self.media_type}, {self.digest[:12]}, {len(self.base64)} bytes)"


class ToolCall(Struct, frozen=True, array_like=True):
    """A look-up that a model asks for; `arguments` is JSON as it wrote it."""

    id: str
    name: str
    arguments: str


class SaidPart(Struct, frozen=True, tag="said"):
    """What a model said when it asked for look-ups: JSON in its provider's own form, given back as it came."""

    own: str


class ResultPart(Struct, frozen=True, tag="result"):
    """What a look-up found, as JSON, or why there is nothing."""

    call: str  # the id of its ToolCall
    name: str
    text: str
    failed: bool = False


Part = TextPart | FilePart  # what a request's content is made of, in order
TurnPart = Part | SaidPart | ResultPart  # the same of a turn, where look-ups stand too
Parts = tuple[Part, ...]


def text_parts(text: str) -> Parts:
    """Content that is text alone."""
    return (TextPart(text),)


def text_of(parts: tuple[TurnPart, ...]) -> str:
    """All text of a content, without its files."""
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return parts[0].text
    return "".join(part.text for part in parts if isinstance(part, TextPart))


def files_of(parts: tuple[TurnPart, ...]) -> tuple[FilePart, ...]:
    if len(parts) == 1 and isinstance(parts[0], TextPart):
        return ()
    return tuple(part for part in parts if isinstance(part, FilePart))
