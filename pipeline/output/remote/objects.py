"""The objects below a URL, written whole or not at all: one small face over obstore.

Input is read with pyarrow's file systems; output is written with obstore (the extra `cloud`), because pyarrow publishes
a half-written object when the writing code raises, and cannot write "only if nobody else has".
"""

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.documents.sources.filesystems import CONNECT_TIMEOUT_S, REQUEST_TIMEOUT_S, s3_endpoint, s3_region
from pipeline.errors import JobError

RETRY_S = 30  # of one request that the store failed
PIECE_BYTES = 1 << 20


class StoreFailed(Exception):
    """The store did not do it; the message is its own, in one line."""


class Lost(StoreFailed):
    """Somebody else has written the object in the meantime."""


class Stamp(Struct, frozen=True):
    """One version of an object, as the store knows it. Both are handed back where a write is to replace just this."""

    e_tag: str | None
    version: str | None = None


class Read(Struct, frozen=True):
    content: bytes
    stamp: Stamp
    written_at: datetime  # by the store's clock


NEW = Stamp(None)  # to be written only where nothing is


class Objects:
    """All objects below `url`; names are relative to it.

    Raises:
        JobError: the URL is incomplete or holds credentials, or the extra is missing.
        StoreFailed: from every method, with the store's own words.
    """

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self._obstore = _obstore()
        self._store = _open(self.url, environ)

    def write(self, name: str, content: bytes | Path, only_over: Stamp | None = None) -> Stamp:
        """Put an object; with `only_over`, only in place of that version (NEW: of nothing).

        Raises:
            Lost: another version is there.
        """
        mode: Any = "overwrite"
        if only_over is not None:
            known = {"e_tag": only_over.e_tag, "version": only_over.version}
            mode = {key: value for key, value in known.items() if value} or "create"
        found = self._tried(name, lambda: self._obstore.put(self._store, name, content, mode=mode))
        return Stamp(found["e_tag"], found["version"])

    def read(self, name: str) -> Read | None:
        """A small object, or None where there is none."""
        try:
            found = self._tried(name, lambda: self._obstore.get(self._store, name))
            return Read(bytes(found.bytes()), _stamp(found.meta), found.meta["last_modified"])
        except FileNotFoundError:
            return None

    def written(self, name: str) -> tuple[Stamp, datetime] | None:
        """What there is and since when, by the store's clock; None where there is nothing."""
        try:
            meta = self._tried(name, lambda: self._obstore.head(self._store, name))
        except FileNotFoundError:
            return None
        return _stamp(meta), meta["last_modified"]

    def fetch(self, name: str, target: Path) -> Stamp | None:
        """Copy an object into a file of its own, or None where there is none. The file is synced."""
        try:
            found = self._tried(name, lambda: self._obstore.get(self._store, name))
            with target.open("wb") as file:
                for piece in self._tried(name, lambda: found.stream(min_chunk_size=PIECE_BYTES)):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            return _stamp(found.meta)
        except FileNotFoundError:
            return None

    def names(self, prefix: str) -> list[str]:
        """Of all objects whose names begin so."""
        pages = self._tried(prefix, lambda: list(self._obstore.list(self._store, prefix)))
        return [found["path"] for page in pages for found in page]

    def delete(self, names: Sequence[str]) -> None:
        """All of these, also where one is not there."""
        with suppress(FileNotFoundError):
            if names:
                self._tried(names[0], lambda: self._obstore.delete(self._store, list(names)))

    def now(self) -> datetime:
        """The store's clock, to the second: that of an object written and deleted again. Shows that both may be done.

        Raises:
            StoreFailed: it may not be written here.
        """
        name = f".probe-{uuid.uuid4().hex[:12]}"
        self.write(name, b"written to see whether it can be, and what time it is\n")
        found = self.written(name)
        self.delete([name])
        if found is None:
            raise StoreFailed(f"{self.url}/{name}: was written, and is not there")
        return found[1]

    def _tried(self, name: str, do: Callable[[], Any]) -> Any:  # noqa: ANN401 (obstore's own types, an extra)
        errors = self._obstore.exceptions
        try:
            return do()
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):  # obstore has one exception for both
                raise StoreFailed(f"{self.url}: the bucket does not exist") from None
            raise
        except (errors.AlreadyExistsError, errors.PreconditionError) as error:
            raise Lost(_told(self.url, name, error)) from None
        except (errors.BaseError, OSError) as error:
            raise StoreFailed(_told(self.url, name, error)) from None


def _stamp(meta: Any) -> Stamp:  # noqa: ANN401 (obstore's own type, an extra)
    return Stamp(meta["e_tag"], meta["version"])


def _told(url: str, name: str, error: Exception) -> str:
    """The first line of the error: what follows is for those who debug obstore."""
    words = str(error).partition("\n\nDebug source")[0].partition("\n")[0]
    return f"{url}/{name}: {words[:300]}"


def _obstore() -> Any:  # noqa: ANN401 (an extra)
    try:
        import obstore  # noqa: PLC0415 (an extra)
    except ImportError:
        raise JobError(
            "an output in a bucket needs obstore, which is not installed. Install it:  "
            "pip install 'ledger-pipeline[cloud]'"
        ) from None
    return obstore


# ── which store ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _open(url: str, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 (obstore's own type, an extra)
    scheme, _, rest = url.partition("://")
    bucket = rest.partition("/")[0]
    if not bucket:
        raise JobError(f"output.path = {url!r} names no bucket: write {scheme}://BUCKET/PREFIX")
    if "@" in bucket and scheme != "abfss":
        raise JobError(
            f"output.path = '{scheme}://...': credentials in a URL are not read. Set them in the environment"
        )
    from obstore.exceptions import BaseError  # noqa: PLC0415 (an extra)

    patience = {
        "client_options": {
            "timeout": timedelta(seconds=2 * REQUEST_TIMEOUT_S),
            "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
            "allow_http": True,  # a server of one's own; the clouds' own addresses are https
        },
        "retry_config": {"max_retries": 8, "retry_timeout": timedelta(seconds=RETRY_S)},
    }
    try:
        return _OPENERS[scheme](url, environ, patience)
    except (BaseError, ValueError, OSError) as error:
        raise JobError(_told(url, "", error)) from None


def _s3(url: str, environ: Mapping[str, str], patience: dict[str, Any]) -> Any:  # noqa: ANN401
    from obstore.store import S3Store  # noqa: PLC0415 (an extra)

    endpoint = s3_endpoint(environ)
    config: Any = {"region": s3_region(url.partition("://")[2].partition("/")[0], environ)}
    if endpoint:
        config["endpoint"] = endpoint if "://" in endpoint else f"https://{endpoint}"
    return S3Store.from_url(url, config=config, **_chain(environ), **patience)


def _chain(environ: Mapping[str, str]) -> dict[str, Any]:
    """Profiles and SSO are known to AWS's own library only; variables and machine roles to obstore itself."""
    if environ.get("AWS_ACCESS_KEY_ID") or not (environ.get("AWS_PROFILE") or _has_profiles(environ)):
        return {}
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 (the extra `aws`)
    except ImportError:
        raise JobError(
            "AWS profiles need boto3, which is not installed. Install it:  pip install 'ledger-pipeline[aws]'  "
            "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    return {"credential_provider": Boto3CredentialProvider()}


def _has_profiles(environ: Mapping[str, str]) -> bool:
    named = environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials"
    return Path(named).expanduser().exists()


def _gs(url: str, _environ: Mapping[str, str], patience: dict[str, Any]) -> Any:  # noqa: ANN401
    from obstore.store import GCSStore  # noqa: PLC0415 (an extra)

    return GCSStore.from_url(url, **patience)


def _az(url: str, environ: Mapping[str, str], patience: dict[str, Any]) -> Any:  # noqa: ANN401
    from obstore.store import AzureStore  # noqa: PLC0415 (an extra)

    account = environ.get("AZURE_STORAGE_ACCOUNT_NAME") or environ.get("AZURE_STORAGE_ACCOUNT")
    key = environ.get("AZURE_STORAGE_ACCOUNT_KEY") or environ.get("AZURE_STORAGE_KEY")
    if not account and not url.startswith("abfss://"):
        raise JobError(f"{url}: the storage account is not known. Set AZURE_STORAGE_ACCOUNT_NAME")
    config: Any = {"account_name": account} if account and not url.startswith("abfss://") else {}
    return AzureStore.from_url(url, config={**config, **({"account_key": key} if key else {})}, **patience)


_OPENERS = {"s3": _s3, "gs": _gs, "az": _az, "abfss": _az}
