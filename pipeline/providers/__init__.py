"""The seam between the engine and the providers: a pure wire, and a transport that carries it.

A wire maps one vendor's dialect, both ways, and makes one attempt's worth of sense of it. Wires are strangers to each
other; each is imported only when a job uses it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from pipeline.errors import JobError
from pipeline.job import Model, key_variable
from pipeline.work import Answered, AnswerShape, Reply, Request


class EventAssembler(Protocol):
    """Puts a streamed answer together again."""

    def feed(self, piece: bytes) -> bool:
        """Take some bytes, cut anywhere; True once a first token has been seen."""
        ...

    def finish(self, status: int, headers: Mapping[str, str]) -> bytes:
        """The body that the same answer would have had without streaming."""
        ...


class Wire(Protocol):
    """One vendor's dialect. Pure: no network, no clock; the key never shows in a repr."""

    name: str
    url: str

    def headers(self, body: bytes) -> dict[str, str]: ...

    def body(self, request: Request) -> bytes: ...

    def reply(self, answer: Answered) -> Reply:
        """The answer in no dialect.

        Raises:
            CallFailed: it is none, for whatever reason.
        """
        ...

    def stream(self) -> EventAssembler: ...


class Transport(Protocol):
    """Carries one attempt."""

    async def send(self, wire: Wire, request: Request) -> Answered:
        """Send and read the whole answer.

        Raises:
            CallFailed: TIMEOUT or CONNECTION: no whole answer came.
        """
        ...

    async def aclose(self) -> None: ...


WIRES = {
    "openai": "pipeline.providers.openai:OpenAIWire",
    "sandbox": "pipeline.providers.openai:OpenAIWire",
}


def wire_for(model: Model, shape: AnswerShape, environ: Mapping[str, str], base_url: str = "") -> Wire:
    """The wire of a job's provider, with its key from the environment.

    Raises:
        JobError: the provider is not built, or the variable of its key is not set.
    """
    if model.provider not in WIRES:
        raise JobError(f"model.provider = {model.provider!r} is not built yet. There are: {', '.join(WIRES)}")
    module, _, name = WIRES[model.provider].partition(":")
    return getattr(import_module(module), name)(model, shape, key(model, environ), base_url)  # type: ignore[no-any-return]


def key(model: Model, environ: Mapping[str, str]) -> str:
    """The provider's key, never from a file.

    Raises:
        JobError: names the variable and how to set it.
    """
    if model.provider == "sandbox":
        return "sandbox"
    variable = key_variable(model)
    value = environ.get(variable, "").strip()
    if not value:
        raise JobError(
            f"the environment variable {variable} holds no key for {model.provider}. Set it:  export {variable}=...  "
            "(another variable: model.api_key_env)"
        )
    return value
