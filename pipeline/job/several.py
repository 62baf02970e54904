"""More than one model: `[models.NAME]`, `[[route]]` and `[[fallback]]` of a job file, checked with what they name."""

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec.structs import replace

from pipeline.job.settings import Cause, Count, Fallback, Limits, Model, NamedModel, Prices, RouteRule, Where
from pipeline.job.values import WrongValue, shown, typed
from pipeline.text import did_you_mean

MODELS, ROUTE, FALLBACK = "models", "route", "fallback"
SEVERAL = (MODELS, ROUTE, FALLBACK)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CAUSES: tuple[str, ...] = get_args(Cause)
ROUTE_KEYS, WHERE_KEYS, FALLBACK_KEYS = ("model", "min_input_tokens", "where"), ("column", "in"), ("on", "model")

Section = Callable[[type[Any], str, object, list[str]], Any]  # as `file` reads one


def several_of(given: Mapping[str, Any], limits: Limits | None, section: Section, wrong: list[str]) -> dict[str, Any]:
    """`models`, `routes` and `fallbacks` of a job; what is wrong with them is added to `wrong`."""
    tables = given.get(MODELS, {})
    if not isinstance(tables, Mapping):
        wrong.append(f"{MODELS} = {shown(tables)} should be tables: write [models.NAME] and the keys of a model below")
        tables = {}
    models = {name: _model(name, values, limits, section, wrong) for name, values in tables.items()}
    routes = [_route(number, one, models, wrong) for number, one in _listed(given, ROUTE, wrong)]
    wrong += _shadowed([one for one in routes if one is not None])
    fallbacks = [_fallback(number, one, models, wrong) for number, one in _listed(given, FALLBACK, wrong)]
    names = [one.model for one in fallbacks if one is not None]
    wrong += [
        f"[[{FALLBACK}]] names model = {name!r} twice: a row would come back to it. Put all of its causes into one `on`"
        for name in dict.fromkeys(name for name in names if names.count(name) > 1)
    ]
    named = {*names, *(one.model for one in routes if one is not None)}
    wrong += [
        f"[models.{name}] is named by no [[{ROUTE}]] and no [[{FALLBACK}]]: name it there, or leave it out"
        for name in models
        if name not in named and not any(one is None for one in (*routes, *fallbacks))
    ]
    return {"models": models, "routes": tuple(routes), "fallbacks": tuple(fallbacks)}


def _model(name: str, values: object, limits: Limits | None, section: Section, wrong: list[str]) -> NamedModel | None:
    """Rate limits belong to an account, and are its own; how long to wait and how often to try are the job's."""
    where = f"{MODELS}.{name}"
    if not NAME.fullmatch(name):
        wrong.append(f"[{where}]: a name is letters, digits, `.`, `_` and `-`, such as [models.long]")
        return None
    if not isinstance(values, Mapping):
        wrong.append(f"{where} = {shown(values)} should be a table: write [{where}] and the keys of a model below")
        return None
    own = {key: value for key, value in values.items() if key not in {"limits", "prices"}}
    model = section(Model, where, own, wrong)
    prices = section(Prices, f"{where}.prices", values.get("prices", {}), wrong)
    told = values.get("limits", {})
    read = section(Limits, f"{where}.limits", told, wrong)
    if model is None or prices is None or read is None or limits is None:
        return None
    base = replace(limits, requests_per_minute=0, input_tokens_per_minute=0, output_tokens_per_minute=0)
    return NamedModel(
        model=model,
        limits=replace(base, **{key: getattr(read, key) for key in told if hasattr(read, key)}),
        prices=prices,
    )


def _listed(given: Mapping[str, Any], name: str, wrong: list[str]) -> list[tuple[int, Mapping[str, Any]]]:
    values = given.get(name, [])
    if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
        wrong.append(
            f"{name} = {shown(values)} should be a list of tables: write [[{name}]] and its keys below, for each"
        )
        return []
    return list(enumerate(values, 1))


def _route(number: int, values: Mapping[str, Any], models: Mapping[str, Any], wrong: list[str]) -> RouteRule | None:
    where, found = f"[[{ROUTE}]] number {number}", len(wrong)
    _keys(values, ROUTE_KEYS, where, wrong)
    name = _named(values, models, where, wrong)
    least = _value(Count, values.get("min_input_tokens", 0), f"{where}: min_input_tokens", wrong)
    column = None if "where" not in values else _where(values["where"], where, wrong)
    if not values.get("min_input_tokens") and "where" not in values:
        wrong.append(f'{where} says no rows: give min_input_tokens, or where = {{column = "language", in = ["ja"]}}')
    return RouteRule(model=name, min_input_tokens=least, where=column) if len(wrong) == found else None


def _shadowed(routes: list[RouteRule]) -> list[str]:
    """Routes that no row can come to, as an earlier one takes all that they would."""
    found = []
    for later, route in enumerate(routes):
        for first, other in enumerate(routes[:later]):
            wider = other.where is None or (
                route.where is not None
                and route.where.column == other.where.column
                and set(route.where.values) <= set(other.where.values)
            )
            if wider and other.min_input_tokens <= route.min_input_tokens:
                told = f"[[{ROUTE}]] number {later + 1} can never fit: number {first + 1} takes all of its rows"
                found.append(f"{told}. Put it first, or leave it out")
                break
    return found


def _where(values: object, where: str, wrong: list[str]) -> Where | None:
    told = f'{where}: where = {shown(values)} should be like {{column = "language", in = ["ja", "zh"]}}'
    if not isinstance(values, Mapping):
        wrong.append(told)
        return None
    _keys(values, WHERE_KEYS, f"{where}: where", wrong)
    column, among = values.get("column"), values.get("in")
    if not isinstance(column, str) or not column or not isinstance(among, list) or not among:
        wrong.append(told)
        return None
    return Where(column=column, values=tuple(map(as_named, among)))


def as_named(value: object) -> str:
    """A value as a prompt has it, so that `7` and `"7"` are one for routes, and `true` and `"true"`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fallback(number: int, values: Mapping[str, Any], models: Mapping[str, Any], wrong: list[str]) -> Fallback | None:
    where, found = f"[[{FALLBACK}]] number {number}", len(wrong)
    _keys(values, FALLBACK_KEYS, where, wrong)
    name = _named(values, models, where, wrong)
    on = values.get("on")
    if not isinstance(on, list) or not on:
        wrong.append(f'{where} needs on, a list of causes, such as on = ["invalid_output", "outage"]')
        on = []
    causes = f" Causes: {', '.join(CAUSES)}"
    wrong += [
        f"{where}: on has {shown(cause)}.{did_you_mean(str(cause), CAUSES, causes)}"
        for cause in on
        if cause not in CAUSES
    ]
    return Fallback(on=tuple(dict.fromkeys(on)), model=name) if len(wrong) == found else None


def _named(values: Mapping[str, Any], models: Mapping[str, Any], where: str, wrong: list[str]) -> str:
    name = values.get("model")
    if not isinstance(name, str) or not name:
        wrong.append(f"{where} needs model, the NAME of a [models.NAME]")
        return ""
    if name not in models:
        known = f" There are: {', '.join(models)}" if models else f" Add [models.{name}] with provider, name and so on"
        wrong.append(f"{where}: model = {name!r} is no [models.NAME].{did_you_mean(name, models, known)}")
    return name


def _keys(values: Mapping[str, Any], known: tuple[str, ...], where: str, wrong: list[str]) -> None:
    keys = f" Known keys: {', '.join(known)}"
    wrong += [f"{where}: unknown key {key}.{did_you_mean(key, known, keys)}" for key in values if key not in known]


def _value(hint: Any, value: Any, key: str, wrong: list[str]) -> Any:  # noqa: ANN401 (any TOML value)
    try:
        return typed(hint, value, key)
    except WrongValue as error:
        wrong.append(str(error))
        return 0
