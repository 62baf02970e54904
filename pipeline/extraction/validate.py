"""An answer → a record, or what is wrong with it; and the one message that asks for a better one. Pure."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from pipeline.catalog.providers import PROVIDERS
from pipeline.extraction.reading import Several, value_in
from pipeline.parts import text_parts
from pipeline.schema.dialects.mend import mended
from pipeline.schema.dialects.restore import KeyTwice
from pipeline.schema.part_model import part_validator
from pipeline.schema.record_json import writer_of
from pipeline.text import COMPLAINT
from pipeline.types import AnswerShape, Turn

MOST_BYTES = 16 * 1024 * 1024
MOST_ERRORS = 12
SHOWN_CHARS = 80
MOST_MESSAGE_CHARS = 300
MOST_ANSWER_CHARS = 20_000
# pydantic reads it as a float, even for a Decimal; or it is none. (Ways that start alike are searched for fastest.)
LONG_NUMBER = re.compile(r"[0-9](?:[0-9.]{16}|[eE]\+?[0-9]{3})")
FENCE = re.compile(r"\A\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)

Restore = Callable[[Any], Any]
Validate = Callable[[str], BaseModel]


class Valid(Struct, frozen=True):
    record: BaseModel
    record_json: str


class Invalid(Struct, frozen=True):
    errors: tuple[str, ...]  # each "path: what (got value)"
    repairable: bool = True  # whether another answer may be better


class Loose(Struct, frozen=True):
    """That nobody held the answers to their schema: as it was `asked` for, and as it was before it was put so."""

    asked: Mapping[str, Any]
    original: Mapping[str, Any]


def enforced(provider: str, base_url: str, mode: str, shape: AnswerShape) -> bool:
    """Whether the provider holds answers to the schema: what does not fit is then never read as if it did.

    A server of others, behind model.base_url, may take it and not hold to it; Azure's and Bedrock's are their own.
    """
    own = not base_url or "base_url" in PROVIDERS[provider].environment
    return shape.mode == "json_schema" and shape.strict and mode != "two_step" and own


def check(
    model: type[BaseModel], restore: Restore | None, text: str, loose: Loose | None = None, *, part: bool = False
) -> Valid | Invalid:
    """The record in `text`, by the user's own model; `restore` is None when answers need no turning back.

    `part`: of one chunk of many, judged field by field; what must hold of the whole is for the merged record.
    """
    judge = part_validator(model) if part else None
    validated: Validate = model.model_validate_json if judge is None else judge.validate_json
    verdict = _checked(model, validated, restore, text)
    if loose is None or isinstance(verdict, Valid) or len(text) > MOST_BYTES:
        return verdict
    try:
        data = value_in(text, _decoded)
        mended_once = mended(loose.asked, data, _loaded)
        back = mended_once if restore is None else restore(mended_once)
        found = mended(loose.original, back, _loaded)
        return _checked(model, validated, None, json.dumps(found, default=_as_digits))
    except (Several, KeyTwice) as error:
        return Invalid((str(error),))
    except (ValueError, RecursionError):
        return verdict


def _checked(model: type[BaseModel], validated: Validate, restore: Restore | None, text: str) -> Valid | Invalid:
    text = unfenced(text)
    if len(text) > MOST_BYTES:
        return Invalid((f"the answer has {len(text):,} characters, more than {MOST_BYTES:,}",))
    try:
        if restore is None and not LONG_NUMBER.search(text):
            if "NaN" in text or "Infinity" in text:  # pydantic reads them, and writes them as null
                json.loads(text, parse_constant=_no_constant)
            record = validated(text)
        else:
            data = json.loads(text, parse_float=_exact, parse_constant=_no_constant)
            data = data if restore is None else restore(data)
            record = validated(json.dumps(data, default=_as_digits))
        return Valid(record, writer_of(model).json(record))
    except ValidationError as error:
        return Invalid(errors_of(error))
    except json.JSONDecodeError as error:
        return Invalid((f"the answer is not valid JSON: {error.msg} at character {error.pos}",))
    except KeyTwice as error:
        return Invalid((str(error),))
    except RecursionError:
        return Invalid(("the answer is nested too deeply",))
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's validators may raise anything; it is the cause)
        return Invalid((f"a validator of {model.__name__} raised {raised(error)}",))


def errors_of(error: ValidationError) -> tuple[str, ...]:
    """What is wrong with a record, as people and models are told."""
    found = error.errors(include_url=False, include_context=False)
    told = []
    for one in found[:MOST_ERRORS]:
        path = _short(".".join(map(str, one["loc"]))) or "the record"
        got = f" (got {_short(repr(one['input']))})" if one["type"] != "missing" else ""
        told.append(f"{path}: {_short(one['msg'], MOST_MESSAGE_CHARS)}{got}")
    if len(found) > MOST_ERRORS:
        told.append(f"and {len(found) - MOST_ERRORS} more")
    return tuple(told)


def raised(error: BaseException) -> str:
    """What the user's code raised, in few words, whatever its own text does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 (the user's __str__ may raise as well)
        text = "(it has no text)"
    return f"{type(error).__name__}: {_short(text)}"


def repair_turns(
    turns: Sequence[Turn], answer: str, errors: Sequence[str], complaint: str = COMPLAINT
) -> tuple[Turn, ...]:
    """The same question, the answer it got, and what is wrong with that."""
    listed = "\n".join(f"- {error}" for error in errors)
    ask = f"{complaint}\n{listed}\nAnswer again with the whole corrected JSON, and nothing else."
    return (
        *turns,
        Turn("assistant", text_parts(answer[:MOST_ANSWER_CHARS] or "(no answer)")),
        Turn("user", text_parts(ask)),
    )


def _decoded(text: str, at: int) -> tuple[Any, int]:
    return LOOSE.raw_decode(text, at)


def _loaded(text: str) -> Any:  # noqa: ANN401 (any JSON value)
    return LOOSE.decode(text)


def unfenced(text: str) -> str:
    text = text.lstrip("\ufeff")
    found = FENCE.match(text)
    return found.group(1) if found else text


def _short(text: str, most_chars: int = SHOWN_CHARS) -> str:
    return text if len(text) <= most_chars else text[:most_chars] + "..."


def _no_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _exact(digits: str) -> float | Decimal:
    """A number as a float where no digit is lost by it, else with all its digits."""
    number = float(digits)
    if math.isinf(number):
        raise json.JSONDecodeError(f"{_short(digits)} is too large a number", digits, 0)
    return number if Decimal(repr(number)) == Decimal(digits) else Decimal(digits)


def _as_digits(value: object) -> str:
    """What `json` cannot write: a Decimal goes as text, which Pydantic takes for a number too."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{value!r} is not JSON")


LOOSE = json.JSONDecoder(strict=False, parse_float=_exact, parse_constant=_no_constant)  # texts may hold line breaks
