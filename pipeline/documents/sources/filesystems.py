"""Where input lies: a path or URL → a file system and the path inside it. Reading only; pyarrow brings every client.

Credentials come from each cloud's own chain, never from the URL.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pyarrow as pa
from msgspec import Struct
from pyarrow import fs as pafs

from pipeline.errors import JobError

CONNECT_TIMEOUT_S = 10
REQUEST_TIMEOUT_S = 60
MAX_ATTEMPTS = 5


class FilePlace(Struct, frozen=True):
    """A file system, a path inside it, and how such paths are written for people."""

    fs: pafs.FileSystem
    path: str
    url_head: str = ""  # stands in URLs for `path_head`
    path_head: str = ""

    def url(self, path: str) -> str:
        return self.url_head + path.removeprefix(self.path_head)


def place(path: str, called: str = "input.path") -> FilePlace:
    """The place that `path` names: an absolute local path, or an s3://, gs://, az:// or abfss:// URL.

    `called`: what errors call it.

    Raises:
        JobError: the URL is incomplete or holds credentials, or its bucket does not answer.
    """
    scheme, separator, rest = path.partition("://")
    if not separator or scheme not in _OPENERS:
        return FilePlace(pafs.LocalFileSystem(), path)
    bucket = rest.partition("/")[0]
    if not bucket:
        raise JobError(f"{called} = {path!r} names no bucket: write {scheme}://BUCKET/KEY")
    if "@" in bucket and scheme != "abfss":
        raise JobError(f"{called} = '{scheme}://...': credentials in a URL are not read. Set them in the environment")
    try:
        return _OPENERS[scheme](bucket, rest.rstrip("/"))
    except (OSError, pa.ArrowException) as error:
        raise JobError(f"{path}: cannot be reached: {error}") from None


def _s3(bucket: str, path: str) -> FilePlace:
    options: dict[str, object] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "request_timeout": REQUEST_TIMEOUT_S,
        "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=MAX_ATTEMPTS),
    }
    options["region"] = s3_region(bucket, os.environ)
    endpoint = s3_endpoint(os.environ)
    if endpoint:
        scheme, _, host = endpoint.rpartition("://")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https"}
    return FilePlace(pafs.S3FileSystem(**options), path, "s3://")


def s3_endpoint(environ: Mapping[str, str]) -> str:
    """Where S3 is, when it is not at AWS's own address; else ""."""
    return environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""


def s3_region(bucket: str, environ: Mapping[str, str]) -> str:
    """The bucket's own region, which AWS is asked for: another region's endpoint refuses. Elsewhere what is set.

    Raises:
        OSError: the bucket does not exist.
    """
    if s3_endpoint(environ):
        return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return str(pafs.resolve_s3_region(bucket))


def _gs(_bucket: str, path: str) -> FilePlace:
    patience = timedelta(seconds=REQUEST_TIMEOUT_S)  # the default retries for a quarter of an hour
    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        scheme, _, host = emulator.rpartition("://")
        options = {"endpoint_override": host.rstrip("/"), "scheme": scheme or "http", "anonymous": True}
        return FilePlace(pafs.GcsFileSystem(retry_time_limit=patience, **options), path, "gs://")
    return FilePlace(pafs.GcsFileSystem(retry_time_limit=patience), path, "gs://")


def _az(container: str, path: str) -> FilePlace:
    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") or os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise JobError(
            f"az://{container}: the storage account is not known. Set AZURE_STORAGE_ACCOUNT_NAME, "
            f"or write abfss://{container}@ACCOUNT.dfs.core.windows.net/..."
        )
    return FilePlace(_azure(account), path, "az://")


def _abfss(bucket: str, path: str) -> FilePlace:
    container, at, host = bucket.partition("@")
    if not at or not container or ":" in container or "." not in host:
        raise JobError("input.path = 'abfss://...': write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH")
    inner = container + path.removeprefix(bucket)
    return FilePlace(_azure(host.partition(".")[0]), inner, f"abfss://{bucket}", container)


def _azure(account: str) -> pafs.FileSystem:
    key = os.environ.get("AZURE_STORAGE_ACCOUNT_KEY") or os.environ.get("AZURE_STORAGE_KEY")
    return pafs.AzureFileSystem(account_name=account, account_key=key)


_OPENERS = {"s3": _s3, "gs": _gs, "az": _az, "abfss": _abfss}


class Places:
    """Places of many URLs: each bucket is opened once, for that may ask where it is."""

    def __init__(self, called: str) -> None:
        """`called`: what errors call a URL."""
        self._called = called
        self._by_head: dict[str, FilePlace] = {}

    def of(self, url: str) -> tuple[pafs.FileSystem, str]:
        """As of `place`: a file system, and the path inside it."""
        head = "/".join(url.split("/", 3)[:3])
        where = self._by_head[head] = self._by_head.get(head) or place(head, self._called)
        return where.fs, where.path_head + url.removeprefix(where.url_head)


def is_link(found: FilePlace, path: str) -> bool:
    """Whether `path` is a local symbolic link: `**` does not follow those, for they may lead back up."""
    return isinstance(found.fs, pafs.LocalFileSystem) and Path(path).is_symlink()


def parent(path: str) -> str:
    return str(PurePosixPath(path).parent)
