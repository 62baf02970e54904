"""Files as requests hold them: loaded, and how each wire has to say them."""

from base64 import b64encode

from every_wire import REQUEST
from msgspec.structs import asdict, replace

from pipeline.parts import FilePart, LoadedPart, TextPart
from pipeline.types import Turn

PDF, PNG, JPEG = "application/pdf", "image/png", "image/jpeg"
BYTES = {PDF: b"%PDF-1.4 \xff\xfb\xf0 %%EOF", PNG: b"\x89PNG\r\n\xff\xfb", JPEG: b"\xff\xd8\xff\xe0"}


def part(media_type, name="document", digest="d" * 64, **more):
    return FilePart(media_type, digest, name, 1500, **more)


def loaded(media_type, data=None, name="document"):
    encoded = b64encode(BYTES[media_type] if data is None else data)
    return LoadedPart(**asdict(part(media_type, name)), base64=encoded)


def request_of(*parts, text="Read it.", **more):
    """The files, and a text behind them where there is one."""
    turn = Turn("user", (*parts, TextPart(text)))
    return replace(REQUEST, **{"turns": (turn,), "system": "", **more})
