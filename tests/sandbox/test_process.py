"""The sandbox as a process: it says where it is, and lives exactly as long as it should."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import aiohttp
import pytest
from places import REPO
from sandbox_client import STUB, Client, ask

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox
from pipeline.sandbox import embedded as embedding
from pipeline.sandbox.__main__ import main
from pipeline.sandbox.server import serve


def start(*flags, **options):
    words = [sys.executable, "-m", "pipeline.sandbox", *flags]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_the_process_says_where_it_listens_and_ends_on_sigterm():
    """The first line is the URL; SIGTERM ends it with code 0."""
    process = start("--port", "0", "--config-json", '{"seed": 3}')
    where = json.loads(process.stdout.readline())
    assert where["url"] == f"http://127.0.0.1:{where['port']}"
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")


def test_an_embedded_process_outlives_signals_but_not_its_pipe():
    """Ctrl-C does not end it; the end of its standard input does."""
    process = start("--until-stdin-closes", stdin=subprocess.PIPE)
    url = json.loads(process.stdout.readline())["url"]
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)

    async def alive():
        async with aiohttp.ClientSession() as session:
            return (await Client(url, session).counters())["requests"]

    assert asyncio.run(alive()) == 0
    assert process.poll() is None
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--config-json", '{"throttled": 0.7, "refused": 0.7}'], "add up to 1.4"),
        (["--config-json", '{"sed": 1}'], "unknown key 'sed'"),
        (["--config-json", '{"seed": "1"}'], "seed = '1'"),
        (["--config-json", "{"], "not valid JSON"),
        (["--config-json", "[]"], "should be an object"),
    ],
)
def test_bad_settings_are_told_and_exit_2(flags, words, monkeypatch, capsys):
    """A wrong setting is one sentence on standard error, no traceback."""
    monkeypatch.setattr(sys, "argv", ["sandbox", *flags])
    assert main() == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_a_taken_port_is_told():
    """Two servers on one port are an error that names it."""

    async def main():
        runner, port = await serve(Sandbox(), "127.0.0.1", 0, STUB)
        try:
            with pytest.raises(JobError, match=rf"127\.0\.0\.1:{port}.*--port"):
                await serve(Sandbox(), "127.0.0.1", port, STUB)
        finally:
            await runner.cleanup()

    asyncio.run(main())


def test_embedded_lives_as_long_as_its_block(tmp_path, monkeypatch):
    """It answers inside the block, from any folder, even one with a pipeline of its own; after it nobody listens."""
    (tmp_path / "pipeline.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)

    async def main():
        async with embedding.embedded(Sandbox(requests_per_minute=7)) as url, aiohttp.ClientSession() as session:
            got = await Client(url, session).post(ask())
            assert (got.status, got.headers["x-ratelimit-limit-requests"]) == (200, "7")
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await Client(url, session).counters()

    asyncio.run(main())


def test_an_embedded_child_is_not_in_the_terminals_group(tmp_path):
    """It has a session of its own, and leaves by itself when asked."""

    async def main():
        with (tmp_path / "said").open("w+b") as said:
            process = await embedding._started(Sandbox(), said)
            assert await embedding._url(process, said)
            assert os.getsid(process.pid) == process.pid
            await embedding._stopped(process)
            assert process.returncode == 0

    asyncio.run(main())


def test_an_embedded_start_that_fails_is_a_job_error():
    """The child's own words are in the message."""

    async def main():
        async with embedding.embedded(Sandbox(throttled=0.8, timeout=0.8)):
            pass

    with pytest.raises(JobError, match=r"did not start: it ended with exit code 2\. .*add up to 1\.6"):
        asyncio.run(main())


def test_an_embedded_child_that_stays_is_killed(monkeypatch):
    """A child that does not leave is killed by its own id, and waited for."""
    monkeypatch.setattr(embedding, "STOP_S", 0.3)

    async def main():
        code = 'print(\'{"url": "http://x"}\', flush=True)\n__import__("time").sleep(15)'
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        async with asyncio.timeout(5):
            await embedding._stopped(process)
        assert process.returncode == -signal.SIGKILL

    asyncio.run(main())


PARENT = """
import asyncio, sys
from pipeline.job.settings import Sandbox
from pipeline.sandbox.embedded import embedded

async def main():
    async with embedded(Sandbox()) as url:
        print(url, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_parent_takes_its_sandbox_along():
    """After kill -9 of the run, its sandbox is gone within seconds."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=REPO)
    url = parent.stdout.readline().strip()
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate(timeout=10)

    async def gone():
        async with aiohttp.ClientSession() as session, asyncio.timeout(10):
            while True:
                try:
                    await Client(url, session).counters()
                except aiohttp.ClientConnectionError:
                    return True
                await asyncio.sleep(0.02)

    assert asyncio.run(gone())


def test_the_process_starts_light():
    """The sandbox imports nothing of the heavy parts of the package."""
    heavy = {"pydantic", "pyarrow", "tiktoken", "click"}
    code = f"import sys, pipeline.sandbox.__main__; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
