"""What has come of one answer: whole, or as much as was seen of it before its connection broke."""

import asyncio
from collections.abc import Mapping

from pipeline.errors import CallFailed, Kind
from pipeline.providers import EventAssembler, Wire
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.credentials.spellings import REDACTED
from pipeline.providers.echoes import unechoed, unechoed_body
from pipeline.providers.hints import limits_seen
from pipeline.providers.transport.connection import Headers, Raw, Take
from pipeline.types import HttpAnswer


class Received:
    """A `Receive`: a streamed answer goes piece by piece to the wire's assembler. `sent`: the request's headers."""

    def __init__(self, wire: Wire, secret: Secret, sent: Mapping[str, str], *, stream: bool) -> None:
        self._wire = wire
        self._secret = secret
        self._sent = sent
        self._stream = stream
        self._clock = asyncio.get_running_loop().time
        self._began_s = self._clock()
        self._assembler: EventAssembler | None = None
        self._status: int | None = None
        self._headers: Headers = {}
        self._ttft_ms: int | None = None
        self._began = False  # whether anything of a stream has come

    def __call__(self, status: int, headers: Headers) -> Take | None:
        self._status, self._headers = status, headers
        if not self._stream or status != 200 or "json" in headers.get("content-type", ""):
            return None
        self._assembler = self._wire.stream()
        return self._take

    def whole(self, raw: Raw) -> HttpAnswer:
        """The answer.

        Raises:
            CallFailed: NO_ANSWER: it is empty, and may have been billed all the same.
        """
        if raw.status == 200 and not (raw.body or self._began):
            raise CallFailed(Kind.NO_ANSWER, "an empty answer", status=raw.status, unread=True)
        if self._assembler is not None and raw.status == 200:
            raw = Raw(raw.status, raw.headers, self._assembler.finish(raw.status, raw.headers))
        return told(raw, self._sent, self._secret, self._ttft_ms)

    def despite(self, failure: CallFailed, error: BaseException | None) -> HttpAnswer:
        """A streamed answer that has said that it is complete, however its connection ended.

        Raises:
            CallFailed: `failure`, with what was seen of any other.
        """
        if self._status is not None and self._assembler is not None:
            body = self._assembler.finish(self._status, self._headers)
            if self._assembler.ended:
                return told(Raw(self._status, self._headers, body), self._sent, self._secret, self._ttft_ms)
        failure.status = failure.status if self._status is None else self._status
        failure.ttft_ms, failure.limits = self._ttft_ms, limits_seen(self._headers)
        raise failure from error

    def _take(self, piece: bytes) -> None:
        self._began = True
        if self._assembler is not None and self._assembler.feed(piece) and self._ttft_ms is None:
            self._ttft_ms = round((self._clock() - self._began_s) * 1000)


def told(raw: Raw, sent: Mapping[str, str], secret: Secret, ttft_ms: int | None) -> HttpAnswer:
    """An answer as anybody may see it: neither the secret nor what was signed with it, in an error no bytes of a file.

    `sent`: the request's own headers.
    """
    headers, body, values = raw.headers, secret.redacted(raw.body), "\n".join(raw.headers.values())
    if secret.unsaid(values) != values:
        headers = {name: secret.unsaid(value) for name, value in headers.items()}
    if secret.access_key_id and (signature := sent.get("Authorization", "").rpartition("Signature=")[2]):
        body = body.replace(signature.encode(), REDACTED)
        headers = {name: value.replace(signature, REDACTED.decode()) for name, value in headers.items()}
    if raw.status != 200:  # no answer: nothing in it is the model's own
        body, headers = unechoed_body(body), {name: unechoed(value) for name, value in headers.items()}
    return HttpAnswer(raw.status, headers, body, ttft_ms)
