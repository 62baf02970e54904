"""The fields of a generateContent request, after Google's published protocol buffers: what is none of them. Pure.

A name may be written in camelCase or as in the protocol buffer (snake_case), and one value may stand for a list of one:
both as Google's servers take them.
"""

import re
from collections.abc import Mapping
from typing import Any

# A dict: an object with these fields. A list: of such. None: any value, not looked into.
Spec = Any

PART: dict[str, Spec] = {
    **dict.fromkeys(("text", "fileData", "thought", "thoughtSignature", "mediaResolution", "documentMetadata")),
    "inlineData": dict.fromkeys(("mimeType", "data", "displayName")),
    "functionCall": None,
    "functionResponse": dict.fromkeys(("id", "name", "response")),
}
CONTENT: dict[str, Spec] = {"parts": [PART], "role": None}
FUNCTION = dict.fromkeys(("name", "description", "parametersJsonSchema"))
TOOL: dict[str, Spec] = {"functionDeclarations": [FUNCTION]}
CONFIG: dict[str, Spec] = {
    **dict.fromkeys(("candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "seed")),
    **dict.fromkeys(("responseMimeType", "responseJsonSchema", "presencePenalty", "frequencyPenalty")),
    **dict.fromkeys(("thinkingConfig", "mediaResolution")),
}
CALLING: dict[str, Spec] = {"functionCallingConfig": dict.fromkeys(("mode", "allowedFunctionNames"))}
SHARED: dict[str, Spec] = {
    **dict.fromkeys(("model", "cachedContent", "safetySettings")),
    "contents": [CONTENT],
    "systemInstruction": CONTENT,
    "tools": [TOOL],
    "toolConfig": CALLING,
    "generationConfig": CONFIG,
}
GEMINI: dict[str, Spec] = {**SHARED, "serviceTier": None}
VERTEX: dict[str, Spec] = {**SHARED, "labels": None}
GEMINI_COUNT: dict[str, Spec] = {"model": None, "contents": [CONTENT], "generateContentRequest": GEMINI}
VERTEX_COUNT: dict[str, Spec] = {
    **{name: SHARED[name] for name in ("model", "contents", "systemInstruction", "tools", "generationConfig")},
    "instances": None,
}
UNDERSCORE = re.compile(r"_([a-z0-9])")
HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def read(value: object, spec: Spec, place: str, problems: list[tuple[str, str]]) -> Any:  # noqa: ANN401 (any JSON value)
    """`value` with its fields in camelCase; what cannot be is added to `problems` as (place, what is wrong)."""
    if spec is None or value is None:
        return value
    if isinstance(spec, list):
        items = value if isinstance(value, list) else [value]
        return [read(item, spec[0], f"{place}[{index}]", problems) for index, item in enumerate(items)]
    if not isinstance(value, Mapping):
        kind = "list" if isinstance(value, list) else "value"
        problems.append((place, f"Invalid JSON payload received. Unexpected {kind} at '{place}': expected an object."))
        return {}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        known = UNDERSCORE.sub(lambda match: match.group(1).upper(), name)
        if known not in spec:
            where = f" at '{place}'" if place else ""
            problems.append((place, f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'))
        elif inner is not None:
            found[known] = read(inner, spec[known], f"{place}.{snake(name)}".lstrip("."), problems)
    return found


def snake(name: str) -> str:
    return HUMP.sub(r"_\1", name).lower()
