"""A streamed answer with a piece that cannot be read: it fails, however whole the rest of it looks. Pure.

Its body says so under `DAMAGED`, beside what it was billed for where that was told.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.errors import CallFailed, Kind
from pipeline.providers.hints import limits_seen, shortened
from pipeline.providers.json import string
from pipeline.types import HttpAnswer, PartialUsage, Usage

DAMAGED = "pipeline:damaged"


def damage_of(
    answer: HttpAnswer, body: Mapping[str, Any], usage: Usage, request_id: str | None, tier: str
) -> CallFailed:
    """The failure of a body with DAMAGED in it. Where `usage` does not tell all, nobody can say what it cost."""
    return CallFailed(
        Kind.DAMAGED,
        shortened(f"a piece of the streamed answer cannot be read: {string(body[DAMAGED])}"),
        status=answer.status,
        provider_request_id=request_id,
        usage=None if isinstance(usage, PartialUsage) else usage,
        limits=limits_seen(answer.headers),
        tier=tier,
        model_version=string(body.get("model")) or string(body.get("modelVersion")) or None,
    )
