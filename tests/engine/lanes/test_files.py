"""How much of files is in memory at once, and in what order they come to be."""

import asyncio
import threading
from base64 import b64decode
from types import SimpleNamespace

import pytest
from documents_sent import PDF, part, request_of
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run as in_virtual_time

from pipeline.engine.lanes.files import READ_AT_ONCE, FileLoader, Room, holds_files, loader_of
from pipeline.job.settings import Limits
from pipeline.parts import LoadedPart

sizes = st.lists(st.integers(1, 150), min_size=1, max_size=12)


@given(sizes=sizes, seconds=st.lists(st.floats(0.1, 9), min_size=12, max_size=12), off=st.sets(st.integers(0, 11)))
def test_bytes_in_flight_are_bounded_and_come_in_order(sizes, seconds, off):
    """`off`: who is called off, at some time. What is larger than all of it goes alone; nobody waits for ever."""
    order = []

    async def one(room, number, held):
        await room.take(sizes[number])
        order.append(number)
        held.append(sizes[number])
        assert sum(held) <= room.bytes  # it is taken before its owner comes to know
        assert len(held) == 1 or sum(held) <= 100
        try:
            await asyncio.sleep(seconds[number])
        finally:
            held.remove(sizes[number])
            room.give(sizes[number])

    async def main():
        room, held = Room(100), []
        tasks = [asyncio.create_task(one(room, number, held)) for number in range(len(sizes))]
        for number in sorted(off):
            if number < len(tasks):
                asyncio.get_running_loop().call_later(seconds[number] / 2 + number, tasks[number].cancel)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [end for end in ends if isinstance(end, AssertionError)]
        assert room.bytes == 0

    in_virtual_time(main())
    assert order == sorted(order)


def test_the_bytes_are_the_files_and_few_are_read_at_once():
    """Off the loop; and no more requests than there are readers, whoever waits."""
    busy, most, lock = [0], [0], threading.Lock()
    met = threading.Barrier(READ_AT_ONCE)

    def load(file):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        assert threading.current_thread() is not threading.main_thread()
        met.wait(20)
        with lock:
            busy[0] -= 1
        return file.digest.encode()

    async def main():
        loader = FileLoader(load)
        requests = [request_of(part(PDF, digest=f"{number:064}")) for number in range(4 * READ_AT_ONCE)]
        loaded = await asyncio.gather(*map(loader.loaded, requests))
        found = [b64decode(one.request.turns[0].parts[0].base64).decode() for one in loaded]
        for one in loaded:
            one.sent()
            one.sent()
        return found, loader.room.bytes

    found, left = asyncio.run(main())
    assert found == [f"{number:064}" for number in range(4 * READ_AT_ONCE)]
    assert (left, most[0]) == (0, READ_AT_ONCE)


def test_what_has_left_is_gone():
    async def main():
        loaded = await FileLoader(lambda _: b"x").loaded(request_of(part(PDF)))
        with loaded:
            assert isinstance(loaded.request.turns[0].parts[0], LoadedPart)
        with pytest.raises(RuntimeError, match="have left"):
            _ = loaded.request

    asyncio.run(main())


def test_what_lies_at_the_provider_is_named_by_its_address_and_takes_no_memory():
    async def main():
        loader = FileLoader(lambda _: b"x", address_of=lambda file, data: f"gs://b/{file.name}" if data == b"x" else "")
        loaded = await loader.loaded(request_of(part(PDF, path="/copies/1", name="a.pdf")))
        assert loaded.request == request_of(part(PDF, path="gs://b/a.pdf", name="a.pdf"))
        assert loader.room.bytes == 0

    asyncio.run(main())


def test_a_request_is_known_to_hold_files():
    assert holds_files(request_of(part(PDF)))
    assert not holds_files(request_of())


@pytest.mark.parametrize(
    ("provider", "base_url", "named"),
    [("vertex", "", True), ("vertex", "http://127.0.0.1:9", False), ("gemini", "", False)],
)
def test_only_google_itself_is_told_where_a_file_lies_in_its_storage(provider, base_url, named):
    """Another host that speaks as Vertex does need not reach the bucket."""
    job = SimpleNamespace(model=SimpleNamespace(provider=provider, base_url=base_url), limits=Limits())
    source = SimpleNamespace(documents=True, load=lambda _, with_text: b"x", address_of=lambda *_: "gs://b/a.pdf")
    sent = asyncio.run(loader_of(SimpleNamespace(job=job, source=source)).loaded(request_of(part(PDF)))).request
    assert (sent == request_of(part(PDF, path="gs://b/a.pdf"))) == named
