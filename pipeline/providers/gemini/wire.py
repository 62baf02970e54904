"""Google's generateContent, of AI Studio (Gemini) and of Vertex AI: where to send, and the body. Pure.

What the job fixes is encoded once and stands first, byte-identical over rows; per call only the cap and the turns are.
Answers are read in `answers`, streams put together in `stream`.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from msgspec import Struct

from pipeline.catalog.reasoning import reasoned
from pipeline.job.settings import Model
from pipeline.parts import FilePart, LoadedPart, ResultPart
from pipeline.providers import require
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.files import Block, Blocks, Body, filled, gap, turn_blocks
from pipeline.providers.gemini.answers import count_in, reply_in
from pipeline.providers.gemini.stream import GeminiAssembler
from pipeline.providers.json import parsed
from pipeline.providers.parameters import GENERATE, ending, sampling, tier_asked
from pipeline.providers.tool_calls import members, turn_of
from pipeline.text import repaired
from pipeline.types import Answer, AnswerShape, HttpAnswer, Request

BASE_URL = "https://generativelanguage.googleapis.com"
# v1beta, not v1: preview models and the -latest aliases are served there only, and everything that v1 takes is too.
VERSION = "v1beta"
AT_GOOGLE = ("gs://", f"{BASE_URL}/")  # Vertex reads the first, Gemini its own Files API
VERTEX_VERSION = "v1"
ANYWHERE = "global"  # Vertex's own default: the newest models are offered there first, and some nowhere else
TIER_HEADER = "X-Vertex-AI-LLM-Shared-Request-Type"  # docs.cloud.google.com: Flex and Priority PayGo, 2026-11
MULTI_REGIONS = ("eu", "us")
REGION_IN = re.compile(r"^projects/[^/]+/locations/([^/]+)/")
ROLES = {"user": "user", "assistant": "model"}
UNTAUGHT = re.compile(r"(?:^|/)gemma-3")  # takes no system instruction, no JSON type and no functions: words only
NAME_CHARS = re.compile(r"[^A-Za-z0-9_]")
NAME_MOST_CHARS = 64
TOOL_WORDS = "Takes the record that was asked for."


class FixedMembers(Struct, frozen=True):
    """What the job fixes, encoded: members of the request with a comma behind, and generationConfig still open."""

    tools: bytes
    calling: bytes  # toolConfig
    config: bytes


class GeminiWire:
    """`model.base_url` is the bare host. Safety settings are left as the account has them, unless the job has some."""

    name = "gemini"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        endpoint = self._endpoint(model)
        self.url = f"{endpoint}:streamGenerateContent?alt=sse" if model.stream else f"{endpoint}:generateContent"
        self.count_url = f"{endpoint}:countTokens"
        self.shape = shape
        free = reasoned(sampling(model, GENERATE), model)
        self._start = b"{" + _members({**_safety(model), **self._tier(model), **model.extra})
        self._end = ending(model, '"labels":{"tenant":"%s"}')
        self._free = FixedMembers(b"", b"", _opened(free))
        self._untaught = UNTAUGHT.search(model.name.lower()) is not None
        self._asked = self._free if self._untaught and shape.mode == "json_object" else _structured(shape, free)
        self._closed = _structured(shape, free, closed=True) if shape.lookups else self._asked
        self._systems: dict[tuple[str, bool], tuple[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url})"

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:  # noqa: ARG002 (others sign)
        """The key stands in a header, never in the address: addresses are logged."""
        key = {"Authorization": f"Bearer {secret.value}"} if secret.bearer else {"x-goog-api-key": secret.value}
        return {**key, "Content-Type": "application/json"}

    def body(self, request: Request) -> Body:
        return filled(self._start + self._members(request) + self._end(request), request)

    def reply(self, answer: HttpAnswer) -> Answer:
        return reply_in(answer, self.shape.lookups, function_name(self.shape.name))

    def stream(self) -> GeminiAssembler:
        return GeminiAssembler()

    def count_body(self, request: Request) -> Body:
        """The whole request counts, its system prompt, tools and schema too."""
        name = orjson.dumps(self._resource)
        body = b'{"generateContentRequest":{"model":' + name + b"," + self._members(request) + b"}}"
        return filled(body, request)

    def counted(self, answer: HttpAnswer) -> int:
        return count_in(answer)

    def _tier(self, model: Model) -> dict[str, Any]:
        return tier_asked(model, "serviceTier")

    def _endpoint(self, model: Model) -> str:
        """Where the model is, without a method."""
        name = model.name.strip().strip("/")
        self._resource = name if "/" in name else f"models/{name}"
        return f"{versioned(model.base_url or BASE_URL, VERSION)}/{quoted(self._resource)}"

    def _members(self, request: Request, *, counting: bool = False) -> bytes:
        """The request as members of an object: system, tools, generationConfig, contents."""
        fixed = self._free if request.free_text else self._closed if request.closed else self._asked
        words, system = self._system(request.system, free_text=request.free_text)
        turns: list[dict[str, Any]] = [
            turn_of(turn, ROLES[turn.role], "parts", _result)
            or {"role": ROLES[turn.role], "parts": turn_blocks(turn, BLOCKS)}
            for turn in request.turns
        ]
        if self._untaught and words:
            turns[0]["parts"] = [{"text": words}, *turns[0]["parts"]]
            system = b""
        cap = f'"maxOutputTokens":{request.max_output_tokens}}},"contents":'.encode()
        calling = b"" if counting else fixed.calling
        return system + fixed.tools + calling + b'"generationConfig":' + fixed.config + cap + orjson.dumps(turns)

    def _system(self, system: str, *, free_text: bool) -> tuple[str, bytes]:
        """The system instruction, in words and as a member of the request, encoded once per job."""
        found = self._systems.get((system, free_text))
        if found is None:
            text = repaired(system)
            if self.shape.mode == "json_object" and not free_text:
                schema = orjson.dumps(self.shape.schema).decode()
                words = f"Answer with one JSON object of this JSON schema, and nothing else:\n{schema}"
                text = f"{text}\n\n{words}".strip()
            found = text, _members({"systemInstruction": {"parts": [{"text": text}]}}) if text else b""
            self._systems[system, free_text] = found
        return found


class VertexWire(GeminiWire):
    """A bearer token goes to a project and a region ("global" when none is said); an API key (express mode) to neither.

    `model.name` may be a bare name, `publishers/…/models/…`, `endpoints/…`, or a full path (`projects/…`), which says
    its own project and region.
    """

    name = "vertex"

    def __init__(self, model: Model, shape: AnswerShape) -> None:
        super().__init__(model, shape)
        self._tier_header = tier_asked(model, TIER_HEADER)

    def headers(self, body: Body, secret: Secret, now: datetime) -> dict[str, str]:
        return {**super().headers(body, secret, now), **self._tier_header}

    def count_body(self, request: Request) -> Body:
        """Without toolConfig, which Vertex's countTokens does not know."""
        return filled(b"{" + self._members(request, counting=True) + b"}", request)

    def _tier(self, model: Model) -> dict[str, Any]:  # noqa: ARG002 (as above)
        """None in the body: Vertex is asked in a header."""
        return {}

    def _endpoint(self, model: Model) -> str:
        name = model.name.strip().strip("/").removeprefix("models/")
        if "/" not in name:
            name = f"publishers/google/models/{name}"
        own = REGION_IN.match(name)
        region = own.group(1) if own else model.region or ANYWHERE
        if own is None and model.api_key_env:
            region = ANYWHERE
        elif own is None:
            name = f"projects/{require(model.project, 'project', model)}/locations/{region}/{name}"
        return f"{versioned(model.base_url or host_of(region), VERTEX_VERSION)}/{quoted(name)}"


def _file(part: FilePart) -> Block:
    """Inline, or by its address where it lies at Google and goes as it is: nothing is moved then."""
    if part.path.startswith(AT_GOOGLE) and not isinstance(part, LoadedPart):
        return {"fileData": {"mimeType": part.media_type, "fileUri": part.path}}
    return {"inlineData": {"mimeType": part.media_type, "data": gap(part)}}


BLOCKS = Blocks(_file, lambda text: {"text": text})


def _safety(model: Model) -> dict[str, Any]:
    asked = [{"category": category, "threshold": threshold} for category, threshold in model.safety.items()]
    return {"safetySettings": asked} if asked else {}


def versioned(base_url: str, version: str) -> str:
    """With the version behind it, which some write there themselves."""
    return f"{base_url.rstrip('/').removesuffix(f'/{version}')}/{version}"


def host_of(region: str) -> str:
    if region == ANYWHERE:
        return "https://aiplatform.googleapis.com"
    if region in MULTI_REGIONS:
        return f"https://aiplatform.{region}.rep.googleapis.com"
    return f"https://{region}-aiplatform.googleapis.com"


def _result(found: ResultPart) -> Block:
    """An object, whatever it is of; by its name alone where the call had no id."""
    text = repaired(found.text)
    value: object = orjson.Fragment(text) if parsed(text.encode()) is not None else text
    response = {"error": text} if found.failed else {"result": value}
    return {
        "functionResponse": {**({"id": found.call} if found.call else {}), "name": found.name, "response": response}
    }


def _structured(shape: AnswerShape, config: Mapping[str, Any], *, closed: bool = False) -> FixedMembers:
    """Tools or a JSON type. Never both: a JSON type beside a function is refused.

    Schemas go as JSON Schema (`responseJsonSchema`, `parametersJsonSchema`), which both services take for every model
    since Gemini 2.5; the older `responseSchema` knows neither references nor `additionalProperties`.
    """
    if shape.mode == "tool":
        name = function_name(shape.name)
        words = shape.schema.get("description") or TOOL_WORDS
        function = {"name": name, "description": words, "parametersJsonSchema": shape.schema}
        names = [name, *(one.name for one in shape.lookups if not closed)]
        calling = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": names}}
        tools = [{"functionDeclarations": [function, *(members(one, "parametersJsonSchema") for one in shape.lookups)]}]
        return FixedMembers(_members({"tools": tools}), _members({"toolConfig": calling}), _opened(config))
    answer: dict[str, Any] = {"responseMimeType": "application/json"}
    if shape.mode == "json_schema":
        answer["responseJsonSchema"] = shape.schema
    return FixedMembers(b"", b"", _opened({**config, **answer}))


def function_name(name: str) -> str:
    """Letters, digits and underscores, no digit first."""
    clean = NAME_CHARS.sub("_", name)[:NAME_MOST_CHARS]
    return clean if clean[:1].isalpha() or clean[:1] == "_" else f"_{clean}"[:NAME_MOST_CHARS]


def quoted(name: str) -> str:
    return quote(name, safe="/@:.-_~")


def _members(values: Mapping[str, Any]) -> bytes:
    """An object's members with a comma behind, so that more can follow; nothing when there are none."""
    return orjson.dumps(values)[1:-1] + b"," if values else b""


def _opened(values: Mapping[str, Any]) -> bytes:
    """An object to which members can still be added."""
    return b"{" + _members(values)
