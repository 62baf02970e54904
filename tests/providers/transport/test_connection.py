"""One connection: answers as they are whatever way their bytes come, and what broke told for what it was."""

import asyncio
import gzip
import zlib
from itertools import pairwise

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.providers.transport import connection as connections
from pipeline.providers.transport.connection import BadAnswer, Connection, TooLarge

OK = b"HTTP/1.1 200 OK\r\n"


class Pipe(asyncio.Transport):
    """The far end of a connection that is driven by hand."""

    def __init__(self):
        super().__init__()
        self.closed = False

    def write(self, data):
        pass

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return self.closed

    def abort(self):
        self.closed = True


async def received(pieces, *, eof=False, receive=None):
    """What somebody gets who asks and to whom these bytes come; and whether the connection is kept."""
    connection, pipe = Connection(), Pipe()
    connection.connection_made(pipe)
    asked = connection.ask(b"", receive, None)
    for piece in pieces:
        if not asked.done():
            connection.data_received(piece)
    if eof and not asked.done():
        connection.eof_received()
    if not asked.done():
        connection.connection_lost(None)
    return await asked, connection.usable


def get(*pieces, eof=False, receive=None):
    return asyncio.run(received(pieces, eof=eof, receive=receive))


def cut(data, places):
    marks = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(marks)]


def chunked(body, size):
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;note=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: yes\r\n\r\n"


PACKED = {
    b"": lambda body: body,
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"DEFLATE": lambda body: zlib.compress(body, wbits=-15),
}


@given(
    body=st.binary(min_size=1, max_size=300),
    packing=st.sampled_from(sorted(PACKED)),
    framing=st.sampled_from(["length", "chunked", "close"]),
    places=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_an_answer_is_the_same_however_its_bytes_come(body, packing, framing, places):
    """Cut anywhere, in every framing, packed or not, after a 100 Continue."""
    packed = PACKED[packing](body)
    head = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n" + OK + b"X-One: a\r\nx-one:  b \r\n"
    head += b"Content-Encoding: " + packing + b"\r\n" if packing else b""
    if framing == "length":
        data = head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed
    elif framing == "chunked":
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(packed, 7)
    else:
        data = head + b"\r\n" + packed
    answer, kept = get(*cut(data, places), eof=framing == "close")
    assert (answer.status, answer.body, answer.headers["x-one"]) == (200, body, "a, b")
    assert "x-early" not in answer.headers
    assert kept == (framing != "close")


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (OK + b"Content-Length: 1\r\nConnection: close\r\n\r\nx", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", False),
        (OK + b"Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny", False),
        (OK + b"Content-Length: 1\r\n\r\nxrubbish", False),
        (OK + b"Content-Length: 1\r\n\r\nx", True),
    ],
)
def test_a_connection_is_kept_only_where_the_next_answer_can_be_told_from_this(data, kept):
    """Not where more came than was asked for: it would be taken for somebody else's answer."""
    answer, usable = get(data)
    assert (answer.body, usable) == (b"x", kept)


@each_case(
    "data",
    [
        b"SMTP ready\r\n",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        OK + b"Content-Length: -3\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Bad Name: 1\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(b"a" * 99, mtime=0)[:20],
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_answer_says_so(data):
    """Whole or byte by byte; the connection is of no more use."""
    for pieces in ((data,), cut(data, range(0, len(data), max(1, len(data) // 50)))):
        with pytest.raises((BadAnswer, ConnectionResetError)):
            get(*pieces)


@pytest.mark.parametrize("head", [b"X: " + b"a" * 300_000, b"".join(b"x-%d: 1\r\n" % n for n in range(10_000))])
def test_a_head_without_end_is_not_kept(head):
    """One header, or many."""
    with pytest.raises(BadAnswer, match="64 KB"):
        get(*cut(OK + head, range(0, len(head), 1000)))


@pytest.mark.parametrize("data", [b"", OK, OK + b"Content-Length: 3\r\n\r\nab"])
def test_an_answer_that_breaks_off_is_none(data):
    """Before, in, or after its head."""
    with pytest.raises(ConnectionResetError):
        get(data)


def test_a_bomb_is_never_unpacked_beyond_the_bound(monkeypatch):
    """A thousand times the bound, in a packed answer of a few KB."""
    monkeypatch.setattr(connections, "MOST_BYTES", 1000)
    packed = gzip.compress(b"\0" * 1_000_000)
    with pytest.raises(TooLarge):
        get(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)
    assert len(connections.Inflater("gzip").feed(packed, 1000)) == 1001


def test_who_receives_is_told_the_head_and_gets_the_pieces():
    """And what it raises reaches who asked."""
    told, pieces = [], []

    def receive(status, headers):
        told.append((status, headers["content-length"]))
        return pieces.append

    answer, _ = get(OK + b"Content-Length: 4\r\n\r\n", b"ab", b"cd", receive=receive)
    assert (told, pieces, answer.body) == ([(200, "4")], [b"ab", b"cd"], b"")
    with pytest.raises(ZeroDivisionError):
        get(OK + b"Content-Length: 4\r\n\r\nabcd", receive=lambda _status, _headers: lambda _piece: 1 // 0)
