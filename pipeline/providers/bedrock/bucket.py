"""Objects in S3 as a batch needs them: put, fetched and deleted over its REST API, each signed. Pure.

With the credentials of the calls, which have to be AWS's own keys: an API key of Bedrock opens no bucket.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from pipeline.errors import CallFailed, Kind
from pipeline.providers.batches import BatchAsk
from pipeline.providers.bedrock.endpoint import suffix_of
from pipeline.providers.bedrock.errors import CODES, request_id
from pipeline.providers.bedrock.signing import S3, Signer, Unsigned
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import retry_after_s, shortened
from pipeline.providers.statuses import BY_STATUS
from pipeline.types import HttpAnswer

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # where S3 is not at AWS's own address
# A body that is streamed is not hashed before it leaves: TLS and its length stand for it.
UNHASHED = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
SCHEME = "s3://"
LINES = "application/jsonl"
CODE, WORDS = re.compile(r"<Code>([^<]{1,80})</Code>"), re.compile(r"<Message>([^<]{1,400})</Message>")
PASSING = {"SlowDown", "RequestTimeout", "OperationAborted", "InternalError"}
REGION = "x-amz-bucket-region"


class Bucket:
    """`url`: s3://BUCKET/PREFIX, under which all of ours stands."""

    def __init__(self, url: str, region: str, environ: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._region = region
        self._endpoint = next((environ[name] for name in ENDPOINTS if environ.get(name)), "").rstrip("/")
        self._signer = Signer(region, S3)

    def uri(self, name: str) -> str:
        return f"{self._url}/{name}"

    def put(self, uri: str) -> BatchAsk:
        return BatchAsk("PUT", self._at(uri), LINES, lines=True, tail=b"\n", headers=UNHASHED)

    def fetch(self, uri: str) -> BatchAsk:
        return BatchAsk("GET", self._at(uri), headers=UNHASHED)

    def delete(self, uri: str) -> BatchAsk:
        return BatchAsk("DELETE", self._at(uri), headers=UNHASHED)

    def contents(self) -> BatchAsk:
        """One object of it at the most."""
        bucket = self._url.removeprefix(SCHEME).partition("/")[0]
        return BatchAsk(
            "GET", f"{self._at(f'{SCHEME}{bucket}/').rstrip('/')}/?list-type=2&max-keys=1", headers=UNHASHED
        )

    def headers(self, ask: BatchAsk, secret: Secret, now: datetime) -> dict[str, str]:
        payload = UNHASHED["x-amz-content-sha256"]
        return self._signer.headers(Unsigned(ask.method, ask.url, payload, UNHASHED), secret, now)

    def check(self, answer: HttpAnswer) -> None:
        """Raises CallFailed for an answer that is an error, with what to mend."""
        if answer.status >= 300:
            raise self._failure(answer)

    def _at(self, uri: str) -> str:
        """A bucket with dots has no certificate of its own, and one elsewhere no host."""
        bucket, _, key = uri.removeprefix(SCHEME).partition("/")
        path = quote(key, safe="/-_.~")
        if self._endpoint:
            return f"{self._endpoint}/{bucket}/{path}"
        host = f"{S3}.{self._region}.{suffix_of(self._region)}"
        return f"https://{host}/{bucket}/{path}" if "." in bucket else f"https://{bucket}.{host}/{path}"

    def _failure(self, answer: HttpAnswer) -> CallFailed:
        text = answer.body.decode("utf-8", "replace")
        code, words = (found[1] if (found := one.search(text)) else "" for one in (CODE, WORDS))
        told = shortened(f"batch.s3_url = {self._url!r}: {code or 'no access'}: {words}".rstrip(": "))
        return CallFailed(
            _kind(answer.status, code),
            f"{told.rstrip('.')}. {self._mend(answer, code)}",
            status=answer.status,
            retry_after_s=retry_after_s(answer.headers),
            provider_request_id=request_id(answer.headers),
        )

    def _mend(self, answer: HttpAnswer, code: str) -> str:
        elsewhere = answer.headers.get(REGION, "")
        if elsewhere and elsewhere != self._region:
            return f"The bucket is in {elsewhere}, and batches run in {self._region}: they have to be the same"
        if code == "NoSuchBucket":
            return "Make the bucket, or name one that is there"
        if answer.status in {401, 403}:
            return "Allow s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket there to whom the keys are of"
        return "Look at batch.s3_url, and at model.region"


def _kind(status: int, code: str) -> Kind:
    if code in PASSING or status >= 500:
        return Kind.OVERLOADED
    return CODES.get(code) or BY_STATUS.get(status, Kind.INVALID_REQUEST)
