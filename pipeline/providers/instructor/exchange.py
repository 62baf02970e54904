"""One call's way through a vendor's HTTP client: its key goes in, its answer comes out, and there is no second one.

The vendors' clients are httpx inside, whose public hooks see each request before it leaves and each answer before it is
read. An answer is taken there and raised past the vendor's parser and past all retries, of which there are three owners
on this way and none of ours. That is why it is no Exception.
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.errors import CallFailed, Kind
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.transport.connection import MOST_BYTES, Raw

KEY = "the-key-is-put-in-as-a-request-leaves"  # so that no client, and no error of one, has it


class Caught(BaseException):
    """The answer is in its exchange."""


class SecondRequest(BaseException):
    """A client wanted to send again what was sent already."""


class HttpClient(Protocol):
    """An asynchronous client of httpx, of either generation."""

    event_hooks: dict[str, list[Any]]

    async def aclose(self) -> None: ...


@dataclass(slots=True)
class Exchange:
    """`timeout`: httpx's four, in seconds. `moved_to`: stands before the path, instead of scheme and host."""

    secret: Secret
    timeout: dict[str, float]
    moved_to: str = ""
    sent: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: Raw | None = None
    failure: CallFailed | None = None

    async def leaves(self, request: Any) -> None:  # noqa: ANN401 (httpx's or httpx2's)
        if self.sent:
            raise SecondRequest
        for name, value in request.headers.items():
            if KEY in value:
                request.headers[name] = value.replace(KEY, self.secret.value)
        if self.moved_to:
            request.url = type(request.url)(self.moved_to.rstrip("/") + request.url.raw_path.decode())
            request.headers["host"] = request.url.netloc.decode()
        request.extensions = {**request.extensions, "timeout": self.timeout}
        self.sent = True

    async def comes(self, response: Any) -> None:  # noqa: ANN401 (as above)
        self.status, self.headers = response.status_code, {name.lower(): one for name, one in response.headers.items()}
        pieces, size = [], 0
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                words, unread = f"an answer of more than {MOST_BYTES // 2**20} MB", self.status < 300
                self.failure = CallFailed(Kind.NO_ANSWER, words, status=self.status, unread=unread)
                raise Caught
        self.raw = Raw(self.status, self.headers, b"".join(pieces))
        raise Caught


current: ContextVar[Exchange] = ContextVar("current")


async def _leaves(request: Any) -> None:  # noqa: ANN401 (as above)
    exchange = current.get(None)
    if exchange is None:
        raise SecondRequest
    await exchange.leaves(request)


async def _comes(response: Any) -> None:  # noqa: ANN401 (as above)
    await current.get().comes(response)


def hook(client: HttpClient) -> None:
    """From now on the client sends for the exchange in `current`, and for nobody else."""
    client.event_hooks = {"request": [_leaves], "response": [_comes]}
