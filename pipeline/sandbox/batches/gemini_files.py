"""AI Studio's files, as batches use them: uploaded resumably or at once, and kept for two days.

Facts: the vendor's reference and google-genai 3.6.1, 2026-11.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from pipeline.sandbox.batches.gemini_shapes import instant, page
from pipeline.sandbox.batches.http import Ask, spooled, streamed, told
from pipeline.sandbox.batches.lines import PIECE_BYTES, LineFile
from pipeline.sandbox.batches.store import DAY_S, Phase, StoredFile
from pipeline.sandbox.exchange import Refused
from pipeline.sandbox.wires.gemini.errors import refusal

KEPT_S = 2 * DAY_S
RESULTS_KEPT_S = 42 * DAY_S
MOST_BYTES = 2 * 1000**3
NAME = re.compile(r"^files/[a-z0-9][a-z0-9-]{0,39}$")
RESULT = "files/batch-"  # how names of results begin
UPLOADS = "/upload/v1beta/files"


async def upload(ask: Ask) -> web.Response:
    """The start of a resumable upload, a piece of one, or a whole file."""
    if "upload_id" in ask.query:
        return await _piece(ask)
    if ask.received.headers.get("x-goog-upload-protocol") == "resumable":
        wanted = _file_in(await ask.request.read())
        file = _new(ask, wanted)
        url = f"http://{ask.request.host}{UPLOADS}?upload_id={file.id.removeprefix('files/')}"
        return web.Response(headers={"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})
    file = _new(ask, {})
    await _write(ask, file)
    return await _finished(ask, file)


async def _piece(ask: Ask) -> web.Response:
    file = ask.desk.store.files.get(f"files/{ask.query['upload_id']}")
    if file is None or len(file.lines):
        raise refusal(404, "There is no such upload.")
    command = ask.received.headers.get("x-goog-upload-command", "")
    if int(ask.received.headers.get("x-goog-upload-offset", "0")) != file.size_bytes:
        raise refusal(400, f"The upload goes on at {file.size_bytes}.")
    await _write(ask, file)
    if "finalize" not in command:
        return web.Response(headers={"X-Goog-Upload-Status": "active"})
    return await _finished(ask, file)


async def _write(ask: Ask, file: StoredFile) -> None:
    most = ask.desk.faults.set.most_bytes or MOST_BYTES
    too_large = refusal(413, f"The file is larger than {most} bytes.")
    body = ask.request.content.iter_chunked(PIECE_BYTES)
    file.size_bytes += await spooled(body, file.lines.path, most - file.size_bytes, too_large)


async def _finished(ask: Ask, file: StoredFile) -> web.Response:
    await ask.desk.in_thread(file.lines.index)
    return told({"file": shape(file)}, **{"X-Goog-Upload-Status": "final"})


def _file_in(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body or b"{}").get("file", {})
    except (orjson.JSONDecodeError, AttributeError):
        found = None
    if not isinstance(found, Mapping):
        raise refusal(400, "Invalid JSON payload received.")
    return found


def _new(ask: Ask, wanted: Mapping[str, Any]) -> StoredFile:
    """A file with the name that was asked for, or any."""
    name = wanted.get("name") or f"files/{ask.desk.store.new_id(ask.now_s)[:12]}"
    if not NAME.match(name):
        raise refusal(400, "* CreateFileRequest.file.name: it should be files/ with up to 40 of a-z, 0-9 and dashes.\n")
    if name in ask.desk.store.files:
        raise refusal(409, f"Requested entity already exists: {name}")
    title = wanted.get("displayName") or wanted.get("display_name") or ""
    file = StoredFile(name, ask.account, title, "", ask.now_s, ask.now_s + KEPT_S, 0, LineFile(ask.desk.path()))
    ask.desk.store.files[name] = file
    return file


def found(ask: Ask, name: str) -> StoredFile:
    file = ask.desk.store.files.get(name)
    if file is None or file.account != ask.account or ask.now_s >= file.expires_s:
        raise refusal(403, f"You do not have permission to access the File {name} or it may not exist.")
    return file


async def look(ask: Ask) -> web.Response:
    name = f"files/{ask.match('id')}"
    if name.startswith(RESULT):
        raise refusal(400, "* GetFileRequest.name: the name is too long.\n")
    return told(shape(found(ask, name)))


async def delete(ask: Ask) -> web.Response:
    del ask.desk.store.files[found(ask, f"files/{ask.match('id')}").id]
    return told({})


async def listed(ask: Ask) -> web.Response:
    files = [
        file
        for file in reversed(ask.desk.store.files.values())
        if file.account == ask.account and not file.id.startswith(RESULT) and ask.now_s < file.expires_s
    ]
    return told(page(ask, "files", files, shape))


async def content(ask: Ask) -> web.StreamResponse:
    file = found(ask, f"files/{ask.match('id')}")
    batch = ask.desk.store.batches.get(file.name)
    if batch is None:
        raise refusal(400, "Only generated files can be downloaded.")
    if batch.course.gone:
        raise _gone(batch.course.gone, file.id)
    await ask.desk.settle(batch)
    if batch.phase(ask.now_s) is not Phase.COMPLETED:
        raise refusal(404, f"{file.id} is not there yet.")
    return await streamed(ask, batch.delivered(file.lines), len(file.lines), "application/octet-stream")


def _gone(status: int, name: str) -> Refused:
    return refusal(status, f"You do not have permission to access the File {name} or it may not exist.")


def shape(file: StoredFile) -> dict[str, Any]:
    created = instant(file.created_s)
    title = {"displayName": file.name} if file.name else {}
    return {
        "name": file.id,
        **title,
        "mimeType": "application/jsonl",
        "sizeBytes": str(file.size_bytes),
        "createTime": created,
        "updateTime": created,
        "expirationTime": instant(file.expires_s),
        "uri": f"https://generativelanguage.googleapis.com/v1beta/{file.id}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
