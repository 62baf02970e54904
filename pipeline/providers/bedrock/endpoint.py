"""Where a job's calls to Bedrock go, and what lets them in: the URL of each operation, and its signed headers. Pure.

A model's name keeps its colons and has its slashes percent-encoded. So HTTP clients, which put a URL into normal form
before they send it, leave it as it was signed.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers import require
from pipeline.providers.bedrock.signing import Signer, Unsigned
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body, sha256_of

SERVICE, RUNTIME = "bedrock", "bedrock-runtime"
CONTENT_TYPE = "application/json"
ARN_REGION = re.compile(r"arn:[^:]+:[a-z-]+:([a-z0-9-]+):")
SUFFIXES = (("cn-", "amazonaws.com.cn"), ("eusc-", "amazonaws.eu"), ("", "amazonaws.com"))


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
        self._base = (model.base_url or f"https://{RUNTIME}.{self.region}.{suffix_of(self.region)}").rstrip("/")
        self._signer = Signer(self.region, SERVICE)

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
        """A bearer token where that is what the secret is, else a signature. `more`: other headers, in lower case."""
        if secret.bearer or not secret.access_key_id:
            return {"Authorization": f"Bearer {secret.value}", "Content-Type": CONTENT_TYPE, **(more or {})}
        asked = Unsigned(method, url, sha256_of(body), {"content-type": CONTENT_TYPE, **(more or {})})
        return self._signer.headers(asked, secret, now)


def suffix_of(region: str) -> str:
    """Of all host names there."""
    return next(suffix for start, suffix in SUFFIXES if region.startswith(start))
