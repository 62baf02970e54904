"""Settings of [model] under the names that a wire has for them, and the member that says whose request one is. Pure.

All but the tenant is the same in every request: wires encode it once.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.types import Request, tenant_hash

END = b"}"


class Names(Struct, frozen=True, kw_only=True):
    """What a wire calls them; "": it has no such field."""

    temperature: str = "temperature"
    top_p: str = "top_p"
    seed: str = ""
    stop: str = ""


CHAT = Names(seed="seed", stop="stop")
RESPONSES = Names()
MESSAGES = Names(stop="stop_sequences")
GENERATE = Names(top_p="topP", seed="seed", stop="stopSequences")
CONVERSE = Names(top_p="topP", stop="stopSequences")


def sampling(model: Model, names: Names) -> dict[str, Any]:
    """Those that are set, in this order.

    Raises:
        JobError: one is set that the wire has no field for.
    """
    asked = {
        "temperature": model.temperature,
        "top_p": model.top_p,
        "seed": model.seed,
        "stop": list(model.stop) or None,
    }
    given = {key: value for key, value in asked.items() if value is not None}
    for key in given:
        if not getattr(names, key):
            raise JobError(f"model.{key}: {model.name!r} has no such field here. Leave the key out")
    return {getattr(names, key): value for key, value in given.items()}


def tier_asked(model: Model, name: str = "service_tier", **words: str) -> dict[str, Any]:
    """The service tier as a member, in the wire's own words; none for the standard one."""
    tier = model.service_tier
    return {} if tier == "default" else {name: words.get(tier, tier)}


def ending(model: Model, member: str) -> Callable[[Request], bytes]:
    """What ends the body of a request: a brace, behind the hash of its tenant where there is one to send.

    `member` has %s for the hash, which is 16 hexadecimal digits.
    """
    if not model.send_tenant:
        return lambda _: END
    return lambda request: END if request.tenant is None else f",{member % tenant_hash(request.tenant)}}}".encode()
