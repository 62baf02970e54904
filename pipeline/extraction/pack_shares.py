"""A call about several rows → what each of them has of it, exactly: no token and no unit is lost or made. Pure."""

from collections.abc import Sequence

from pipeline.ledger.records import Call, Share
from pipeline.money import Rate, cost_usd, to_units
from pipeline.types import Member, Usage


def parted(total: int, weights: Sequence[int]) -> list[int]:
    """`total` by weight, in whole numbers that add up to it; equally where nothing weighs anything.

    What rounding leaves goes to those that are owed the most of it, of equals to the first.

    >>> parted(10, [1, 1, 1])
    [4, 3, 3]
    """
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    found = [total * weight // whole for weight in weights]
    owed = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in owed[: total - sum(found)]:
        found[place] += 1
    return found


def usages_of(usage: Usage, inputs: Sequence[int], outputs: Sequence[int]) -> list[Usage]:
    """Tokens of a call by what each row has put in and got: class by class, so that no part exceeds its whole."""
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    thought = min(usage.reasoning_tokens, usage.output_tokens)
    plain = parted(usage.input_tokens - cached - written, inputs)
    said = parted(usage.output_tokens - thought, outputs)
    told = (usage.cached_input_tokens, usage.cache_write_tokens, usage.reasoning_tokens)
    from_cache, to_cache, thoughts = parted(cached, inputs), parted(written, inputs), parted(thought, outputs)
    over = [parted(one - part, [1] * len(inputs)) for one, part in zip(told, (cached, written, thought), strict=True)]
    return [
        Usage(
            input_tokens=plain[place] + from_cache[place] + to_cache[place],
            cached_input_tokens=from_cache[place] + over[0][place],
            cache_write_tokens=to_cache[place] + over[1][place],
            output_tokens=said[place] + thoughts[place],
            reasoning_tokens=thoughts[place] + over[2][place],
        )
        for place in range(len(inputs))
    ]


def shares_of(
    members: Sequence[Member], call: Call, rate: Rate | None, texts: Sequence[str] | None, whole: bytes | None
) -> tuple[Share, ...]:
    """What each row has of a call: input by its document, output by its record, money by both at the model's prices.

    `texts`: the record of each; None: there is not one for each, and what came back, if anything did, is on record as
    `whole`, and shared like the input.
    """
    inputs = [member.tokens for member in members]
    outputs = inputs if texts is None else [len(text) for text in texts]
    usages = usages_of(call.usage, inputs, outputs)
    costs: Sequence[int | None] = [None] * len(members)
    if call.cost_units is not None:
        weights = [0 if rate is None else to_units(cost_usd(usage, rate)) for usage in usages]
        costs = parted(call.cost_units, weights if any(weights) else inputs)
    return tuple(
        Share(one.row, one.row_id, one.chunk, usage, cost, whole if texts is None else one.key)
        for one, usage, cost in zip(members, usages, costs, strict=True)
    )
