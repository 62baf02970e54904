"""Pictures: how large they are, by their headers alone, and whether they are whole. TIFF and HEIC by Pillow.

Formats: PNG (W3C, third edition, 2025), JPEG (ITU T.81), GIF89a, WebP (RFC 9649, 2024).
"""

import io
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any, Final

from pipeline.reader.media_types import AVIF, GIF, HEIC, JPEG, PNG, TIFF, WEBP
from pipeline.reader.one_piece import one_piece
from pipeline.reader.read import DAMAGED, TOO_LARGE, TOO_MANY_PAGES, UNSUPPORTED, Page, PageFacts, Read, Unreadable
from pipeline.reader.read import ReadOptions as Options

if TYPE_CHECKING:
    from PIL import Image

NAMES = {TIFF: "TIFF", HEIC: "HEIC", AVIF: "AVIF"}
EXTRA = "pip install 'ledger-pipeline[images]'"
MAX_PIXELS: Final = 178_956_970  # of one picture: 600 dpi of A3 has 70 million. Above it Pillow warns, too
POINTS = 72 / 96  # of a pixel
PNG_MARK = b"\x89PNG\r\n\x1a\n"
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 of JPEG, without tables
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers of JPEG that nothing follows
OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>")  # in what a decoder says: another one each time
CUT_OFF = "it is cut off; fetch it again"

Size = tuple[int, int]


def read_picture(data: bytes, name: str, media_type: str, options: Options) -> Read:
    """One page without text, as large as the picture at 96 dpi; of TIFF, HEIC and AVIF a page for each frame.

    Raises:
        Unreadable: cut off, broken, too many pixels or frames, or the extra that reads it is not there.
    """
    sizes = [_size(data, media_type)] if media_type in SIZES else _frame_sizes(data, media_type, options)
    for width, height in sizes:
        _require_sane(width, height)
    return one_piece(data, name, media_type, tuple(map(_page, sizes)), max(sizes, key=lambda size: size[0] * size[1]))


def png_of(data: bytes, frame: int, px: int) -> bytes:
    """One frame of a picture, from 0, as PNG: upright, its longest edge `px` at the most.

    Raises:
        Unreadable: broken, too large, or the extra is not there.
    """
    with _opened(data, "a picture") as picture:
        from PIL import ImageOps  # noqa: PLC0415 (only where a job needs it)

        try:
            picture.seek(frame)
            _require_sane(*picture.size)
            upright = ImageOps.exif_transpose(picture)
            plain = upright.convert("L" if upright.mode in {"1", "L", "I;16", "I", "F"} else "RGB")
            plain.thumbnail((px, px))
            out = io.BytesIO()
            plain.save(out, "PNG")
        except Unreadable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises)
            raise _broken(error) from None
    return out.getvalue()


def _page(size: Size) -> Page:
    return Page("", PageFacts(image_share=1.0, width_pt=size[0] * POINTS, height_pt=size[1] * POINTS))


def _require_sane(width: int, height: int) -> None:
    if not width or not height:
        raise Unreadable(DAMAGED, f"its header says {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        most = MAX_PIXELS // 1_000_000
        raise Unreadable(
            TOO_LARGE, f"{width} x {height} pixels, of which at most {most} million can be read; shrink it"
        )


def _size(data: bytes, media_type: str) -> Size:
    try:
        return SIZES[media_type](data)
    except (struct.error, IndexError):
        raise Unreadable(DAMAGED, CUT_OFF) from None


def _png(data: bytes) -> Size:
    """Every chunk is whole, and the last is the end."""
    size, place, kind = (0, 0), len(PNG_MARK), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, place)
        body = data[place + 8 : place + 8 + length]
        (told,) = struct.unpack_from(">I", data, place + 8 + length)
        if zlib.crc32(body, zlib.crc32(kind)) != told:
            raise Unreadable(DAMAGED, "the checksum of a part of the PNG is wrong; fetch it again")
        if kind == b"IHDR":
            size = struct.unpack_from(">II", body)
            _require_sane(*size)
        place += 12 + length
    return size


def _jpeg(data: bytes) -> Size:
    size, place = (0, 0), 2
    while True:
        while data[place] != 0xFF:  # between segments there should be none; some writers pad
            place += 1
        marker, place = data[place + 1], place + 2
        if marker == 0xFF:
            place -= 1
        elif marker in {0xDA, 0xD9}:
            break
        elif marker not in ALONE and marker:
            (length,) = struct.unpack_from(">H", data, place)
            if marker in FRAME_MARKERS:
                height, width = struct.unpack_from(">HH", data, place + 3)
                size = width, height
            place += length
    if marker == 0xDA and b"\xff\xd9" not in data[place:]:
        raise Unreadable(DAMAGED, CUT_OFF)
    return size


def _gif(data: bytes) -> Size:
    if b"\x3b" not in data[-16:]:  # some writers pad
        raise Unreadable(DAMAGED, CUT_OFF)
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp(data: bytes) -> Size:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise Unreadable(DAMAGED, CUT_OFF)
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


SIZES = {PNG: _png, JPEG: _jpeg, GIF: _gif, WEBP: _webp}


def _frame_sizes(data: bytes, media_type: str, options: Options) -> list[Size]:
    with _opened(data, f"a {NAMES[media_type]}") as picture:
        try:
            frames = _require_few(getattr(picture, "n_frames", 1), options)
            return [_frame_size(picture, frame) for frame in range(frames)]
        except Unreadable:
            raise
        except Exception as error:  # noqa: BLE001 (whatever a decoder raises)
            raise _broken(error) from None


def _require_few(frames: int, options: Options) -> int:
    if frames > options.max_pages:
        told = f"{frames}, where documents.max_pages allows {options.max_pages}"
        raise Unreadable(TOO_MANY_PAGES, told, pages=frames)
    return frames


def _frame_size(picture: "Image.Image", frame: int) -> Size:
    picture.seek(frame)
    return picture.size


def _opened(data: bytes, what: str) -> "Image.Image":
    try:
        from PIL import Image  # noqa: PLC0415 (of an extra)

        if data[4:8] == b"ftyp":  # HEIC and AVIF
            _register()
    except ImportError:
        raise Unreadable(UNSUPPORTED, f"{what} needs the extra: {EXTRA}") from None
    try:
        Image.MAX_IMAGE_PIXELS = None  # ours is the bound, and it warns of nothing
        return Image.open(io.BytesIO(data))
    except Exception as error:  # noqa: BLE001 (the same)
        raise _broken(error) from None


def _register() -> None:
    from pillow_heif import register_heif_opener  # noqa: PLC0415 (of an extra)

    register_heif_opener(thumbnails=False)


def _broken(error: Any) -> Unreadable:  # noqa: ANN401 (whatever a decoder raises)
    told = OBJECT.sub("it", str(error))[:200]
    return Unreadable(DAMAGED, f"it cannot be decoded: {told}")
