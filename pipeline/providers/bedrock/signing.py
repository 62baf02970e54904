"""AWS's Signature Version 4, for one service in one region. Pure: the time is given."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from msgspec import Struct

from pipeline.providers.credentials.secret import Secret

ALGORITHM = "AWS4-HMAC-SHA256"
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
S3 = "s3"


class Unsigned(Struct, frozen=True):
    """A request as it is to be signed. `headers`: other than host and date, with names in lower case."""

    method: str
    url: str
    payload: str  # the SHA-256 of its body in hex, or what stands for it
    headers: Mapping[str, str] = {}


class Signer:
    def __init__(self, region: str, service: str) -> None:
        self.region = region
        self._service = service
        self._key: tuple[str, str] = "", ""  # the secret and the day that `_derived` is of
        self._derived = b""

    def headers(self, asked: Unsigned, secret: Secret, now: datetime) -> dict[str, str]:
        """All headers of the request but Host, which is the HTTP client's business."""
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {**asked.headers, "host": host_of(asked.url), "x-amz-date": stamp}
        if secret.session_token:
            signed["x-amz-security-token"] = secret.session_token
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        parts = urlsplit(asked.url)
        path = parts.path if self._service == S3 else quote(parts.path, safe="/~")  # all but S3 want it encoded twice
        query = "&".join(sorted(parts.query.split("&")))
        canonical = f"{asked.method}\n{path}\n{query}\n{lines}\n{names}\n{asked.payload}"
        scope = f"{stamp[:8]}/{self.region}/{self._service}/aws4_request"
        to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._signing_key(secret.value, stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"{secret.access_key_id}/{scope}"
        del signed["host"]
        return {
            **signed,
            "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
        }

    def _signing_key(self, secret: str, day: str) -> bytes:
        """Derived anew when the day or the secret changes."""
        if self._key != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._derived = (secret, day), key
        return self._derived


def host_of(url: str) -> str:
    """As an HTTP client sends it: without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(DEFAULT_PORTS.get(parts.scheme, ""))
