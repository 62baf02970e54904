"""Where a job's calls to Bedrock go, and what lets them in: the URL of each operation, and its signed headers. Pure.

A model's name keeps its colons and has its slashes percent-encoded. So HTTP clients, which put a URL into normal form
before they send it, leave it as it was signed.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers import require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body, sha256_of

SERVICE, RUNTIME = "bedrock", "bedrock-runtime"
ALGORITHM = "AWS4-HMAC-SHA256"
CONTENT_TYPE = "application/json"
ARN_REGION = re.compile(r"arn:[^:]+:[a-z-]+:([a-z0-9-]+):")
SUFFIXES = (("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"), ("", "amazonaws.com"))
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Endpoint:
    """One region's runtime, or whatever stands at `model.base_url` in its place."""

    def __init__(self, model: Model) -> None:
        found = ARN_REGION.match(model.name)
        in_name = found.group(1) if found else ""
        self.region = require(model.region or in_name, "region", model)
        if in_name and in_name != self.region and not model.base_url:
            raise JobError(
                f"model.name is an ARN of {in_name}, but the calls would go to {self.region}: "
                f"set model.region = {in_name!r}"
            )
        suffix = next(suffix for start, suffix in SUFFIXES if self.region.startswith(start))
        self._base = (model.base_url or f"https://{RUNTIME}.{self.region}.{suffix}").rstrip("/")
        self._key: tuple[str, str] = "", ""  # the secret and the day that `_derived` is of
        self._derived = b""

    def url(self, model: str, operation: str) -> str:
        return f"{self._base}/model/{quote(model, safe=':')}/{operation}"

    def control_url(self, path: str) -> str:
        """Of the control plane, which lists models and profiles: another host, or the same in place of both."""
        return f"{self._base.replace(RUNTIME, SERVICE, 1)}/{path}"

    def headers(
        self,
        url: str,
        body: Body,
        secret: Secret,
        now: datetime,
        more: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> dict[str, str]:
        """A bearer token where that is what the secret is, else AWS's Signature Version 4.

        `more`: other headers, with names in lower case that sort between `host` and `x-amz-`… or behind.
        """
        if secret.bearer or not secret.access_key_id:
            return {"Authorization": f"Bearer {secret.value}", "Content-Type": CONTENT_TYPE, **(more or {})}
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        signed = {"content-type": CONTENT_TYPE, "host": _host(url), "x-amz-date": stamp}
        if secret.session_token:
            signed["x-amz-security-token"] = secret.session_token
        signed |= more or {}
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        parts = urlsplit(url)
        path = quote(parts.path, safe="/~")  # encoded once more, as all services but S3 want it
        query = "&".join(sorted(parts.query.split("&")))
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{sha256_of(body)}"
        scope = f"{stamp[:8]}/{self.region}/{SERVICE}/aws4_request"
        to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._signing_key(secret.value, stamp[:8]), to_sign.encode(), hashlib.sha256).hexdigest()
        credential = f"{secret.access_key_id}/{scope}"
        del signed["host"]  # the HTTP client's business
        return {
            **signed,
            "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
        }

    def _signing_key(self, secret: str, day: str) -> bytes:
        """Derived anew when the day or the secret changes."""
        if self._key != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._derived = (secret, day), key
        return self._derived


def _host(url: str) -> str:
    """As an HTTP client sends it: without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix(DEFAULT_PORTS.get(parts.scheme, ""))
