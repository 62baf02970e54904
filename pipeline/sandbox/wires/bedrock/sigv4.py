"""AWS's Signature Version 4, recomputed from a request and held against the one it carries. Pure: the time is given.

The sandbox knows one secret: access keys that begin with AKIASANDBOX, and temporary ones that begin with ASIASANDBOX,
go with `sandbox-secret`. A temporary one needs a session token; any will do, but for `expired`.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from msgspec import Struct

from pipeline.sandbox.exchange import Received

ALGORITHM = "AWS4-HMAC-SHA256"
SECRET = "sandbox-secret"  # noqa: S105 (everybody may know it)
LASTING, TEMPORARY = "AKIASANDBOX", "ASIASANDBOX"
SERVICE, S3 = "bedrock", "s3"
UNHASHED = "UNSIGNED-PAYLOAD"  # S3 takes a body that nobody has hashed
SKEW = timedelta(minutes=15)
STAMP = "%Y%m%dT%H%M%SZ"
REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d")
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)


class Problem(Struct, frozen=True):
    """Why a signature is not accepted: AWS's exception, with its status."""

    status: int
    code: str
    message: str


class Signature(Struct, frozen=True):
    """What a header Authorization says."""

    key_id: str
    day: str
    region: str
    service: str
    names: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def problem(received: Received, now: datetime, service: str = SERVICE) -> Problem | None:
    """What is wrong with the signature of a request; None when it is good."""
    signed = _signature(received.headers.get("authorization", ""))
    if signed is None:
        text = "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters."
        return Problem(403, "IncompleteSignatureException", text)
    return _who(signed, received.headers) or _when(signed, received.headers, now, service) or _what(signed, received)


def _signature(header: str) -> Signature | None:
    parts = dict(part.strip().partition("=")[::2] for part in header.removeprefix(ALGORITHM).split(","))
    credential = parts.get("Credential", "").split("/")
    names, signature = parts.get("SignedHeaders", ""), parts.get("Signature", "")
    if len(credential) != 5 or credential[4] != "aws4_request" or not names or not signature:
        return None
    key_id, day, region, service = credential[:4]
    return Signature(key_id, day, region, service, tuple(names.split(";")), signature)


def _who(signed: Signature, headers: Mapping[str, str]) -> Problem | None:
    token = headers.get("x-amz-security-token", "")
    known = signed.key_id.startswith(LASTING) or (signed.key_id.startswith(TEMPORARY) and token)
    if not known:
        text = "The security token included in the request is invalid."
        return Problem(403, "UnrecognizedClientException", text)
    if token == "expired":  # noqa: S105 (a word for tests)
        return Problem(403, "ExpiredTokenException", "The security token included in the request is expired")
    return None


def _when(signed: Signature, headers: Mapping[str, str], now: datetime, service: str) -> Problem | None:
    stamp = headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        return Problem(403, "IncompleteSignatureException", text)
    if abs(now - at) > SKEW:
        text = f"Signature expired: {stamp} is now earlier than {(now - SKEW).strftime(STAMP)}"
        return Problem(403, "InvalidSignatureException", text)
    if signed.day != stamp[:8]:
        text = f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date: {signed.day}"
        return Problem(403, "InvalidSignatureException", text)
    if signed.service != service:
        text = f"Credential should be scoped to correct service: '{service}'."
        return Problem(403, "InvalidSignatureException", text)
    if not REGION.fullmatch(signed.region):
        return Problem(403, "InvalidSignatureException", "Credential should be scoped to a valid region.")
    return None


def _what(signed: Signature, received: Received) -> Problem | None:
    headers = received.headers
    needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} & headers.keys())
    if not needed <= set(signed.names) or not set(signed.names) <= headers.keys():
        return Problem(403, "InvalidSignatureException", MISMATCH)
    unhashed = signed.service == S3 and headers.get("x-amz-content-sha256") == UNHASHED
    digest = UNHASHED if unhashed else hashlib.sha256(received.body).hexdigest()
    if headers.get("x-amz-content-sha256", digest) != digest:
        return Problem(
            403, "InvalidSignatureException", "The provided 'x-amz-content-sha256' header is not the body's."
        )
    if list(signed.names) != sorted(signed.names) or not hmac.compare_digest(
        _expected(signed, received, digest), signed.signature
    ):
        return Problem(403, "InvalidSignatureException", MISMATCH)
    return None


def _expected(signed: Signature, received: Received, digest: str) -> str:
    query = "&".join(sorted(filter(None, received.query.split("&"))))
    lines = "".join(f"{name}:{' '.join(received.headers[name].split())}\n" for name in signed.names)
    path = received.path if signed.service == S3 else quote(received.path, safe="/~")  # percent-encoded once more
    canonical = "\n".join([received.method, path, query, lines, ";".join(signed.names), digest])
    stamp = received.headers["x-amz-date"]
    to_sign = "\n".join([ALGORITHM, stamp, signed.scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{SECRET}".encode()
    for part in signed.scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
