"""The sandbox's readers of PDFs: the pipeline's own, in processes of their own, asked from a thread."""

import asyncio
import tempfile
import threading
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import JobError
from pipeline.reader.read import NOT_A_PDF, Read, ReadOptions, Unreadable
from pipeline.sandbox.exchange import NotReadHere, PageReader, Question, Received, Refused, Wire

if TYPE_CHECKING:
    from pipeline.reader.pool import Readers

PDF = "application/pdf"
MOST = ReadOptions(max_pages=3000, max_bytes=64 * 1024 * 1024, embedded_xml=False)


class PdfReaders:
    """Started with the first PDF."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: Readers | None = None

    def __call__(self, data: bytes) -> Read:
        """Raises Unreadable; JobError where PDFs cannot be read at all."""
        with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
            file.write(data)
            file.flush()
            read = self._started().read(file.name, "document.pdf")
        if read.media_type != PDF:
            raise Unreadable(NOT_A_PDF, f"it is {read.media_type}")
        return read

    def close(self) -> None:
        with self._lock:
            if self._readers is not None:
                self._readers.close()
                self._readers = None

    def _started(self) -> "Readers":
        from pipeline.reader.pool import Readers  # noqa: PLC0415 (most jobs send no file)

        with self._lock:
            if self._readers is None:
                self._readers = Readers(MOST)
            return self._readers


async def parsed(wire: Wire, received: Received, read: PageReader) -> Question:
    """What is asked; in a thread where there is a file to be read. Raises Refused."""
    try:
        return wire.parse(received)
    except NotReadHere:
        pass
    try:
        return await asyncio.to_thread(wire.parse, received, read)
    except JobError as error:  # no reader is installed: nothing that any provider would say
        told = {"message": str(error)}
        raise Refused(400, orjson.dumps({"error": told, **told})) from None
