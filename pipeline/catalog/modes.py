"""How a model is asked for JSON: `auto` is the strictest that it can be asked by. Pure."""

from pipeline.catalog.abilities import Ability
from pipeline.catalog.names import bare_model, longest_prefix
from pipeline.catalog.providers import PROVIDERS


def ability_of(provider: str, model_name: str, api: str = "") -> Ability:
    """What a model can be asked by."""
    name = bare_model(model_name).removeprefix("ft:")
    entry = PROVIDERS[provider]
    table = (api == "invoke" and entry.invoke_abilities) or entry.abilities
    return longest_prefix(table, name) or entry.of_unknown_models


def mode_for(provider: str, model_name: str, api: str, asked: str) -> str:
    """The mode that `asked` (`extract.mode`) means. `two_step` asks for JSON in its second step, as `auto` would."""
    return modes_for(provider, model_name, api, asked)[0]


def modes_for(provider: str, model_name: str, api: str, asked: str) -> tuple[str, ...]:
    """The modes that may be tried for a schema, strictest first: one, unless the choice is ours."""
    return ability_of(provider, model_name, api).modes if asked in {"auto", "two_step"} else (asked,)


def mode_problem(provider: str, model_name: str, api: str, asked: str) -> str | None:
    """Why the model is sure to refuse the mode that was asked for, with the way out."""
    ability = ability_of(provider, model_name, api)
    why = (ability.lacks or {}).get(asked)
    if why is None or PROVIDERS[provider].own_names:
        return None
    others = " or ".join(repr(mode) for mode in ("auto", *ability.modes))
    return f"extract.mode = {asked!r}: {model_name} {why}. Set it to {others}"
