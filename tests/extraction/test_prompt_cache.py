"""Prompt caching: marked where it pays, told why, and played by the sandbox as the provider does it."""

from decimal import Decimal

from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction.prompt_cache import break_even_requests, caching_for, minimum_tokens, saved_usd
from pipeline.job.settings import Model
from pipeline.money import MTOK, Rate
from pipeline.sandbox.exchange import Prefix
from pipeline.sandbox.prefixes import KEPT_S, Prefixes, prefix_in

CLAUDE = Rate(Decimal(3), Decimal("0.3"), Decimal("3.75"), Decimal(15), source="made up")
PRICE = st.decimals(Decimal("0.01"), 20, places=2)
RATES = st.builds(
    lambda plain, read, write: Rate(plain, plain * read, plain * write, Decimal(1), source="made up"),
    PRICE,
    st.decimals(0, Decimal("0.95"), places=2),
    st.decimals(1, 2, places=2),
)


def model(provider="anthropic", name="claude-sonnet-4-5", **changes):
    return Model(provider=provider, name=name, max_output_tokens=100, **changes)


@given(RATES, st.integers(1, 50))
def test_marking_pays_from_the_break_even_on_and_not_before(rate, requests):
    """One write and the rest reads, against plain input for all."""
    marked = rate.cache_write + (requests - 1) * rate.cached_input
    pays = requests >= break_even_requests(rate) or rate.cache_write <= rate.input
    assert (marked <= requests * rate.input) == pays


@given(RATES, st.integers(1, 100), st.integers(1024, 100_000))
def test_what_was_saved_is_the_difference_of_both_bills(rate, requests, tokens):
    """Exact, in USD."""
    plain = requests * tokens * rate.input / MTOK
    marked = tokens * (rate.cache_write + (requests - 1) * rate.cached_input) / MTOK
    assert saved_usd(tokens * (requests - 1), tokens, rate) == plain - marked


@each_case(
    ("asked", "fixed_tokens", "requests", "marked", "warm", "told"),
    [
        (model(), 2000, 500, True, True, "2,000 tokens marked: written once, read by 499 requests"),
        (model(), 1023, 500, False, False, "keeps 1,024 or more"),
        (model(), 2000, 1, False, False, "pays from 2 requests on, and 1 are to go"),
        (model(caching="on"), 2000, 1, True, False, "marked"),
        (model(caching="off"), 2000, 500, False, False, "off"),
        (model("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"), 2000, 500, True, True, "marked"),
        (model("bedrock", "amazon.nova-pro-v1:0"), 2000, 500, True, True, "marked"),
        (model("bedrock", "amazon.nova-pro-v1:0", api="invoke"), 2000, 500, False, False, "offers it for no"),
        (model("bedrock", "meta.llama3-70b-instruct-v1:0"), 9000, 500, False, False, "offers it for no"),
        (model("openai", "gpt-4o-mini"), 2000, 500, False, True, "by the provider itself"),
        (model("openai", "gpt-4o-mini"), 300, 500, False, False, "keeps 1,024 or more"),
        (model("gemini", "gemini-2.5-flash"), 2000, 1, False, False, "by the provider itself"),
        (model("sandbox", "gpt-4o-mini"), 9000, 500, False, False, "unknown of sandbox"),
    ],
)
def test_the_decision(asked, fixed_tokens, requests, marked, warm, told):
    """By provider, length, number of requests, price, and what the job says."""
    found = caching_for(asked, fixed_tokens, requests, CLAUDE)
    assert (found.marked, found.warm) == (marked, warm)
    assert told in found.told


def test_a_model_that_is_not_in_the_table_needs_the_longest_prompt():
    """A mark too few costs a discount; a prompt that is too short costs nothing either way."""
    assert minimum_tokens("some-model") == 4096


# ── the sandbox ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_prefix_is_written_once_and_read_for_five_minutes_after_each_use():
    """As the providers say it; what is too short is neither."""
    prefixes, prefix = Prefixes(), Prefix(b"a", 2000)
    assert prefixes.use(prefix, 0.0) == (0, 2000)
    assert prefixes.use(prefix, KEPT_S) == (2000, 0)
    assert prefixes.use(prefix, 2 * KEPT_S) == (2000, 0)
    assert prefixes.use(prefix, 3 * KEPT_S + 1) == (0, 2000)
    assert prefixes.use(Prefix(b"b", 1000), 0.0) == (0, 0)
    assert prefixes.use(None, 0.0) == (0, 0)


def test_only_a_mark_outside_of_the_messages_makes_a_prefix():
    """And two jobs that differ before it have two."""
    marked = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": '"cache_control":{'}
    assert prefix_in({"system": [plain], "messages": [marked]}, 5) is None
    one, other = ({"model": name, "system": [marked]} for name in ("a", "b"))
    assert prefix_in(one, 5) == prefix_in({**one, "messages": [plain]}, 5)
    assert prefix_in(one, 5) != prefix_in(other, 5)
    assert prefix_in({"system": [{"text": "a"}, {"cachePoint": {"type": "default"}}]}, 5) is not None


def test_a_mark_on_a_message_before_the_last_one_makes_a_longer_prefix():
    """As examples have it: what comes behind it is no part of it."""
    mark = {"type": "text", "text": "{}", "cache_control": {"type": "ephemeral"}}
    shown = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [mark]}]
    one, other = ({"messages": [*shown, {"role": "user", "content": text}]} for text in ("b", "c"))
    assert prefix_in(one, 5, [10, 20, 40]) == prefix_in(other, 5, [10, 20, 80])
    assert prefix_in(one, 5, [10, 20, 40]).tokens == 35
    assert prefix_in(one, 5) != prefix_in({"messages": [*shown, *shown, *shown]}, 5)
