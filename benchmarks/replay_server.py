"""A server that costs next to nothing: canned chat completions, each tied to its document by the number in it.

What a client costs is only seen when the server is not what it waits for; the sandbox, which reads every document by
its rules, answers some 5,000 requests a second of a core, this one some 30,000.

    python benchmarks/replay_server.py [--port 0] [--latency-s 0]

Prints one JSON line with its URL and serves until its standard input closes. `GET /counters` says what it has seen.
"""

import argparse
import asyncio
import json
import re
import sys

NUMBER = re.compile(rb"R-(\d{8})")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
MARK = "@@NUMBER@@"


def canned():
    """The answer to every document, before and after the place where its number goes."""
    lines = [
        {"description": "Steel bolts M8", "quantity": "200", "unit_price": "0.12", "amount": "24.00"},
        {"description": "Safety gloves, pair", "quantity": "10", "unit_price": "3.50", "amount": "35.00"},
    ]
    record = {
        "kind": "invoice", "supplier": "Nordlicht Handel GmbH", "invoice_number": MARK, "issued_on": "2026-03-04",
        "due_on": None, "currency": "EUR", "prices_include_tax": False, "lines": lines, "net_total": "59.00",
        "tax_total": "11.21", "gross_total": "70.21",
    }  # fmt: skip
    message = {"role": "assistant", "content": json.dumps(record), "refusal": None}
    usage = {"prompt_tokens": 540, "completion_tokens": 118, "total_tokens": 658}
    body = {
        "id": "chatcmpl-" + MARK, "object": "chat.completion", "created": 1_790_000_000, "model": "gpt-4o-mini-replay",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}], "usage": usage,
    }  # fmt: skip
    return json.dumps(body, separators=(",", ":")).encode().split(MARK.encode())


PIECES = canned()
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_%b\r\n"
    b"x-ratelimit-limit-requests: 30000000\r\nx-ratelimit-remaining-requests: 29999999\r\n"
    b"x-ratelimit-reset-requests: 2ms\r\ncontent-length: %d\r\n\r\n"
)
SEEN: dict[bytes, int] = {}
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


class Replay(asyncio.Protocol):
    """One connection; requests come one after the other, as HTTP/1.1 clients send them."""

    def __init__(self, latency_s):
        self._latency_s = latency_s
        self._gathered = b""
        self._wanted = 0

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._gathered += data
        if not self._wanted:
            end = self._gathered.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self._gathered, 0, end + 2)
            self._wanted = end + 4 + (int(length[1]) if length else 0)
        if len(self._gathered) < self._wanted:
            return
        asked, self._gathered, self._wanted = self._gathered, b"", 0
        answer = self._counters() if asked.startswith(b"GET") else self._answer(asked)
        if self._latency_s and not asked.startswith(b"GET"):
            asyncio.get_running_loop().call_later(self._latency_s, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer):
        if not self._transport.is_closing():
            self._transport.write(answer)

    def _answer(self, asked):
        numbers = NUMBER.findall(asked)
        number = numbers[-1] if numbers else b"00000000"
        SEEN[number] = SEEN.get(number, 0) + 1
        body = (b"R-" + number).join(PIECES)
        return HEAD % (number, len(body)) + body

    def _counters(self):
        found = {"requests": sum(SEEN.values()), "documents": len(SEEN)}
        SEEN.clear()
        text = json.dumps(found).encode()
        return PLAIN % (len(text), text)


async def main(port, latency_s):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Replay(latency_s), "127.0.0.1", port, backlog=2048)
    print(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever started it is gone
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-s", type=float, default=0.0)
    arguments = parser.parse_args()
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    loops.run(main(arguments.port, arguments.latency_s))
