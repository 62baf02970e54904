"""The counts that an answer tells, put together to a usage that says which are missing. Pure."""

from pipeline.types import PartialUsage, Usage


def usage_from(
    input_tokens: int | None, output_tokens: int | None, *, cached: int = 0, written: int = 0, reasoning: int = 0
) -> Usage:
    """None is what the answer does not tell. No request is empty: an input of 0 is not told, nor is a 0 beside it."""
    input_told = bool(input_tokens)
    output_told = bool(output_tokens) or (input_told and output_tokens is not None)
    counts = (input_tokens or 0, cached, written, output_tokens or 0, reasoning)
    if input_told and output_told:
        return Usage(*counts)
    return PartialUsage(*counts, input_told=input_told, output_told=output_told)


def first_told(*usages: Usage) -> Usage:
    """The input of the first that tells its input, and the output of the first that tells its output."""
    inputs = next((one for one in usages if not isinstance(one, PartialUsage) or one.input_told), None)
    outputs = next((one for one in usages if not isinstance(one, PartialUsage) or one.output_told), None)
    return usage_from(
        None if inputs is None else inputs.input_tokens,
        None if outputs is None else outputs.output_tokens,
        cached=(inputs or usages[0]).cached_input_tokens,
        written=(inputs or usages[0]).cache_write_tokens,
        reasoning=(outputs or usages[0]).reasoning_tokens,
    )


def as_told(usage: Usage) -> Usage:
    """Of what is not billed but by what it tells: what is not told is nothing."""
    return Usage(
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )
