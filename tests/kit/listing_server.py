"""A provider's listing endpoints for tests: a real HTTP server on loopback that answers GETs by a table.

`table` is path without query → body (of a 200), or (status, body); bodies are JSON values, or bytes as they are. What
is not in it is a 404. Everything asked is kept with its method, for nothing but GETs may come.
"""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from pipeline.providers.listing import Shut
from pipeline.types import HttpAnswer

HANG = object()  # no answer, until the server ends


class Listings:
    def __init__(self, table):
        self.table, self.asked, self.url, self.over = table, [], "", threading.Event()

    @property
    def methods(self):
        return {method for method, _, _ in self.asked}

    @property
    def paths(self):
        return [path for _, path, _ in self.asked]

    def answer(self, path, headers):
        told = self.table.get(unquote(urlsplit(path).path), (404, {"detail": "Not Found"}))
        told = told(headers) if callable(told) else told
        return told if isinstance(told, tuple) else (200, told)


@contextmanager
def listing(table):
    """A server of listings; its `url` is the bare host."""
    listings = Listings(table)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            listings.asked.append((self.command, self.path, headers))
            status, body = listings.answer(self.path, headers)
            if body is HANG:
                listings.over.wait()
                self.close_connection = True
                return
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if data.startswith(b"<") else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815 (the library's names)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listings.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield listings
    finally:
        listings.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def conversation(look, table, missing):
    """A look without a server: its findings, and the URLs that it asked for. `missing`: of what is not in the table."""
    asked = []
    try:
        url = next(look)
        while True:
            asked.append(url)
            told = table.get(unquote(urlsplit(url).path), missing)
            status, body = told if isinstance(told, tuple) else (200, told)
            url = look.send(HttpAnswer(status, {}, json.dumps(body).encode()))
    except StopIteration as ended:
        return ended.value, asked
    except Shut as shut:
        return [shut.finding], asked
