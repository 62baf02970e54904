"""What a provider's listing endpoints are asked, at no cost, and what their answers mean. Pure.

A look is a conversation: it yields the URL of each GET, is sent what came of it, and returns findings. So the next
question may depend on the last answer, and whoever carries it out does nothing but carry.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from pipeline.catalog.names import bare_model
from pipeline.catalog.providers import key_variable
from pipeline.catalog.windows import limits_of
from pipeline.errors import CallFailed, Finding, Kind
from pipeline.job.settings import Model
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened
from pipeline.providers.json import items, mapping, parsed, string
from pipeline.text import did_you_mean
from pipeline.types import HttpAnswer

T = TypeVar("T")
Told = HttpAnswer | CallFailed
Asking = Generator[str, Told, T]
Body = Mapping[str, Any]

KEY_WORDS = re.compile(
    r"api[ _-]?key (?:is )?(?:not valid|invalid|expired)|(?:incorrect|invalid) (?:x-)?api[ _-]?key|security token"
    r"|signature|authentication token|unregistered callers|make sure your api key",
    re.IGNORECASE,
)
NOT_OF_TEXT = re.compile(  # by the makers' own names
    r"^(?:text-embedding|whisper|tts|dall-e|gpt-image|chatgpt-image|sora|imagen|veo|gemini-embedding|lyria)\b"
    r"|^(?:gpt|omni|text|o\d)\b.*-(?:moderation|transcribe|realtime|tts|image)\b"
)
NO_PATH = re.compile(  # of a 404 that speaks of an address, and not of a model
    r'^\s*(?:$|<|\{"detail"|status 404|(?:404:? )?(?:page |resource |route )?not found\W*$|cannot get|no route)'
    r"|(?:invalid|unknown|unrecognized) (?:request )?(?:url|path|endpoint|route)",
    re.IGNORECASE,
)
NO_SUCH_METHOD = {405, 501}
MOST_NAMES = 5000  # looked through for one that is like another
MUCH = 1.1  # our table rounds down; a window that is larger by more than this is not the one we know


class Listing(Protocol):
    """One provider's listing endpoints, for the model of a job."""

    def look(self) -> Asking[list[Finding]]:
        """Raises Shut: nothing more can be told."""
        ...

    def headers(self, url: str, secret: Secret, now: datetime) -> dict[str, str]: ...


class Shut(Exception):
    """Whatever else would be asked, this is the answer."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


class Place(Struct, frozen=True):
    """Who is asked, and what a user mends when it goes wrong."""

    host: str
    key: str  # how to mend a key that is refused
    where: str  # what says where requests go
    failure: Callable[[HttpAnswer], CallFailed]


def place_of(url: str, model: Model, where: str, failure: Callable[[HttpAnswer], CallFailed], keys: str = "") -> Place:
    """`keys`: what lets in, where it is no plain key."""
    variable = key_variable(model) if not keys or model.api_key_env else ""
    mend = (
        f"Put a good key for {model.provider} into {variable}" if variable else keys or "Any key but `invalid` is good"
    )
    return Place(urlsplit(url).netloc.rpartition("@")[2], mend, where, failure)


def thing_at(url: str, place: Place) -> Asking[Body | CallFailed]:
    """What stands at `url`; the failure where it does not.

    Raises:
        Shut: that says all: no connection, no key, no access, no API.
    """
    told = yield url
    if isinstance(told, CallFailed):
        raise Shut(trouble(told, place))
    if told.status < 300:
        return _body(told, place)
    failed = place.failure(told)
    failed.status = told.status
    if told.status in {400, 404, 410, *NO_SUCH_METHOD} and failed.kind is not Kind.AUTH:
        return failed
    raise Shut(trouble(failed, place))


def more_at(url: str) -> Asking[Body]:
    """The same of what is not needed: nothing where it is not told."""
    told = yield url
    if isinstance(told, CallFailed) or told.status != 200:
        return {}
    value = parsed(told.body)
    return {"data": value} if isinstance(value, list) else mapping(value)


def trouble(failed: CallFailed, place: Place) -> Finding:
    """What a failure that says all means, with what to mend."""
    status, words = failed.status, failed.message.rstrip(". ")
    said = f"{place.host} answers {status}: {words}"
    if status is None and failed.kind is Kind.AUTH:
        return Finding("key", "problem", failed.message)
    if status is None or (status < 300 and failed.kind is Kind.NO_ANSWER):
        told = f"{place.host} does not answer: {words}. Look at {place.where}, the network, and HTTPS_PROXY"
        return Finding("host", "problem", told)
    if status < 400:
        return Finding("host", "problem", f"{said}. Look at {place.where}: redirects are not followed")
    if status == 401 or (failed.kind is Kind.AUTH and (status == 400 or KEY_WORDS.search(failed.message))):
        return Finding("key", "problem", f"{said}. {place.key}")
    if status in {402, 403}:
        told = "Have the account or role that the key is of let in to the model, and to this listing"
        return Finding("access" if status == 403 else "account", "problem", f"{said}. {told}")
    later = "Nothing more could be told; ask again later" if status == 429 or status >= 500 else "Nothing more is told"
    return Finding("host", "warning", f"{said}. {later}")


def not_there(failed: CallFailed) -> bool:
    """Whether a server says that it has no such model, and not only that it has no such path."""
    in_words = failed.status in {404, 410} and not failed.message.lstrip().startswith(("{", "["))
    return (in_words or failed.kind is Kind.MODEL_UNAVAILABLE) and not NO_PATH.search(failed.message)


def missing(what: str, name: str, names: Iterable[str], place: Place, key: str = "model.name") -> Finding:
    """A name that is not there, with the nearest that is."""
    nearest = did_you_mean(name, (shortened(one) for one in islice(names, MOST_NAMES)), cutoff=0.4)
    told = f"{place.host} has no {what} {name!r} for this key.{nearest} Set {key}, or have it made available"
    return Finding(what, "problem", told)


def absent(
    what: str, name: str, names: Iterable[str], failed: CallFailed, place: Place, *, elsewhere: bool
) -> list[Finding]:
    """A 404: of the model, or of a server that is not the provider's own (`elsewhere`) and has no listings."""
    listed = list(names)
    if listed or not_there(failed) or not elsewhere:
        return [missing(what, name, listed, place)]
    return [not_told(what, name, failed, place)]


def not_told(what: str, name: str, failed: CallFailed, place: Place) -> Finding:
    told = f"whether {place.host} has {name!r} could not be told: it answers {failed.status}: {failed.message}"
    return Finding(what, "warning", told)


def key_is_good(place: Place) -> Finding:
    return Finding("key", "ok", f"{place.host} does not refuse it")


def named(listed: Body, *keys: str) -> dict[str, Body]:
    """The things of a listing by their names, wherever it has them."""
    things = (one for name in ("data", "models", *keys) for one in items(listed.get(name)))
    names = ((next((string(one[key]) for key in ("id", "name", "modelId") if one.get(key)), ""), one) for one in things)
    return {name: one for name, one in names if name}


def wrong_kind(name: str, place: Place) -> Iterator[Finding]:
    if NOT_OF_TEXT.search(bare_model(name)):
        told = f"{name!r} of {place.host} is no model that answers with text. Set model.name to one that does"
        yield Finding("model", "problem", told)


def windows(model: Model, input_tokens: int, output_tokens: int) -> Iterator[Finding]:
    """What the provider says of a model's window against our table's; 0: it does not say."""
    ours = limits_of(model.name)
    if output_tokens and model.max_output_tokens > output_tokens:
        told = f"model.max_output_tokens = {model.max_output_tokens:,} is more than the {output_tokens:,} that it takes"
        yield Finding("window", "problem", f"{told}. Lower it")
    for what, own, told_tokens in (
        ("input", ours.max_input_tokens, input_tokens),
        ("output", ours.max_output_tokens, output_tokens),
    ):
        if told_tokens and not own <= told_tokens <= own * MUCH:
            source = "our table says" if ours.known else "we assume"
            where = "requests may be refused as too long" if own > told_tokens else "the smaller figure is kept to"
            told = f"the provider says {told_tokens:,} tokens of {what}, {source} {own:,}: {where}"
            yield Finding("window", "warning", told)


def _body(answer: HttpAnswer, place: Place) -> Body:
    value = parsed(answer.body)
    if isinstance(value, dict) and not value.get("error"):
        return value
    start = shortened(answer.body[:80].decode("utf-8", "replace"))
    told = f"{place.host} answers with what is no listing ({start!r}). Look at {place.where}: is it the API's address?"
    raise Shut(Finding("host", "problem", told))
