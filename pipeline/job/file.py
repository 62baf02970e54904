"""The job file → a Job: TOML, with the command line's overrides laid over it, every key and type checked.

A typo is an error that names the key, the value and the nearest right key; all that is wrong is told at once. What
needs the schema, the prompt or the provider is checked later.
"""

import importlib.util
import os
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import fields as fields_of
from msgspec.structs import replace

from pipeline.errors import JobError
from pipeline.job.given import refusal
from pipeline.job.settings import (
    REMOTE,
    Batch,
    Budget,
    Chunks,
    Documents,
    Engine,
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
from pipeline.job.several import MODELS, SEVERAL, several_of
from pipeline.job.texts import drop_replaced, with_texts
from pipeline.job.values import WrongValue, shown, typed
from pipeline.job.within import told_within
from pipeline.text import did_you_mean, nearest

SECTIONS: dict[str, type] = {
    "input": Input,
    "extract": Extract,
    "model": Model,
    "chunks": Chunks,
    "documents": Documents,
    "batch": Batch,
    "limits": Limits,
    "engine": Engine,
    "budget": Budget,
    "prices": Prices,
    "output": Output,
    "telemetry": Telemetry,
    "sandbox": Sandbox,
}
SETTINGS = {kind: {field.encode_name: field for field in fields_of(kind)} for kind in SECTIONS.values()}
TOP_KEYS = ("name", "prompt_version")
SECRET = re.compile(r"key|secret|password|token$", re.IGNORECASE)  # keys whose value no error shows


def load(path: str | Path, overrides: Sequence[tuple[str, Any]] = (), limit_rows: int | None = None) -> Job:
    """Read a job file; `overrides` are ("section.key", value) pairs whose paths are already absolute.

    Raises:
        JobError: the file is missing, is no TOML, or has wrong keys or values: all of them, in one message.
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
    return laid_over(table, file.resolve(), overrides, limit_rows)


def laid_over(
    table: dict[str, Any], file: Path, overrides: Sequence[tuple[str, Any]], limit_rows: int | None = None
) -> Job:
    """The Job of a parsed table, which is changed, with `overrides` laid over it; as of `resolve`."""
    for dotted, value in overrides:
        _override(table, dotted, value)
    if isinstance(table.get("extract"), dict):
        drop_replaced(table["extract"], [dotted for dotted, _ in overrides])
    return resolve(table, file, limit_rows)


def resolve(table: Mapping[str, Any], file: Path, limit_rows: int | None = None) -> Job:
    """A checked Job from a parsed table; relative paths are relative to `file`'s folder.

    Raises:
        JobError: names all that is wrong.
    """
    if limit_rows is not None and limit_rows < 1:
        raise JobError(f"--limit {limit_rows}: should be 1 or more")
    wrong, slips = _unknown(table, [*TOP_KEYS, *SECTIONS, *SEVERAL], where="")
    meant = {name: value for name, value in slips.items() if name in SECTIONS and isinstance(value, Mapping)}
    top: dict[str, Any] = {}
    for key in (key for key in TOP_KEYS if key in table):
        try:
            top[key] = typed(str, table[key], key)
        except WrongValue as error:
            wrong.append(str(error))
    given = {**meant, **table}
    if isinstance(given.get("extract"), Mapping):
        given["extract"] = with_texts(given["extract"], file.parent, wrong)
    sections = {name: _section(kind, name, given.get(name, {}), wrong) for name, kind in SECTIONS.items()}
    sections |= several_of(given, sections["limits"], _section, wrong)
    if wrong:
        raise JobError(f"{file}: {wrong[0]}" if len(wrong) == 1 else _listed(file, wrong))
    return _anchored(Job(**{"name": file.stem, **top}, **sections, file=str(file), limit_rows=limit_rows), file)


def _listed(file: Path, wrong: Sequence[str]) -> str:
    return "\n  ".join([f"{file}: {len(wrong)} things are wrong:", *wrong])


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
    if section not in SECTIONS and section != MODELS:
        raise JobError(f"--set {dotted}: no section [{section}].{_nearest(section, SECTIONS)}")
    *above, last = key.split(".") if section == MODELS else [key]
    inner = table.setdefault(section, {})
    for name in above:
        inner = inner.setdefault(name, {}) if isinstance(inner, dict) else inner
    if isinstance(inner, dict):
        inner[last] = value


def _section(kind: type[Any], name: str, values: object, wrong: list[str]) -> Any:  # noqa: ANN401 (one of SECTIONS)
    """A section's settings; what is wrong with them is added to `wrong`, and then nothing comes of it."""
    if not isinstance(values, Mapping):
        wrong.append(f"{name} = {shown(values)} should be a section: write [{name}] and its keys below")
        return None
    fields = SETTINGS[kind]
    found, slips = _unknown(values, fields, where=name)
    known = {key: value for key, value in values.items() if key in fields}
    for key in (name for name, field in fields.items() if field.required):
        if (key not in known or known[key] == "") and key not in slips:
            found.append(f"[{name}] needs {key}. Add:  {key} = {_example('model' if kind is Model else name, key)}")
    right: dict[str, Any] = {}
    for key, value in known.items():
        try:
            right[fields[key].name] = typed(fields[key].type, value, f"{name}.{key}")
        except WrongValue as error:
            found += [] if value == "" and fields[key].required else [str(error)]
    section = kind(**right) if all(field.name in right for field in fields.values() if field.required) else None
    if section is not None and not (kind is Prices and found):  # a price that is wrong is not missing
        found += told_within(section)
    wrong += found
    return section


def _unknown(
    values: Mapping[str, Any], known: Mapping[str, Any] | Sequence[str], where: str
) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with keys that are not known; and their values, by the keys that may be meant."""
    wrong, slips = [], {}
    for key, value in values.items():
        if key not in known:
            full = f"{where}.{key}" if where else key
            told = shown(_without_secrets(key, value))
            wrong.append(f"unknown key {full} = {told}.{_nearest(key, known)}")
            slips[nearest(key, known) or key] = value
    return wrong, slips


class _NotShown:
    """Stands for a secret in a message."""

    def __repr__(self) -> str:
        return "(not shown)"


def _without_secrets(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        return {inner: _without_secrets(inner, one) for inner, one in value.items()}
    return _NotShown() if SECRET.search(key) else value


def _nearest(key: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    return did_you_mean(key, known, f" Known keys: {', '.join(known)}")


def _anchored(job: Job, file: Path) -> Job:
    """The job with its paths made absolute, from the job file's folder."""
    folder = file.parent
    schema, *tools = (_found(spec, folder) for spec in (job.extract.schema, *job.extract.tools))
    return replace(
        job,
        input=replace(job.input, path=absolute(job.input.path, folder)),
        extract=replace(job.extract, schema=schema, tools=tuple(tools)),
        output=replace(job.output, path=absolute(job.output.path, folder)),
        telemetry=_anchored_telemetry(job.telemetry, folder),
    )


def _found(named: str, folder: Path) -> str:
    """What FILE.py:NAME or module:NAME means in a job file of this folder."""
    spec, _, name = named.rpartition(":")
    spec = spec if spec.endswith(".py") else _beside(spec, folder)
    return f"{(folder / spec).resolve() if spec.endswith('.py') else spec}:{name}"


def _beside(module: str, folder: Path) -> str:
    """The file of a module that stands beside the job file, and not where Python looks; else its name."""
    top = module.partition(".")[0]
    try:
        known = top in sys.modules or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        known = False
    place = folder.joinpath(*module.split("."))
    found = [path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return module if known or not found else str(found[0].resolve())


def _anchored_telemetry(telemetry: Telemetry, folder: Path) -> Telemetry:
    path = telemetry.prometheus_file
    return replace(telemetry, prometheus_file=absolute(path, folder)) if path else telemetry


def absolute(path: str, folder: Path) -> str:
    """`path` seen from `folder`; remote URLs stay as they are."""
    if path.startswith(REMOTE):
        return path
    return os.path.normpath((folder / Path(path).expanduser()).absolute())


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
