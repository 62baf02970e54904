"""Memory of calls with large files: so many of so many MB in flight at once, and the peak of the process that sends.

The far end is a process of its own. It answers nobody before it has all bodies: a sender that held their bytes until
their answers, within a bound, would wait for ever.

    python benchmarks/files.py [--calls 64] [--mb 10] [--provider anthropic]
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time

from common import peak_mb

from pipeline.documents.tokens import counter_for
from pipeline.engine.lanes.carrier import Carrier
from pipeline.engine.lanes.files import FileLoader
from pipeline.job.settings import Limits, Model
from pipeline.parts import FilePart, TextPart
from pipeline.providers import wire_for
from pipeline.providers.credentials.keys import FixedKey
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.http import HttpTransport
from pipeline.types import AnswerShape, Purpose, Request, Turn

SHAPE = AnswerShape("Thing", "json_object", {"type": "object", "properties": {}}, strict=False)
NAMES = {"anthropic": "claude-sonnet-4-5", "openai": "gpt-5.4", "bedrock": "amazon.nova-lite-v1:0"}
PIECE = 1 << 20
ANSWER = b'{"error": {"message": "no"}}'
KEY = Secret("secret-key-of-tests", "AKIASANDBOX1")


async def far_end(calls):
    """Prints its port, and at the end how many bytes of bodies came."""
    all_here, came = asyncio.Event(), [0, 0]

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(next(line for line in head.split(b"\r\n") if b"ontent-Length" in line).split(b":")[1])
        while left:
            left -= len(piece := await reader.read(min(left, PIECE)))
            came[1] += len(piece)
        came[0] += 1
        if came[0] == calls:
            all_here.set()
        await all_here.wait()
        writer.write(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await all_here.wait()
    print(came[1], flush=True)
    await asyncio.sleep(1)  # the answers are on their way


async def send(url, provider, calls, size):
    model = Model(provider=provider, name=NAMES[provider], base_url=url, max_output_tokens=9, region="us-east-1")
    transport = HttpTransport(Limits(timeout_s=300.0), FixedKey(KEY), stream=False)
    files = FileLoader(lambda file: int(file.digest).to_bytes(8, "big") * (size // 8))
    carrier = Carrier(wire_for(model, SHAPE, {}), transport, counter_for("openai", "gpt-4o"), None, files)

    async def one(number):
        file = FilePart("application/pdf", str(number), "document", 1500)
        turn = Turn("user", (file, TextPart("Read it.")))
        request = Request(b"", number, str(number), 0, Purpose.EXTRACT, "", (turn,), 9, 5, 100)
        with await files.loaded(request) as upload:
            try:
                await carrier.exchange(request, upload)
            except Exception as error:  # noqa: BLE001 (counted)
                return getattr(error, "status", None)

    told = await asyncio.gather(*map(one, range(calls)))
    await transport.aclose()
    return told


def main(calls, megabytes, provider):
    started = [sys.executable, __file__, "--serve", str(calls)]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as far:
        url = f"http://127.0.0.1:{int(far.stdout.readline())}"
        began, cpu = time.perf_counter(), time.process_time()
        told = asyncio.run(send(url, provider, calls, int(megabytes * 1e6)))
        figures = {
            "calls": calls,
            "answered": told.count(400),
            "sent_mb": int(far.stdout.readline()) / 1e6,
            "peak_mb": round(peak_mb()),
            "wall_s": round(time.perf_counter() - began, 2),
            "cpu_s": round(time.process_time() - cpu, 2),
        }
        far.kill()
    print(json.dumps(figures))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=64)
    parser.add_argument("--mb", type=float, default=10)
    parser.add_argument("--provider", choices=NAMES, default="anthropic")
    parser.add_argument("--serve", type=int)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(far_end(arguments.serve))
    else:
        main(arguments.calls, arguments.mb, arguments.provider)
