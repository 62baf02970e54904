"""One HTTP/1.1 connection: a request goes out, its answer comes in, and the connection is there for the next.

Framing is llhttp's business (through httptools), which is strict and fuzzed; bounds, encodings and who gets the bytes
are decided here. Nothing is ever sent again: whoever asked is told what broke.
"""

import asyncio
import socket
import zlib
from collections.abc import Callable, Iterable
from typing import Protocol, cast

import httptools
from msgspec import Struct

from pipeline.platforms import something_to_read
from pipeline.providers.transport.inflater import WINDOWS, Inflater

MOST_BYTES = 32 * 1024 * 1024  # of an answer, once it is unpacked
MOST_HEAD_BYTES = 64 * 1024
PLAIN = {"", "identity"}

Headers = dict[str, str]  # names in lower case; several of one name are joined by ", "
Take = Callable[[bytes], None]


class BadAnswer(ValueError):
    """What came cannot be read. `status` None: not even that; `headers` None: not all of them."""

    status: int | None = None
    headers: Headers | None = None


class TooLarge(Exception):
    """An answer of more than 32 MB."""

    def __init__(self, status: int) -> None:
        super().__init__(f"an answer of more than {MOST_BYTES // 2**20} MB")
        self.status = status


class Receive(Protocol):
    """Told the head of an answer; returns who takes its body piece by piece, or None: it is wanted whole."""

    def __call__(self, status: int, headers: Headers) -> Take | None: ...


class Times(Struct, frozen=True):
    """How long a whole call may take, connecting, and the silence between two pieces of an answer (None: any)."""

    timeout_s: float
    connect_timeout_s: float
    idle_timeout_s: float | None = None


class Raw(Struct, frozen=True):
    """An answer; `body` is empty where somebody took it."""

    status: int
    headers: Headers
    body: bytes


class Connection(asyncio.Protocol):
    """`ask` is called when `usable`; what comes at any other time closes it."""

    def __init__(self, line: socket.socket | None = None) -> None:
        self._something_to_read = something_to_read(line)
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._asked: asyncio.Future[Raw] | None = None
        self._transport: asyncio.Transport | None = None
        self._keep = True
        self._idle_s: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self.idle_since_s = 0.0
        self._room: asyncio.Future[None] | None = None  # while the line takes no more
        self.poured = True  # whether all of the request has been handed to the line
        self._reset(None)

    def _reset(self, receive: Receive | None) -> None:
        self._receive = receive
        self._take: Take | None = None
        self._status = 0
        self._headers: Headers = {}
        self._head_bytes = 0
        self._head_done = self._done = self._informational = False
        self._inflater: Inflater | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._heard_s = 0.0
        self.heard = False  # whether a byte of the answer has come

    # ── the asker's side ────────────────────────────────────────────────────────────────────────────────────────

    @property
    def usable(self) -> bool:
        """Whether the next request may go out on it."""
        return self._keep and self._asked is None and self.open

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Whether nothing waits on the line: an end, or words of farewell, that the loop has not come to see yet."""
        return not self._something_to_read()

    def ask(self, request: bytes, receive: Receive | None, idle_s: float | None) -> "asyncio.Future[Raw]":
        """Send a request: whole, or its head, with `pour` to follow. The future is to be awaited, or all closed.

        `idle_s`: the longest time between two pieces of the answer. The future fails with TimeoutError, OSError,
        BadAnswer, TooLarge, or what `receive` or its taker raises.
        """
        if self._transport is None:
            raise ConnectionError("not connected")
        self._reset(receive)
        self._asked = self._loop.create_future()
        if idle_s is not None:
            self._idle_s, self._heard_s = idle_s, self._loop.time()
            self._idle_timer = self._loop.call_later(idle_s, self._look_idle)
        self._transport.write(request)
        return self._asked

    async def pour(self, pieces: Iterable[memoryview]) -> None:
        """Write the body of what was asked, no faster than the line takes it. Ends early where the answer is there."""
        self.poured = False
        for piece in pieces:
            if self._room is not None:
                await self._room
            else:
                await asyncio.sleep(0)  # an answer that is there is read before its line breaks
            if self._asked is None or self._transport is None:
                return
            self._transport.write(piece)
            self._heard_s = self._loop.time()
        self.poured = True

    def fail(self, error: Exception) -> None:
        """Whoever asked gets `error`; the connection is of no more use."""
        asked, self._asked = self._asked, None
        if isinstance(error, BadAnswer) and self._status >= 200:
            error.status, error.headers = self._status, self._headers if self._head_done else None
        self.close()
        if asked is not None and not asked.done():
            asked.set_exception(error)

    def close(self) -> None:
        self._keep = False
        self._asked = None
        self._calm()
        self.resume_writing()
        if self._transport is not None:
            self._transport.abort()

    def _look_idle(self) -> None:
        silent_s = self._loop.time() - self._heard_s
        if self._idle_s is not None and silent_s < self._idle_s:
            self._idle_timer = self._loop.call_later(self._idle_s - silent_s, self._look_idle)
        else:
            self.fail(TimeoutError("nothing came for too long"))

    def _calm(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def pause_writing(self) -> None:
        self._room = self._room or self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # ── the loop's side ─────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # of a stream, which is what was opened

    def data_received(self, data: bytes) -> None:
        if self._asked is None:
            self.close()  # nobody asked
            return
        self.heard = True
        if self._idle_s is not None:
            self._heard_s = self._loop.time()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._done:
                self.fail(self._error or BadAnswer(f"not HTTP: {error}"))
                return
            self._keep = False  # more came than was asked for
        if self._done:
            self._finish()
        elif not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self.fail(BadAnswer("headers of more than 64 KB"))

    def eof_received(self) -> None:
        if self._asked is None or not self._head_done:
            return
        if "content-length" not in self._headers and "chunked" not in self._headers.get("transfer-encoding", ""):
            self._keep = False
            try:
                self.on_message_complete()  # its end was the connection's
            except BadAnswer as error:
                self.fail(error)
            else:
                self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(error or ConnectionResetError("closed by the server before its answer was whole"))
        self._transport = None

    def _finish(self) -> None:
        asked, self._asked = self._asked, None
        self._calm()
        if self._transport is None or not self.poured or self._transport.get_write_buffer_size():
            self._keep = False  # answered before it had read the request
        self.resume_writing()
        if asked is not None and not asked.done():
            pieces, self._pieces = self._pieces, []
            asked.set_result(Raw(self._status, self._headers, pieces[0] if len(pieces) == 1 else b"".join(pieces)))

    # ── the parser's side; what is raised here comes out of `feed_data` as its own error ────────────────────────────

    def on_message_begin(self) -> None:
        if self._done:
            raise BadAnswer("more than one answer")

    def on_status(self, _words: bytes) -> None:
        self._status = self._parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape").strip()
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MOST_HEAD_BYTES:
            self._raise(BadAnswer("headers of more than 64 KB"))
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._status < 200:
            self._informational = True
            return
        self._head_done = True
        self._keep = self._keep and self._parser.should_keep_alive()
        encoding = self._headers.get("content-encoding", "").lower()
        if encoding in WINDOWS:
            self._inflater = Inflater(encoding)
        elif encoding not in PLAIN:
            self._raise(BadAnswer(f"packed as {encoding[:40]!r}, which was not asked for"))
        if 300 <= self._status < 400 and "content-length" not in self._headers:
            self._keep, self._done = False, True  # its body, which nobody wants, may have no end
        if self._receive is not None:
            try:
                self._take = self._receive(self._status, self._headers)
            except Exception as error:  # noqa: BLE001 (handed on to who asked)
                self._raise(error)

    def on_body(self, piece: bytes) -> None:
        try:
            if self._inflater is not None:
                piece = self._inflater.feed(piece, MOST_BYTES - self._size)
            self._size += len(piece)
            if self._take is None or self._size > MOST_BYTES:
                self._pieces.append(piece)
            else:
                self._take(piece)
        except zlib.error as error:
            self._raise(BadAnswer(f"badly packed: {error}"))
        except Exception as error:  # noqa: BLE001 (handed on to who asked)
            self._raise(error)
        if self._size > MOST_BYTES:
            self._raise(TooLarge(self._status))

    def on_message_complete(self) -> None:
        if self._informational:
            self._informational, self._headers = False, {}
            return
        if self._inflater is not None and not self._inflater.whole:
            self._raise(BadAnswer("badly packed: it has no end"))
        self._done = True

    def _raise(self, error: Exception) -> None:
        """Keep it, for the parser passes on an error of its own."""
        self._error = error
        raise error
