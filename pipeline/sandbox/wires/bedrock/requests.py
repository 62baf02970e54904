"""A Converse request, judged as strictly as the provider would: a question, or the provider's own error. Pure.

Nova's own body differs from it in a few fields only, and is judged here too.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import orjson
from msgspec.structs import replace

from pipeline.catalog.names import bare_model
from pipeline.catalog.windows import limits_of
from pipeline.sandbox.exchange import Message, PageReader, Question, Received, document_and_errors, tokens_of
from pipeline.sandbox.files import Files
from pipeline.sandbox.lookups import Looked, looked_up, with_results
from pipeline.sandbox.prefixes import prefix_in
from pipeline.sandbox.wires.bedrock.blocks import Blocks
from pipeline.sandbox.wires.bedrock.errors import invalid, malformed, refusal
from pipeline.sandbox.wires.bedrock.shapes import NO_SAMPLING, Shape, converse_shape

CONVERSE = {
    *("additionalModelRequestFields", "additionalModelResponseFieldPaths", "guardrailConfig", "inferenceConfig"),
    *("messages", "outputConfig", "performanceConfig", "promptVariables", "requestMetadata", "serviceTier", "system"),
    "toolConfig",
}
NOVA = {"schemaVersion", "system", "messages", "inferenceConfig", "toolConfig"}
INFERENCE = {"maxTokens", "temperature", "topP", "stopSequences"}
NOVA_INFERENCE = {*INFERENCE, "topK", "max_new_tokens"}
ROLES = ("user", "assistant")
MISSING_MODEL = "missing-model"
MESSAGE_TOKENS = 3


def model_of(received: Received) -> str:
    """The model that the path names.

    Raises:
        Refused: there is none of that name.
    """
    model = unquote(received.path.split("/")[2])
    if model == MISSING_MODEL:
        raise invalid("The provided model identifier is invalid.")
    return model


def object_of(body: bytes) -> dict[str, Any]:
    """Raises Refused when a body is no JSON object."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise refusal(400, "SerializationException", "The request body is not a JSON object.")
    return request


def known_only(request: Mapping[str, Any], known: set[str], where: str = "#") -> None:
    for name in request:
        if name not in known:
            raise malformed(f"{where}: extraneous key [{name}] is not permitted")


def converse_question(
    model: str, request: Mapping[str, Any], read: PageReader, *, stream: bool, nova: bool = False
) -> Question:
    """The question in a Converse body, or in Nova's own.

    Raises:
        Refused: as the provider would.
    """
    known_only(request, NOVA if nova else CONVERSE)
    system = _system(request.get("system"))
    blocks = Blocks(model, Files("bedrock", model, read), documents=not nova)
    looked = _looked_up(request)
    request = {**request, "messages": looked.spoken} if looked.results else request
    turns = _messages(request.get("messages"), blocks)
    if blocks.cites and "outputConfig" in request:
        raise invalid("Citations are not supported together with structured output. Leave one of them out.")
    shape = converse_shape(request, system, model)
    cap = _cap(request.get("inferenceConfig"), model, NOVA_INFERENCE if nova else INFERENCE)
    question = question_of(model, system, turns, (shape, cap), stream=stream)
    fixed_tokens = MESSAGE_TOKENS + shape.tokens + tokens_of(system)
    return replace(
        question,
        document=with_results(question.document, looked.results),
        prompt_tokens=question.prompt_tokens + looked.tokens,
        lookups=shape.lookups,
        looked_up=bool(looked.results),
        prefix=prefix_in(request, fixed_tokens, message_tokens(turns)),
    )


def _looked_up(request: Mapping[str, Any]) -> Looked:
    """Raises Refused, where a call has no result, or no tools are there to be called."""
    looked = looked_up(request.get("messages"), "content", _call, _result)
    if looked.unanswered:
        words = "Expected toolResult blocks for the following Ids, and for no others"
        raise invalid(f"{words}: {', '.join(looked.unanswered)}")
    if looked.results and not request.get("toolConfig"):
        raise invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    return looked


def _call(block: Mapping[str, Any]) -> str | None:
    called = block.get("toolUse")
    return str(called.get("toolUseId")) if isinstance(called, dict) else None


def _result(block: Mapping[str, Any]) -> tuple[str, str] | None:
    told = block.get("toolResult")
    if not isinstance(told, dict):
        return None
    known_only(told, {"toolUseId", "content", "status"}, "#/messages/toolResult")
    return str(told.get("toolUseId")), "".join(str(one.get("text", "")) for one in told.get("content") or ())


def question_of(
    model: str, system: str, turns: Sequence[Message], asked: tuple[Shape, int | None], *, stream: bool
) -> Question:
    """What is asked by what was judged part by part.

    Raises:
        Refused: they alternate wrongly, or are too long.
    """
    shape, cap = asked
    _check_roles([turn.role for turn in turns])
    prompt_tokens = MESSAGE_TOKENS + shape.tokens + tokens_of(system) + sum(message_tokens(turns))
    limits = limits_of(model)
    if prompt_tokens > limits.max_input_tokens:
        raise invalid("The model returned the following errors: Input is too long for requested model.")
    if prompt_tokens + (cap or 0) > limits.context_tokens:
        sizes = f"{prompt_tokens} + {cap} > {limits.context_tokens}"
        words = f"input length and `max_tokens` exceed context limit: {sizes}, decrease one of them and try again"
        raise invalid(f"The model returned the following errors: {words}")
    document, errors = document_and_errors([(turn.role, turn.whole) for turn in turns])
    return Question(model, document, prompt_tokens, cap, shape.schema, errors, shape.tool, shape.tool_forced, stream)


def message_tokens(turns: Sequence[Message]) -> list[int]:
    return [MESSAGE_TOKENS + turn.tokens for turn in turns]


def check_cap(cap: object, model: str) -> int:
    """Raises Refused when a cap is no number, or more than the model has."""
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        raise invalid("Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must be at least 1")
    limits = limits_of(model)
    if limits.known and cap > limits.max_output_tokens:
        most = limits.max_output_tokens
        text = f"The maximum tokens you requested exceeds the model limit of {most}."
        raise invalid(f"{text} Try again with a maximum tokens value that is lower than {most}.")
    return cap


def check_number(value: object, name: str, most: float = 1) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= most:
        raise invalid(f"Value at '{name}' failed to satisfy constraint: Member must be between 0 and {most}")


def _check_roles(roles: Sequence[str]) -> None:
    if not roles:
        raise invalid("A conversation must have at least one message.")
    if roles[0] != "user":
        text = "A conversation must start with a user message."
        raise invalid(f"{text} Try again with a conversation that starts with a user message.")
    if any(one == other for one, other in pairwise(roles)):
        text = 'messages: roles must alternate between "user" and "assistant"'
        raise invalid(f"The model returned the following errors: {text}")
    if roles[-1] != "user":
        text = "This model does not support assistant message prefill. The conversation must end with a user message."
        raise invalid(f"The model returned the following errors: {text}")


def _messages(messages: object, blocks: Blocks) -> list[Message]:
    if not isinstance(messages, list):
        raise invalid("The messages field is required, and must be a list.")
    found = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise malformed(f"#/messages/{index}: expected type: JSONObject")
        known_only(message, {"role", "content"}, f"#/messages/{index}")
        role = message.get("role")
        if role not in ROLES:
            where = f"messages.{index + 1}.member.role"
            raise invalid(
                f"Value '{role}' at '{where}' failed to satisfy constraint: "
                "Member must satisfy enum value set: [user, assistant]"
            )
        found.append(blocks.message(str(role), message.get("content"), f"messages.{index}.content"))
    return found


def _system(system: object) -> str:
    if system is None or system == []:
        return ""
    return _text(system, "system")


def _text(blocks: object, where: str) -> str:
    """All text of a list of blocks; a system prompt has no other kind."""
    if not isinstance(blocks, list) or not blocks:
        raise invalid(f"The content field at {where} is empty. Add a content block, and try again.")
    texts = []
    for index, block in enumerate(blocks):
        if isinstance(block, dict) and set(block) == {"cachePoint"}:
            continue
        if not isinstance(block, dict) or set(block) != {"text"} or not isinstance(block["text"], str):
            raise invalid(f"The sandbox reads text blocks only: {where}.{index} is none.")
        if not block["text"].strip():
            raise invalid(
                f"The text field in the ContentBlock object at {where}.{index} is blank. "
                "Add text to the text field, and try again."
            )
        texts.append(block["text"])
    return "".join(texts)


def _cap(config: object, model: str, known: set[str]) -> int | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise malformed("#/inferenceConfig: expected type: JSONObject")
    known_only(config, known, "#/inferenceConfig")
    for name in ("temperature", "topP"):
        check_number(config.get(name), f"inferenceConfig.{name}")
    if config.get("temperature") is not None and NO_SAMPLING.match(bare_model(model)):
        raise invalid("The model returned the following errors: `temperature` is deprecated for this model.")
    cap = config.get("maxTokens", config.get("max_new_tokens"))
    return None if cap is None else check_cap(cap, model)
