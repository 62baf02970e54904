"""Objects in Google Cloud Storage as a batch needs them: put, listed, fetched and deleted over its JSON API. Pure."""

from collections.abc import Mapping
from urllib.parse import quote

from pipeline.errors import CallFailed, Kind
from pipeline.providers import batch_words
from pipeline.providers.batches import BatchAsk
from pipeline.providers.gemini.listing import failure
from pipeline.providers.hints import shortened
from pipeline.providers.json import items, mapping, parsed, string
from pipeline.types import HttpAnswer

EMULATOR = "STORAGE_EMULATOR_HOST"  # where it is not at Google's own address; no token goes there
HOST = "https://storage.googleapis.com"
SCHEME = "gs://"
LINES = "application/jsonl"
FIELDS = "nextPageToken,items(name,bucket)"
PAGE = 1000


class Bucket:
    """`url`: gs://BUCKET/PREFIX, under which all of ours stands."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        scheme, _, host = environ.get(EMULATOR, "").rpartition("://")
        self.emulated = bool(host)
        self._host = f"{scheme or 'http'}://{host}".rstrip("/") if host else HOST

    def uri(self, name: str) -> str:
        return f"{self._url}/{name}"

    def put(self, uri: str) -> BatchAsk:
        """Whole or not at all."""
        bucket, name = _split(uri)
        url = f"{self._host}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
        return BatchAsk("POST", url, LINES, lines=True, tail=b"\n")

    def put_as(self, answer: HttpAnswer) -> str:
        """The URI of what was put.

        Raises:
            CallFailed: it was not, with what to mend.
        """
        told = self._told(answer)
        if not (name := string(told.get("name"))):
            raise batch_words.unread(answer, f"batch.gcs_url = {self._url!r}: no object in the answer")
        return f"{SCHEME}{string(told.get('bucket')) or _split(self._url)[0]}/{name}"

    def contents(self, folder: str, page: str = "") -> BatchAsk:
        bucket, prefix = _split(folder)
        after = f"&pageToken={quote(page, safe='')}" if page else ""
        query = f"prefix={quote(prefix.rstrip('/') + '/', safe='')}&maxResults={PAGE}&fields={FIELDS}{after}"
        return BatchAsk("GET", f"{self._host}/storage/v1/b/{bucket}/o?{query}")

    def names(self, answer: HttpAnswer) -> tuple[tuple[str, ...], str]:
        """The URIs of a folder's objects; a list that is empty is left out of the answer."""
        told = self._told(answer)
        found = [(string(one.get("bucket")), string(one.get("name"))) for one in items(told.get("items"))]
        own = _split(self._url)[0]
        return tuple(f"{SCHEME}{bucket or own}/{name}" for bucket, name in found if name), string(
            told.get("nextPageToken")
        )

    def fetch(self, uri: str) -> BatchAsk:
        return BatchAsk("GET", f"{self._at(uri)}?alt=media")

    def delete(self, uri: str) -> BatchAsk:
        return BatchAsk("DELETE", self._at(uri))

    def owns(self, ask: BatchAsk) -> bool:
        """Whether it is asked of the storage, and not of the model's API."""
        return ask.url.startswith((f"{self._host}/storage/v1/b/", f"{self._host}/upload/storage/v1/b/"))

    def _at(self, uri: str) -> str:
        bucket, name = _split(uri)
        return f"{self._host}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"

    def _told(self, answer: HttpAnswer) -> Mapping[str, object]:
        if answer.status < 300:
            return mapping(parsed(answer.body))
        failed = batch_words.of_no_model(failure(answer))
        failed.message = shortened(f"batch.gcs_url = {self._url!r}: {failed.message.rstrip('. ')}. {_mend(failed)}")
        raise failed


def _mend(failed: CallFailed) -> str:
    if failed.status == 404:
        return "Make the bucket, or name one that is there"
    if failed.kind is Kind.AUTH:
        return (
            "Allow storage.objects.create, get, list and delete there to these credentials, and to Vertex AI's "
            "service agent"
        )
    return "Look at batch.gcs_url"


def _split(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    return bucket, name
