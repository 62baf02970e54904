"""The seam between the engine and the providers: a pure wire, a transport that carries it, and what lets it in.

A wire maps one vendor's dialect, both ways, and makes one attempt's worth of sense of it. Wires are strangers to each
other; each is imported only when a job uses it.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol

from msgspec.structs import replace

from pipeline.catalog.apis import INVOKE, RESPONSES, api_of
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.tiers import FLEX
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.parts import files_of
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Body, Pieces
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request, Turn


class EventAssembler(Protocol):
    """Puts a streamed answer together again."""

    def feed(self, piece: bytes) -> bool:
        """Take some bytes, cut anywhere; True once a first token has been seen."""
        ...

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:
        """The body that the same answer would have had without streaming."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the answer has said that it is complete, or failed: how its connection ends then does not matter."""
        ...


class Wire(Protocol):
    """One vendor's dialect. Pure: no network, no clock, no key of its own."""

    name: str
    url: str

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:
        """All headers of one attempt; `now` (UTC) is for those that sign."""
        ...

    def body(self, request: Request) -> Body: ...

    def reply(self, answer: HttpAnswer) -> Answer:
        """The answer in no dialect.

        Raises:
            CallFailed: it is none, for whatever reason.
        """
        ...

    def stream(self) -> EventAssembler: ...


class CountingWire(Wire, Protocol):
    """A wire whose provider counts the tokens of a request for free."""

    count_url: str

    def count_body(self, request: Request) -> Body: ...

    def counted(self, answer: HttpAnswer) -> int:
        """Input tokens of the request.

        Raises:
            CallFailed: as `reply`.
        """
        ...


class Asked(Protocol):
    """Something to be got, not posted: it costs nothing."""

    @property
    def url(self) -> str: ...

    def headers(self, secret: Secret, now: datetime) -> dict[str, str]:
        """All headers of it; `now` (UTC) is for those that sign."""
        ...


class Credentials(Protocol):
    """Where the secret comes from; renewed before it expires."""

    async def secret(self) -> Secret:
        """The secret to use now.

        Raises:
            CallFailed: AUTH: it cannot be renewed.
        """
        ...

    async def aclose(self) -> None: ...


class Upload(Protocol):
    """A request with its files, in memory for as long as it takes to send them."""

    @property
    def request(self) -> Request:
        """With its files; asked for once, by whoever sends it."""
        ...

    def sent(self) -> None:
        """All of it has left: the bytes may go."""
        ...


class Transport(Protocol):
    """Carries one attempt, and takes the secret out of what comes back."""

    async def send(
        self, wire: Wire, request: Request, *, fresh: bool = False, upload: Upload | None = None
    ) -> HttpAnswer:
        """Send and read the whole answer. `fresh`: on a connection of its own, after one that was `stale`.

        `upload`: of a request that holds files.

        Raises:
            CallFailed: TIMEOUT or CONNECTION: no whole answer came.
        """
        ...

    async def aclose(self) -> None: ...


def wire_for(model: Model, shape: AnswerShape, environ: Mapping[str, str], base_url: str = "") -> Wire:
    """The wire of a job's provider.

    Raises:
        JobError: the endpoint lacks something (a region, a project) that neither the job nor the environment says.
    """
    entry = PROVIDERS[model.provider]
    others = {INVOKE: entry.invoke_wire, RESPONSES: entry.responses_wire}
    module, _, kind = (others.get(api_of(model)) or entry.wire).partition(":")
    wire: Wire = getattr(import_module(module), kind)(settled(model, environ, base_url), shape)
    return wire


def standard_wire(model: Model, shape: AnswerShape, environ: Mapping[str, str], base_url: str = "") -> Wire | None:
    """The same at the standard service tier, for where `flex` has no room; None where the job does not want it."""
    if model.service_tier != FLEX or not model.flex_fallback:
        return None
    return wire_for(replace(model, service_tier="default"), shape, environ, base_url)


def settled(model: Model, environ: Mapping[str, str], base_url: str = "") -> Model:
    """[model] with what the environment says filled in where the job says nothing; `base_url` goes before both."""
    model = replace(model, base_url=base_url or model.base_url)
    found: dict[str, Any] = {}
    for key, variables in PROVIDERS[model.provider].environment.items():
        if not getattr(model, key):
            found[key] = next((environ[name] for name in variables if environ.get(name)), "")
    return replace(model, **found)


def loaded_body(wire: Wire, upload: Upload) -> Body:
    """The body of a request with files: a large one says when it has left."""
    body = wire.body(upload.request)
    if isinstance(body, Pieces):
        body.when_sent = upload.sent
    return body


def text_only(turn: Turn) -> str:
    """A turn's text, for a wire that carries no files.

    Raises:
        CallFailed: it holds one, and is not sent without it.
    """
    if files_of(turn.parts):
        raise CallFailed(
            Kind.INVALID_REQUEST, "this provider is sent text only, and the request holds a file", sent=False
        )
    return turn.text


def require(value: str, key: str, model: Model) -> str:
    """A part of the endpoint that cannot be left out.

    Raises:
        JobError: names the key of [model] and the variables that would do.
    """
    if value:
        return value
    variables = " or ".join(PROVIDERS[model.provider].environment.get(key, ()))
    raise JobError(
        f"model.provider = {model.provider!r} needs model.{key}" + (f" (or {variables})" if variables else "")
    )
