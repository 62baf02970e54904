"""Objects in buckets, as batches on a cloud use them: Google's by its JSON API, AWS's S3 by its REST API, under /s3.

Every bucket is there, but for those whose names say otherwise. Facts: the vendors' references, 2026-11.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from aiohttp import web

from pipeline.sandbox.batches.dialect import Endpoint
from pipeline.sandbox.batches.faults import Operation
from pipeline.sandbox.batches.http import Ask, Handle, spooled, streamed, told
from pipeline.sandbox.batches.lines import PIECE_BYTES, LineFile
from pipeline.sandbox.batches.store import ENDS, StoredFile
from pipeline.sandbox.exchange import Received, Refused
from pipeline.sandbox.wires.bedrock import sigv4
from pipeline.sandbox.wires.bedrock.wire import utc_now
from pipeline.sandbox.wires.gemini.errors import broken, refusal, throttled

MISSING, FORBIDDEN, ELSEWHERE = "missing-bucket", "forbidden-bucket", "elsewhere-bucket"
ELSEWHERE_REGION = "eu-west-1"
MOST_BYTES = 5 * 1000**3
KEPT_S = float("inf")
CODES = {400: "InvalidRequest", 403: "AccessDenied", 404: "NoSuchKey", 503: "SlowDown"}


class Objects(Endpoint, Protocol):
    """What both have in common: a scheme, and errors of their own."""

    scheme: str

    def _uri(self, ask: Ask, name: str) -> str:
        """Raises Refused where the bucket cannot be used."""
        bucket = ask.match("bucket")
        if bucket == MISSING:
            raise self.refusal(404, "The specified bucket does not exist.")
        if bucket == FORBIDDEN:
            raise self.refusal(403, "Access Denied: the caller does not have permission for this bucket.")
        return f"{self.scheme}://{bucket}/{name}"

    async def _put(self, ask: Ask, uri: str) -> StoredFile:
        lines, most = LineFile(ask.desk.path()), ask.desk.faults.set.most_bytes or MOST_BYTES
        body = ask.request.content.iter_chunked(PIECE_BYTES)
        size = await spooled(body, lines.path, most, self.refusal(400, f"The object is larger than {most} bytes."))
        await ask.desk.in_thread(lines.index)
        file = StoredFile(uri, "", "", "", ask.now_s, KEPT_S, size, lines)
        ask.desk.store.files[uri] = file
        return file

    def _found(self, ask: Ask, uri: str) -> StoredFile:
        """A batch's results are there once it has ended."""
        file = ask.desk.store.files.get(uri)
        batch = ask.desk.store.batches.get(file.name) if file is not None else None
        if file is None or (batch is not None and batch.phase(ask.now_s) not in ENDS):
            raise self.refusal(404, f"No such object: {uri}")
        if batch is not None and batch.course.gone:
            raise self.refusal(batch.course.gone, f"No such object: {uri}")
        return file

    async def _content(self, ask: Ask, uri: str) -> web.StreamResponse:
        file = self._found(ask, uri)
        batch = ask.desk.store.batches.get(file.name)
        lines = file.lines.read() if batch is None else batch.delivered(file.lines)
        return await streamed(ask, lines, len(file.lines), "application/octet-stream")

    def _delete(self, ask: Ask, uri: str) -> None:
        del ask.desk.store.files[self._found(ask, uri).id]


class GoogleObjects(Objects):
    """Without a key, as an emulator is."""

    name, scheme = "gcs", "gs"

    def authorise(self, received: Received) -> None:
        pass

    def refusal(self, status: int, message: str) -> Refused:
        if status >= 500:
            return broken(status)
        return throttled("objects", None, None) if status == 429 else refusal(status, message)

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        objects = "/storage/v1/b/{bucket}/o"
        return [
            ("POST", f"/upload{objects}", "upload", self.put),
            ("GET", objects, "content", self.listed),
            ("GET", objects + "/{name:.+}", "content", self.content),
            ("DELETE", objects + "/{name:.+}", "delete", self.delete),
        ]

    async def put(self, ask: Ask) -> web.Response:
        if ask.query.get("uploadType") != "media" or not ask.query.get("name"):
            raise self.refusal(400, "uploadType should be media, and name is required.")
        return told(_resource(await self._put(ask, self._uri(ask, ask.query["name"]))))

    async def listed(self, ask: Ask) -> web.Response:
        start = self._uri(ask, ask.query.get("prefix", ""))
        batches = ask.desk.store.batches
        found = [
            file
            for uri, file in sorted(ask.desk.store.files.items())
            if uri.startswith(start) and (file.name not in batches or batches[file.name].phase(ask.now_s) in ENDS)
        ]
        first = int(ask.query.get("pageToken", "0"))
        most = min(ask.number("maxResults", 1000, 1000), ask.desk.faults.set.list_page or 1000)
        rest = {"nextPageToken": str(first + most)} if first + most < len(found) else {}
        return told({**({"items": [_resource(file) for file in found[first : first + most]]} if found else {}), **rest})

    async def content(self, ask: Ask) -> web.StreamResponse:
        uri = self._uri(ask, ask.match("name"))
        if ask.query.get("alt") != "media":
            return told(_resource(self._found(ask, uri)))
        return await self._content(ask, uri)

    async def delete(self, ask: Ask) -> web.Response:
        self._delete(ask, self._uri(ask, ask.match("name")))
        return web.Response(status=204)


class AwsObjects(Objects):
    name, scheme = "s3", "s3"

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self._now = now

    def authorise(self, received: Received) -> None:
        problem = sigv4.problem(received, self._now(), "s3")
        if problem is not None:
            raise _xml(problem.status, "SignatureDoesNotMatch", problem.message)

    def refusal(self, status: int, message: str) -> Refused:
        code = "NoSuchBucket" if "bucket does not exist" in message else CODES.get(status, "InternalError")
        return _xml(status, code, message)

    def routes(self) -> list[tuple[str, str, Operation, Handle]]:
        objects = "/s3/{bucket}/{name:.+}"
        return [
            ("PUT", objects, "upload", self.put),
            ("GET", "/s3/{bucket}/", "content", self.listed),
            ("GET", objects, "content", self.content),
            ("DELETE", objects, "delete", self.delete),
        ]

    async def put(self, ask: Ask) -> web.Response:
        if ask.match("bucket") == ELSEWHERE:
            region = {"x-amz-bucket-region": ELSEWHERE_REGION}
            raise _xml(301, "PermanentRedirect", "The bucket must be addressed using its own endpoint.", region)
        await self._put(ask, self._uri(ask, ask.match("name")))
        return web.Response()

    async def listed(self, ask: Ask) -> web.Response:
        """Of no bucket that cannot be used; what is in it is told to nobody yet."""
        self._uri(ask, "")
        return web.Response(body=b"<ListBucketResult></ListBucketResult>", content_type="application/xml")

    async def content(self, ask: Ask) -> web.StreamResponse:
        return await self._content(ask, self._uri(ask, ask.match("name")))

    async def delete(self, ask: Ask) -> web.Response:
        """What is not there is deleted too."""
        ask.desk.store.files.pop(self._uri(ask, ask.match("name")), None)
        return web.Response(status=204)


def results(ask: Ask, batch_id: str, uri: str) -> LineFile:
    """A new object that a batch writes to."""
    lines = LineFile(ask.desk.path())
    ask.desk.store.files[uri] = StoredFile(uri, "", batch_id, "", ask.now_s, KEPT_S, 0, lines)
    return lines


def _resource(file: StoredFile) -> dict[str, Any]:
    bucket, _, name = file.id.partition("://")[2].partition("/")
    return {"kind": "storage#object", "bucket": bucket, "name": name, "size": str(file.size_bytes)}


def _xml(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refused(status, body.encode(), {**(headers or {}), "Content-Type": "application/xml"})
