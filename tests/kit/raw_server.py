"""A server that answers by bytes: for what no HTTP library would send. In threads, on loopback.

The script is `answer(nth: int, of_connection: int, body: dict, head: bytes) -> bytes | None`; `nth` counts all requests
from 1, `of_connection` those of the connection that it came on. None closes it without a word.
"""

import json
import socket
import threading
from contextlib import contextmanager, suppress
from itertools import takewhile

from scripted_server import Scripted, completion


class Raw:
    """What a raw server has seen. `closes`: each connection ends after an answer, unannounced."""

    def __init__(self, script, *, closes=False):
        self.script, self.closes = script, closes
        self.connections, self.requests, self.url = 0, [], ""
        self.closed = threading.Semaphore(0)
        self._lock = threading.Lock()

    def serve(self, line):
        with self._lock:
            self.connections += 1
        with line, line.makefile("rb") as stream:
            for of_connection in range(1, 10_000):
                head = b"".join(takewhile(lambda text: text not in {b"\r\n", b""}, iter(stream.readline, None)))
                if not head:
                    break  # it has ended
                length = next(text for text in head.split(b"\r\n") if text.lower().startswith(b"content-length:"))
                body = json.loads(stream.read(int(length.split(b":")[1])) or b"null")
                with self._lock:
                    self.requests.append(of_connection)
                    answer = self.script(len(self.requests), of_connection, body, head)
                if answer is None:
                    break
                line.sendall(answer)
                if self.closes:
                    break
            line.shutdown(socket.SHUT_RDWR)
        self.closed.release()


def ok(body, headers=b"Content-Type: application/json\r\n", **scripted):
    """A whole answer with a completion."""
    payload = json.dumps(completion(Scripted(**scripted), body)).encode()
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (headers, len(payload), payload)


@contextmanager
def answering(script, *, closes=False):
    """A raw server; its `url` ends in /v1."""
    raw, threads, lines = Raw(script, closes=closes), [], []
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    raw.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    def one(line):
        try:
            raw.serve(line)
        except OSError:
            raw.closed.release()

    def accept():
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            lines.append(line)
            threads.append(threading.Thread(target=one, args=(line,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield raw
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5)
        for line in lines:
            with suppress(OSError):  # it has ended
                line.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
