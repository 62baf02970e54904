"""The user's look-ups: functions loaded from their files, described for a model by their types. Once per job."""

import functools
import hashlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from msgspec import Struct
from pydantic import TypeAdapter

from pipeline.errors import JobError
from pipeline.schema.modules import module_at
from pipeline.text import did_you_mean
from pipeline.types import Tool

TOOLS = "extract.tools"
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,63}")  # what every provider takes
DESCRIPTION_CHARS = 1024  # OpenAI refuses more
NAMED, LISTED = {"properties", "$defs"}, {"anyOf", "oneOf", "prefixItems"}
KEPT = {
    *("type", "format", "description", "enum", "items", "minItems", "maxItems", "minimum", "maximum"),
    *("additionalProperties", "required"),
}
FORMATS = {"date-time", "date", "time"}
NO_NAMES = {
    inspect.Parameter.VAR_POSITIONAL: "*{} takes arguments without a name",
    inspect.Parameter.VAR_KEYWORD: "**{} takes arguments of any name",
    inspect.Parameter.POSITIONAL_ONLY: "{} can only be given by its position",
}


class Lookup(Struct, frozen=True):
    """A function of the user's, as a model is told of it, and what checks what a model gives it."""

    tool: Tool
    function: Callable[..., Any]
    arguments: TypeAdapter[Any]

    @property
    def takes(self) -> tuple[str, ...]:
        """The names of its arguments."""
        return tuple(self.tool.schema["properties"])

    def bound(self, arguments: str) -> Callable[[], Any]:
        """The call that these arguments (JSON) make.

        Raises:
            ValueError: they are no JSON object, or (as pydantic's ValidationError) not of the function's types.
        """
        if arguments and not arguments.lstrip().startswith("{"):
            raise ValueError("the arguments are no JSON object")
        given: tuple[tuple[Any, ...], dict[str, Any]] = self.arguments.validate_json(arguments or "{}")
        return functools.partial(self.function, *given[0], **given[1])


def load_tools(specs: Sequence[str], record: str = "") -> tuple[Lookup, ...]:
    """The functions named by FILE.py:function (an absolute path) or module:function, in the same order.

    `record`: the name by which a model is asked for the record, which none of them can have.

    Raises:
        JobError: one cannot be used; names it, and what to mend.
    """
    found: dict[str, Lookup] = {}
    modules: dict[str, ModuleType] = {}
    for spec in specs:
        place, _, name = spec.rpartition(":")
        if name in found:
            raise JobError(f"{spec}: two look-ups are called {name!r} ({TOOLS}). Rename one of them")
        if name.lower() == record.lower():
            raise JobError(f"{spec}: {name!r} is the name of the record ({TOOLS}). Rename the function")
        if place not in modules:
            modules[place] = module_at(place, TOOLS)
        found[name] = _lookup(spec, name, modules[place])
    return tuple(found.values())


def tools_hash(specs: Sequence[str]) -> str:
    """Of the source that holds the functions; "" where there is none."""
    sources = []
    for place in dict.fromkeys(spec.rpartition(":")[0] for spec in specs):
        try:
            source = (
                Path(place).read_text(encoding="utf-8")
                if place.endswith(".py")
                else inspect.getsource(sys.modules[place])
            )
        except (OSError, TypeError, KeyError):
            source = place
        sources.append(source)
    return hashlib.blake2b("\0".join(sources).encode(), digest_size=16).hexdigest() if sources else ""


def _lookup(spec: str, name: str, module: ModuleType) -> Lookup:
    function = getattr(module, name, None)
    if function is None:
        functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        there = did_you_mean(name, functions, f" Functions there: {', '.join(functions) or 'none'}", cutoff=0.4)
        raise JobError(f"{spec}: there is no function {name!r} ({TOOLS}).{there}")
    plain = inspect.unwrap(function)
    if not inspect.isfunction(plain):
        raise JobError(f"{spec}: {name} is {_kind(function)}, not a function ({TOOLS}). Write def {name}(…)")
    if inspect.iscoroutinefunction(plain) or inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise JobError(f"{spec}: {name} is no plain function ({TOOLS}). Write def, and return; it runs in a thread")
    if not NAME.fullmatch(name):
        raise JobError(f"{spec}: {name!r} is no name that providers take ({TOOLS}): letters, digits, _, at most 64")
    adapter = _adapter(spec, plain)
    description = (inspect.getdoc(plain) or name)[:DESCRIPTION_CHARS]
    return Lookup(Tool(name, description, _schema(spec, adapter)), function, adapter)


def _adapter(spec: str, function: Callable[..., Any]) -> TypeAdapter[Any]:
    """What validates the arguments, and gives them back instead of calling the function."""
    try:
        hints: Mapping[str, Any] = typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # noqa: BLE001 (annotations are evaluated, and are the user's)
        raise JobError(f"{spec}: its types cannot be read ({TOOLS}): {type(error).__name__}: {error}") from None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in NO_NAMES:
            told = NO_NAMES[parameter.kind].format(parameter.name)
            raise JobError(f"{spec}: {told} ({TOOLS}). A model gives arguments by their names: write each of them out")
        if parameter.name not in hints or hints[parameter.name] is Any:
            raise JobError(
                f"{spec}: parameter {parameter.name!r} has no type ({TOOLS}), so that what a model gives for it could "
                f"not be checked. Write for example  {parameter.name}: str"
            )

    @functools.wraps(function)
    def given(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:  # noqa: ANN401 (the user's types)
        return args, kwargs

    given.__annotations__ = {name: hint for name, hint in hints.items() if name != "return"}
    try:
        return TypeAdapter(cast("Any", given))
    except Exception as error:  # noqa: BLE001 (pydantic, or the user's own types, may raise anything)
        raise JobError(f"{spec}: {_short(error)} ({TOOLS})") from None


def _schema(spec: str, adapter: TypeAdapter[Any]) -> dict[str, Any]:
    try:
        schema = adapter.json_schema()
    except Exception as error:  # noqa: BLE001 (as above)
        raise JobError(f"{spec}: no JSON schema can say its types: {_short(error)} ({TOOLS})") from None
    return {"type": "object", "properties": {}, **_plain(schema)}


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """In the words that all providers have. What else the types say is checked here, once the arguments are there."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    given = {**schema, **({"enum": [schema["const"]]} if "const" in schema else {})}
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in NAMED:
            found[name] = {key: _plain(inner) for key, inner in value.items()}
        elif name in LISTED:
            found[name] = [_plain(inner) for inner in value]
        elif name in KEPT and (name != "format" or value in FORMATS):
            found[name] = _plain(value) if isinstance(value, dict) else value
    return found


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if inspect.isclass(found) else f"a {type(found).__name__}"


def _short(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
