"""Mails (RFC 5322, MIME) → a piece for what is written, then one for each attachment, in order.

A mail within a mail is a piece of its own, followed by its own attachments. An attachment that cannot be read is told
in the first piece, and fails the mail only where nothing else is in it.
"""

import email.policy
import re
from email.message import Message
from email.parser import BytesParser
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from pipeline.reader.clean import page_of
from pipeline.reader.einvoice import facts_of
from pipeline.reader.html import visible_text
from pipeline.reader.kinds import kind_of, read_bytes
from pipeline.reader.media_types import MAIL, PDF, XML
from pipeline.reader.plain import decoded
from pipeline.reader.read import (
    DAMAGED,
    PASSWORD,
    TOO_LARGE,
    TOO_MANY_PAGES,
    Embedded,
    Piece,
    Read,
    ReadOptions,
    Unreadable,
)  # fmt: skip

MAX_DEPTH = 30  # of mails and multiparts within each other
MAX_PARTS = 500
SHOWN_HEADERS = ("From", "To", "Cc", "Subject", "Date")
SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
LOCKED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/encrypted"})
LOGO_PIXELS, LOGO_EDGE = 120_000, 100  # of a picture that stands within the text; less is decoration
CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
ENCRYPTED = "it is encrypted for its reader alone; save it decrypted"
NO_HEADERS = "it has no headers; it is no whole mail"
RAW = email.policy.default.clone(refold_source="none")


class Taken(Struct, frozen=True):
    """A piece with its own bytes, which go to the model where it is sent as it is."""

    piece: Piece
    data: bytes


def read_mail(data: bytes, name: str, options: ReadOptions) -> Read:
    """All pieces of a mail.

    Raises:
        Unreadable: no whole mail, encrypted, nested without end, or of too many parts or pages; or there is nothing in
            it but an attachment that cannot be read.
    """
    found = _Mail(options)
    found.take_mail(_parsed(data), data, name, 0)
    found.leave_out_witnesses()
    return Read(MAIL, sha256(data).hexdigest(), len(data), found.pieces(), tuple(found.embedded))


def piece_bytes(data: bytes, number: int, options: ReadOptions) -> bytes:
    """The bytes of one piece of a mail, as `read_mail` numbers them, from 0."""
    found = _Mail(options)
    found.take_mail(_parsed(data), data, "", 0)
    found.leave_out_witnesses()
    return found.taken[number].data


class _TooMuch(Unreadable):
    """Of the mail as a whole, not of an attachment."""


class _Mail:
    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._parts = self._pages = 0
        self._failures: list[tuple[str, Unreadable]] = []  # attachments that cannot be read, by name
        self._written = False  # whether there is any text of the mail's own
        self.taken: list[Taken] = []
        self.embedded: list[Embedded] = []

    def take_mail(self, mail: Message, data: bytes, name: str, depth: int) -> None:
        """A mail's own text at its place, its attachments after it."""
        place = len(self.taken)
        self._add(Piece(name, MAIL, sha256(data).hexdigest(), (page_of(""),)), data)
        said = _Said()
        self._take(mail, said, depth)
        headers = [f"{key}: {value}" for key in SHOWN_HEADERS if (value := _header(mail, key))]
        text = "\n\n".join(filter(None, ["\n".join(headers), *said.texts]))
        piece = replace(self.taken[place].piece, pages=(page_of(text),))
        self.taken[place] = Taken(piece, data)
        self._written = self._written or bool(said.texts)

    def leave_out_witnesses(self) -> None:
        """The XML beside a PDF says the same in four times as many tokens; by itself it is the document."""
        if any(taken.piece.media_type == PDF for taken in self.taken):
            xml = {embedded.xml for embedded in self.embedded}
            self.taken = [taken for taken in self.taken if taken.data not in xml]

    def pieces(self) -> tuple[Piece, ...]:
        """All of them, with what could not be read at the end of the first.

        Raises:
            Unreadable: there is nothing but that.
        """
        first, *others = [taken.piece for taken in self.taken]
        if self._failures and not self._written and all(piece.media_type == MAIL for piece in others):
            name, error = self._failures[0]
            raise Unreadable(error.reason, f"{name}, and there is nothing else in the mail. {error.told}")
        notes = [f"[{name} cannot be read: {error.reason}]" for name, error in self._failures]
        text = "\n\n".join([first.pages[0].text, *notes])
        return (replace(first, pages=(page_of(text),)), *others) if notes else (first, *others)

    def _take(self, part: Message, said: "_Said", depth: int) -> None:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise _TooMuch(TOO_LARGE, f"its parts are nested more than {MAX_DEPTH} deep, or are more than {MAX_PARTS}")
        kind = part.get_content_type()
        if kind in LOCKED and "signed" not in str(part.get_param("smime-type", "")):
            self._failures.append((_filename(part) or "its content", Unreadable(PASSWORD, ENCRYPTED)))
        elif kind == "multipart/alternative":
            self._take_best(part, said, depth)
        elif kind == "message/rfc822":
            self._take_nested(part, depth)
        elif part.is_multipart():
            for inner in _inner(part):
                self._take(inner, said, depth + 1)
        elif kind not in SIGNATURES:
            self._take_leaf(part, kind, said, depth)

    def _take_best(self, part: Message, said: "_Said", depth: int) -> None:
        """Of forms of the same text the plain one, unless there is nothing in it; what is attached to any of them."""
        forms = [_Said() for _ in _inner(part)]
        for inner, form in zip(_inner(part), forms, strict=True):
            self._take(inner, form, depth + 1)
        plain = [form for form in forms if form.texts and not form.is_html]
        best = next(iter(plain or [form for form in forms if form.texts]), None)
        if best is not None:
            said.texts += best.texts
            said.is_html = said.is_html or best.is_html

    def _take_nested(self, part: Message, depth: int) -> None:
        inner = _inner(part)
        if inner:
            name = _filename(part) or f"{_header(inner[0], 'Subject') or 'mail'}.eml"
            self.take_mail(inner[0], _written(inner[0]), name, depth + 1)

    def _take_leaf(self, part: Message, kind: str, said: "_Said", depth: int) -> None:
        name, data = _filename(part), _payload(part)
        attached = part.get_content_disposition() == "attachment" or bool(name)
        if kind.startswith(("text/", "message/")) and not attached:
            said.say(data, kind, part.get_content_charset())
        elif data:
            self._attach(part, data, name or f"part-{self._parts}", depth)

    def _attach(self, part: Message, data: bytes, name: str, depth: int) -> None:
        try:
            if kind_of(data, name) == MAIL:
                self.take_mail(_parsed(data), data, name, depth + 1)
                return
            read = read_bytes(data, name, self._options)
        except _TooMuch:
            raise
        except Unreadable as error:
            self._failures.append((name, error))
            return
        inline = part.get_content_disposition() == "inline" or bool(part["Content-ID"])
        if inline and _is_decoration(read.pieces[0]):
            return
        for piece in read.pieces:
            self._add(piece, data)
        self.embedded += read.embedded
        if read.media_type == XML and self._options.embedded_xml and facts_of(data) is not None:
            self.embedded.append(Embedded(name, data))

    def _add(self, piece: Piece, data: bytes) -> None:
        self._pages += len(piece.pages)
        if self._pages > self._options.max_pages:
            told = f"more than {self._options.max_pages}, which documents.max_pages allows, with all attachments"
            raise _TooMuch(TOO_MANY_PAGES, told)
        self.taken.append(Taken(piece, data))


class _Said:
    """What is written in one mail, or in one form of it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.is_html = False

    def say(self, data: bytes, kind: str, charset: str | None) -> None:
        text = decoded(data, charset)
        if kind == "text/html":
            text = visible_text(text)
            self.is_html = True
        if text.strip():
            self.texts.append(text.strip())


def _parsed(data: bytes) -> Message:
    try:
        mail = BytesParser(policy=RAW).parsebytes(data)
    except Exception as error:  # noqa: BLE001 (the parser's own faults, of mails that keep to no rules)
        raise Unreadable(DAMAGED, f"it cannot be taken apart: {type(error).__name__}") from None
    if not mail.keys():
        raise Unreadable(DAMAGED, NO_HEADERS)
    return mail


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):  # of a damaged encoding
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _written(mail: Message) -> bytes:
    """A mail within a mail as it stood there."""
    try:
        return mail.as_bytes(policy=RAW)
    except Exception:  # noqa: BLE001 (the same; its text alone then tells it from others)
        return str(mail.get_payload()).encode("utf-8", "replace")


def _header(mail: Message, name: str) -> str:
    try:
        value = str(mail[name] or "")
    except Exception:  # noqa: BLE001 (the same, of headers)
        value = next((raw for key, raw in mail.raw_items() if key.lower() == name.lower()), "")
    return CONTROLS.sub(" ", value.encode("utf-8", "replace").decode()).strip()


def _filename(part: Message) -> str:
    """Its base name; "" where it has none."""
    try:
        name = part.get_filename() or ""
    except Exception:  # noqa: BLE001 (the same)
        name = ""
    return re.split(r"[/\\]", CONTROLS.sub(" ", name).strip())[-1].encode("utf-8", "replace").decode()


def _is_decoration(piece: Piece) -> bool:
    width, height = piece.width_px, piece.height_px
    return 0 < width * height < LOGO_PIXELS or 0 < min(width, height) < LOGO_EDGE
