"""The job file → a Job: TOML, with the command line's overrides laid over it, every key and type checked.

A typo is an error that names the key, the value and the nearest right key. What needs the schema, the prompt or the
provider is checked later.
"""

import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta
from msgspec.structs import fields as fields_of
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.job.given import refusal
from pipeline.job.settings import (
    REMOTE,
    Budget,
    Chunks,
    Extract,
    Input,
    Job,
    Limits,
    Model,
    Output,
    Prices,
    Sandbox,
    Telemetry,
)
from pipeline.text import did_you_mean

SECTIONS: dict[str, type] = {
    "input": Input,
    "extract": Extract,
    "model": Model,
    "chunks": Chunks,
    "limits": Limits,
    "budget": Budget,
    "prices": Prices,
    "output": Output,
    "telemetry": Telemetry,
    "sandbox": Sandbox,
}
TOP_KEYS = ("name", "prompt_version")
SECRET = re.compile(r"key|secret|password|token$", re.IGNORECASE)  # keys whose value no error shows
VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)?")


def load(path: str | Path, overrides: Sequence[tuple[str, Any]] = (), limit_rows: int | None = None) -> Job:
    """Read a job file; `overrides` are ("section.key", value) pairs whose paths are already absolute.

    Raises:
        JobError: the file is missing, is no TOML, or has a wrong key or value.
    """
    file = Path(path)
    if (refused := refusal(file)) is not None:
        raise JobError(refused)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise JobError(f"{file}: cannot be read: it is no text in UTF-8, as a job file (.toml) is: {error}") from None
    except OSError as error:
        raise JobError(f"{file}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is no TOMLDecodeError
        raise JobError(f"{file}: is not valid TOML: {error}") from None
    for dotted, value in overrides:
        _override(table, dotted, value)
    return resolve(table, file.resolve(), limit_rows)


def resolve(table: Mapping[str, Any], file: Path, limit_rows: int | None = None) -> Job:
    """A checked Job from a parsed table; relative paths are relative to `file`'s folder."""
    _known(table, [*TOP_KEYS, *SECTIONS], where="", file=file)
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        values = table.get(name, {})
        if not isinstance(values, Mapping):
            raise JobError(f"{file}: {name} = {values!r} should be a section: write [{name}] and its keys below")
        sections[name] = _section(kind, name, values, file)
    top = {key: _typed(str, table[key], key, file) for key in TOP_KEYS if key in table}
    job = Job(**{"name": file.stem, **top}, **sections, file=str(file), limit_rows=limit_rows)
    return _cross_checked(_anchored(job, file), file)


def parse_set(text: str) -> tuple[str, Any]:
    """`SECTION.KEY=VALUE` as given to --set: the value is TOML where it parses as TOML, else a string."""
    dotted, equals, raw = text.partition("=")
    if not equals or not dotted.strip():
        raise JobError(f"--set {text!r}: write SECTION.KEY=VALUE, such as --set limits.concurrency=8")
    try:
        return dotted.strip(), tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        return dotted.strip(), raw


def _override(table: dict[str, Any], dotted: str, value: Any) -> None:  # noqa: ANN401 (any TOML value)
    section, dot, key = dotted.partition(".")
    if not dot:
        if section not in TOP_KEYS:
            raise JobError(f"--set {dotted}: write SECTION.KEY=VALUE; sections are {', '.join(SECTIONS)}")
        table[section] = value
        return
    if section not in SECTIONS:
        raise JobError(f"--set {dotted}: no section [{section}].{_nearest(section, SECTIONS)}")
    inner = table.setdefault(section, {})
    if isinstance(inner, dict):
        inner[key] = value


def _section(kind: type, name: str, values: Mapping[str, Any], file: Path) -> object:
    fields = {field.name: field for field in fields_of(kind)}
    _known(values, fields, where=name, file=file)
    for key in (name for name, field in fields.items() if field.required):
        if key not in values or values[key] == "":
            raise JobError(f"{file}: [{name}] needs {key}. Add:  {key} = {_example(name, key)}")
    typed = {key: _typed(fields[key].type, value, f"{name}.{key}", file) for key, value in values.items()}
    return kind(**typed)


def _known(values: Mapping[str, Any], known: Mapping[str, Any] | Sequence[str], where: str, file: Path) -> None:
    for key, value in values.items():
        if key not in known:
            full = f"{where}.{key}" if where else key
            shown = "(not shown)" if SECRET.search(key) else _short(value)
            raise JobError(f"{file}: unknown key {full} = {shown}.{_nearest(key, known)}")


def _nearest(key: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    return did_you_mean(key, known, f" Known keys: {', '.join(known)}")


def _typed(hint: Any, value: Any, key: str, file: Path) -> Any:  # noqa: ANN401 (any TOML value)
    """`value` as the type that `hint` asks for, or a JobError that says what it should have been."""
    hint, meta = plain_type(hint)
    if get_origin(hint) is Literal:
        return _choice(get_args(hint), value, key, file)
    if get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise JobError(f'{file}: {key} = {_short(value)} should be a list of strings, such as ["a", "b"]')
        return tuple(value)
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if hint is Decimal and (number or isinstance(value, str)):
        return _money(value, key, file)
    if hint is float and number:
        value = float(str(value))  # what is too large for a float becomes inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        names = {str: "a string in quotes", int: "a whole number", float: "a number", bool: "true or false"}
        raise JobError(f"{file}: {key} = {_short(value)} should be {names.get(hint, 'a number')}")
    return _in_range(value, meta, key, file) if number else value


def plain_type(hint: Any) -> tuple[Any, Meta | None]:  # noqa: ANN401 (any type)
    """A setting's type without its `| None` (TOML has no null), and the range that it is annotated with."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is typing.Annotated:
        hint, meta = get_args(hint)
        return hint, meta
    return hint, None


def _choice(choices: Sequence[Any], value: Any, key: str, file: Path) -> Any:  # noqa: ANN401 (any TOML value)
    if value in choices and isinstance(value, str):
        return value
    hint = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise JobError(f"{file}: {key} = {_short(value)} should be one of {', '.join(choices)}.{hint}")


def _money(value: object, key: str, file: Path) -> Decimal:
    try:
        amount = Decimal(str(value))
    except ArithmeticError:
        raise JobError(f"{file}: {key} = {_short(value)} should be an amount in USD, such as 5.00") from None
    if not amount.is_finite() or amount < 0:
        raise JobError(f"{file}: {key} = {_short(value)} should be 0 or more USD")
    return amount


def _in_range(value: Any, meta: Meta | None, key: str, file: Path) -> Any:  # noqa: ANN401 (any TOML value)
    """A number within what the setting's own annotation allows."""
    wrong = ""
    if meta is not None and meta.le == 1 and not 0 <= value <= 1:
        wrong = "a share between 0 and 1"
    elif meta is not None and meta.gt == 0 and not value > 0:
        wrong = "more than 0"
    elif meta is not None and meta.ge == 0 and not value >= 0:
        wrong = "0 or more"
    elif not math.isfinite(value):
        wrong = "a number" if meta is None else "0 or more"
    if wrong:
        raise JobError(f"{file}: {key} = {value} should be {wrong}")
    return value


def _anchored(job: Job, file: Path) -> Job:
    """The job with its paths made absolute, from the job file's folder."""
    folder = file.parent
    spec, colon, name = job.extract.schema.rpartition(":")
    if not colon or not name.isidentifier():
        raise JobError(f"{file}: extract.schema = {job.extract.schema!r} should be FILE.py:Class or module:Class")
    if spec.endswith(".py"):
        spec = str((folder / spec).resolve())
    return replace(
        job,
        input=replace(job.input, path=absolute(job.input.path, folder)),
        extract=replace(job.extract, schema=f"{spec}:{name}"),
        output=replace(job.output, path=absolute(job.output.path, folder)),
        telemetry=_anchored_telemetry(job.telemetry, folder),
    )


def _anchored_telemetry(telemetry: Telemetry, folder: Path) -> Telemetry:
    path = telemetry.prometheus_file
    return replace(telemetry, prometheus_file=absolute(path, folder)) if path else telemetry


def absolute(path: str, folder: Path) -> str:
    """`path` seen from `folder`; remote URLs stay as they are."""
    if path.startswith(REMOTE):
        return path
    return os.path.normpath((folder / Path(path).expanduser()).absolute())


def _cross_checked(job: Job, file: Path) -> Job:
    chunks, model = job.chunks, job.model
    if chunks.max_tokens and chunks.overlap_tokens * 2 >= chunks.max_tokens:
        raise JobError(
            f"{file}: chunks.overlap_tokens = {chunks.overlap_tokens} should be less than half of "
            f"chunks.max_tokens = {chunks.max_tokens}"
        )
    if model.base_url and not model.base_url.startswith(("http://", "https://")):
        raise JobError(f"{file}: model.base_url = {model.base_url!r} should start with http:// or https://")
    if "@" in model.base_url.partition("://")[2].partition("/")[0]:
        raise JobError(f"{file}: model.base_url should hold no user or password: it is written to run.json")
    if not VARIABLE.fullmatch(model.api_key_env):
        raise JobError(
            f"{file}: model.api_key_env should be the name of a variable, such as OPENAI_API_KEY, not the key"
        )
    if job.telemetry.prometheus_file and not job.telemetry.prometheus_file.endswith(".prom"):
        raise JobError(
            f"{file}: telemetry.prometheus_file = {job.telemetry.prometheus_file!r} should end in .prom: "
            "the node exporter reads no other file"
        )
    if job.limit_rows is not None and job.limit_rows < 1:
        raise JobError(f"--limit {job.limit_rows}: should be 1 or more")
    if (job.prices.input_usd_per_mtok is None) != (job.prices.output_usd_per_mtok is None):
        raise JobError(f"{file}: [prices] needs both input_usd_per_mtok and output_usd_per_mtok")
    return job


def _example(section: str, key: str) -> str:
    examples = {
        ("input", "path"): '"../sample_data/invoices.jsonl"',
        ("extract", "schema"): '"../schemas/invoice.py:Invoice"',
        ("model", "provider"): '"openai"',
        ("model", "name"): '"gpt-4o-mini"',
        ("model", "max_output_tokens"): "1024",
        ("output", "path"): '"../out/invoices"',
    }
    return examples[(section, key)]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
