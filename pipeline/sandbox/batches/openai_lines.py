"""What OpenAI checks of an upload, of a batch, and of its file before it runs a line. Pure but for reading the file."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from msgspec import Struct

from pipeline.sandbox.batches.lines import LineFile
from pipeline.sandbox.batches.store import DAY_S
from pipeline.sandbox.wires.openai.errors import refusal

MOST_LINES = 50_000
MOST_PROBLEMS = 100
MISSING_MODEL = "missing-model"
KEPT_S = 30 * DAY_S
LEAST_KEPT_S = 3600.0
KNOWN = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
MOST_PAIRS, MOST_NAME, MOST_VALUE = 16, 64, 512  # of metadata
NEEDED = ("custom_id", "method", "url", "body")


class Problem(Struct, frozen=True):
    """`line`: from 1; None for the whole file."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


def kept_s(fields: Mapping[str, str]) -> float:
    """How long an uploaded file is kept. Raises Refused."""
    text = fields.get("expires_after[seconds]")
    if text is None:
        return KEPT_S
    if not text.isdigit() or not LEAST_KEPT_S <= int(text) <= KEPT_S:
        raise refusal(400, "expires_after.seconds should be between 3600 and 2592000.", "expires_after[seconds]")
    return float(text)


def check_wanted(wanted: Mapping[str, Any]) -> None:
    """Of a batch to be created, all but its file and endpoint. Raises Refused."""
    for name in wanted:
        if name not in KNOWN:
            raise refusal(400, f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if wanted.get("completion_window") != "24h":
        raise refusal(400, "Invalid value for completion_window: it should be '24h'.", "completion_window")
    metadata = wanted.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) > MOST_PAIRS:
        raise refusal(400, f"metadata should be an object of at most {MOST_PAIRS} pairs.", "metadata")
    for name, value in metadata.items():
        if len(name) > MOST_NAME or not isinstance(value, str) or len(value) > MOST_VALUE:
            raise refusal(400, f"Invalid metadata '{name[:MOST_NAME]}'.", "metadata")


def problems_of(lines: LineFile, endpoint: str, most_lines: int = MOST_LINES) -> list[Problem]:
    if not len(lines):
        return [Problem("empty_file", "The input file is empty.")]
    if len(lines) > most_lines:
        return [Problem("too_many_tasks", f"The batch has more than {most_lines} requests.")]
    found: list[Problem] = []
    for problem in _problems(lines, endpoint):
        found.append(problem)
        if len(found) == MOST_PROBLEMS:
            break
    return found


def _problems(lines: LineFile, endpoint: str) -> Iterator[Problem]:
    names: set[str] = set()
    first_model = None
    for number, line in enumerate(lines.read(), 1):
        try:
            request = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield Problem("invalid_json_line", "This line is not parseable as valid JSON.", number)
            continue
        if (wrong := _wrong(request, endpoint, number)) is not None:
            yield wrong
            continue
        name, model = request["custom_id"], request["body"].get("model")
        if name in names:
            yield Problem("duplicate_custom_id", f"The custom_id '{name}' is used before.", number, "custom_id")
        names.add(name)
        first_model = first_model or model
        if model != first_model:
            yield Problem(
                "model_mismatch", f"The model '{model}' is not that of the other lines.", number, "body.model"
            )
        elif model == MISSING_MODEL:
            yield Problem("model_not_found", f"The model '{model}' does not exist.", number, "body.model")


def _wrong(request: Any, endpoint: str, number: int) -> Problem | None:  # noqa: ANN401 (any JSON value)
    if not isinstance(request, dict):
        return Problem("invalid_json_line", "This line is no JSON object.", number)
    for name in NEEDED:
        if not request.get(name):
            return Problem("missing_required_parameter", f"Missing required parameter: '{name}'.", number, name)
    if not isinstance(request["custom_id"], str) or not isinstance(request["body"], dict):
        return Problem("invalid_type", "custom_id should be a string, and body an object.", number)
    if request["method"] != "POST":
        return Problem("invalid_method", "The method should be POST.", number, "method")
    if _bare(request["url"]) != _bare(endpoint):
        return Problem("url_mismatch", "The url of this line is not the endpoint of the batch.", number, "url")
    return None


def _bare(url: object) -> str:
    """Azure takes it with and without the version."""
    return str(url).removeprefix("/v1")
