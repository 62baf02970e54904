"""The files of a request: read when it leaves, in memory until they have left, no more of them at once than fits."""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self

from msgspec.structs import asdict, replace

from pipeline.admission.gate import Gate
from pipeline.admission.report import NEVER_SENT
from pipeline.codes import ErrorCode
from pipeline.engine.ask import Abandoned, FileGone, RowLife
from pipeline.engine.lanes.attempts import Attempt
from pipeline.extraction.prepare import Prepared
from pipeline.parts import FilePart, LoadedPart, files_of
from pipeline.reader.read import CHANGED, Unreadable
from pipeline.types import Request, Turn

MOST_BYTES = 128_000_000  # of base64
READ_AT_ONCE = 2  # requests, beside what is in flight: as many as there are readers
SANDBOX, VERTEX = "sandbox", "vertex"
GONE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class Room:
    """Bytes that are in memory at once. First come, first served; what is more than all of it goes alone."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.bytes = 0

    async def take(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self.bytes += size
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(size)
            else:
                self._waiting.remove((size, turn))
                self._admit()
            raise

    def give(self, size: int) -> None:
        self.bytes -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            self.bytes += size
            turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return not self.bytes or self.bytes + size <= self._most_bytes


class Loaded:
    """An `Upload`. As a context it ends with the attempt at the latest."""

    def __init__(self, request: Request, size: int, room: Room) -> None:
        self._request: Request | None = request
        self._size = size
        self._room = room

    @property
    def request(self) -> Request:
        if self._request is None:
            raise RuntimeError("the files of this request have left")
        return self._request

    def sent(self) -> None:
        if self._request is not None:
            self._request = None
            self._room.give(self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.sent()


class FileLoader:
    """`load` takes its time, and is called in threads, as is `address_of`: where the provider finds the file itself.

    Raises what `load` raises of the machine's: no memory, no thread.
    """

    def __init__(
        self,
        load: Callable[[FilePart], bytes],
        *,
        most_bytes: int = MOST_BYTES,
        address_of: Callable[[FilePart, bytes], str] = lambda _, __: "",
    ) -> None:
        self._load = load
        self._address_of = address_of
        self._threads = ThreadPoolExecutor(READ_AT_ONCE)  # few: each keeps memory of its own that it has had once
        self._reading = asyncio.Semaphore(READ_AT_ONCE)
        self.room = Room(most_bytes)

    async def of_attempt(self, attempt: Attempt, gate: Gate[Any], life: RowLife) -> Loaded:
        """Before it is named: what cannot be read has not left, and has cost nothing.

        Raises:
            As `loaded`. Stopped, Abandoned: nobody wants it any more.
        """
        try:
            loaded = await self.loaded(attempt.request)
        except BaseException:
            gate.finish(attempt.ticket, NEVER_SENT)
            raise
        if life.alive and gate.stopped is None:
            return loaded
        loaded.sent()
        gate.finish(attempt.ticket, NEVER_SENT)
        await gate.pause(0)  # raises Stopped, unless it is the row that has ended meanwhile
        raise Abandoned

    async def loaded(self, request: Request) -> Loaded:
        """The request with its files; the same file once, however often it is in there.

        Raises:
            FileGone: bad_row: one of them cannot be read, or is another than it was.
        """
        parts = {part for turn in request.turns for part in files_of(turn.parts)}
        async with self._reading:
            files = {part: await self._file(part) for part in parts}
            size = sum(len(file.base64) for file in files.values() if isinstance(file, LoadedPart))
            await self.room.take(size)
        turns = tuple(_with_files(turn, files) for turn in request.turns)
        return Loaded(replace(request, turns=turns), size, self.room)

    async def _file(self, part: FilePart) -> FilePart:
        try:
            return await self._ready(part)
        except Unreadable as error:
            raise FileGone(ErrorCode.BAD_ROW, str(error)) from None
        except GONE as error:
            raise FileGone(ErrorCode.BAD_ROW, f"{CHANGED}: {part.path}: {error.strerror}") from None

    async def _ready(self, part: FilePart) -> FilePart:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._made, part)

    def _made(self, part: FilePart) -> FilePart:
        data = self._load(part)
        if address := self._address_of(part, data):
            return replace(part, path=address)
        return LoadedPart(**asdict(part), base64=b64encode(data))


def loader_of(prepared: Prepared) -> FileLoader | None:
    """Of a job whose rows are files; the local sandbox, which sees nothing, is given the text of what is drawn."""
    source, job = prepared.source, prepared.job
    if not source.documents:
        return None
    load = partial(source.load, with_text=job.model.provider == SANDBOX)
    most_bytes = MOST_BYTES // job.limits.workers
    if job.model.provider == VERTEX and not job.model.base_url:  # another host need not reach the bucket
        return FileLoader(load, most_bytes=most_bytes, address_of=source.address_of)
    return FileLoader(load, most_bytes=most_bytes)


def holds_files(request: Request) -> bool:
    return any(files_of(turn.parts) for turn in request.turns)


def pages_of(request: Request) -> str:
    """The pages of files that go along, as `1-20, 25`; of a file that goes as it is, its kind."""
    told = []
    for file in (file for turn in request.turns for file in files_of(turn.parts)):
        span = f"{file.first}-{file.last}" if file.last > file.first else str(file.first)
        part = f"part {file.piece}: " if file.piece else ""
        told.append(part + (span if file.first else file.media_type))
    return ", ".join(told)


def _with_files(turn: Turn, files: dict[FilePart, FilePart]) -> Turn:
    parts = tuple(files.get(part, part) if isinstance(part, FilePart) else part for part in turn.parts)
    return replace(turn, parts=parts)
