"""What reading brings of a file that is one piece. Pure."""

from hashlib import sha256

from pipeline.reader.read import Page, Piece, Read


def one_piece(
    data: bytes, name: str, media_type: str, pages: tuple[Page, ...], pixels: tuple[int, int] = (0, 0)
) -> Read:
    digest = sha256(data).hexdigest()
    return Read(media_type, digest, len(data), (Piece(name, media_type, digest, pages, *pixels),))
