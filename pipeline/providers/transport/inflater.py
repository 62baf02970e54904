"""Bodies that come packed, as HTTP packs them: gzip and deflate. Pure."""

import zlib

WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
HEAD_BYTES = 2  # of zlib's wrapping, RFC 1950


class Inflater:
    """A packed body, unpacked as it comes and never much further than is wanted."""

    def __init__(self, encoding: str) -> None:
        self._window = WINDOWS[encoding]
        self._stream = zlib.decompressobj(self._window)
        self._begun = False
        self._head = b""  # too short yet to tell "deflate" with its wrapping from that without

    def feed(self, piece: bytes, most: int) -> bytes:
        """At most one byte more than `most`.

        Raises:
            zlib.error: it is not packed so.
        """
        out = bytearray()
        if not self._begun:
            piece = self._head + piece
            self._head = piece if len(piece) < HEAD_BYTES else b""
            if self._head:
                return b""
        while piece and len(out) <= most:
            if self._stream.eof:  # gzip files may follow one another
                self._stream = zlib.decompressobj(self._window)
            try:
                out += self._stream.decompress(piece, most + 1 - len(out))
            except zlib.error:
                if self._begun or self._window != zlib.MAX_WBITS:
                    raise
                self._window = -zlib.MAX_WBITS  # "deflate" without its wrapping, as some send it
                self._stream = zlib.decompressobj(self._window)
                out += self._stream.decompress(piece, most + 1 - len(out))
            self._begun = True
            piece = self._stream.unused_data or self._stream.unconsumed_tail
        return bytes(out)

    @property
    def whole(self) -> bool:
        return self._stream.eof or not (self._begun or self._head)
