"""What a request may use at the most."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.admission.governor import Governor
from pipeline.admission.needs import Needs
from pipeline.admission.rules import LimitRules
from pipeline.catalog.prices import rate_for
from pipeline.job.settings import Prices
from pipeline.money import cost_usd
from pipeline.parts import FilePart, TextPart, text_parts
from pipeline.types import Purpose, Request, Turn, Usage

REQUEST = Request(b"k" * 16, 0, "a", 0, Purpose.EXTRACT, "", (Turn("user", text_parts("a")),), 100, 10, 1000)


def test_a_dearer_service_tier_is_reserved_for_once_an_answer_was_billed_at_it():
    """And for good: the next may be billed at it as well. A cheaper one changes nothing."""
    needs = Needs(rate_for("openai", "gpt-5", Prices()), Governor(LimitRules(concurrency=1)))
    standard = needs.of(REQUEST).usd
    assert standard > 0
    for service, factor in (("flex", 1), ("priority", 2), ("flex", 2)):
        needs.served_at(service)
        assert needs.of(REQUEST).usd == factor * standard


def test_the_tier_that_is_asked_for_is_reserved_from_the_first_call_on():
    """What goes out at the standard tier after all is reserved so, and all is once that was billed unasked."""
    rate = rate_for("openai", "gpt-5", Prices())
    standard = Needs(rate, Governor(LimitRules(concurrency=1))).of(REQUEST).usd
    for tier, factor in (("flex", Decimal("0.5")), ("priority", 2)):
        needs = Needs(replace(rate, asked=tier), Governor(LimitRules(concurrency=1)))
        assert needs.of(REQUEST).usd == factor * standard
        assert needs.of(replace(REQUEST, standard_tier=True)).usd == max(1, factor) * standard
        needs.served_at("")
        assert needs.of(REQUEST).usd == max(1, factor) * standard


def test_without_a_price_nothing_is_reserved():
    needs = Needs(None, Governor(LimitRules(concurrency=1)))
    needs.served_at("priority")
    assert needs.of(REQUEST).usd == Decimal(0)


def with_file(expected, ceiling):
    part = FilePart("image/png", "d" * 64, "page", ceiling, expected)
    turn = Turn("user", (part, TextPart("a")))
    return replace(
        REQUEST, turns=(turn,), input_tokens=10 + expected, input_tokens_ceiling=1000 + ceiling, file_tokens=expected
    )


CALLS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 5000), st.integers(0, 70_000), st.floats(0, 1), st.floats(0, 1)),
    max_size=30,
)


@given(CALLS)
def test_what_is_reserved_for_files_is_never_less_than_what_is_billed_within_their_ceilings(calls):
    """Whatever texts and files were answered before: a picture of a few bytes may bill tens of thousands of tokens."""
    rate = rate_for("openai", "gpt-5.4", Prices())
    governor = Governor(LimitRules(concurrency=1, max_usd=Decimal(1000)))
    needs, reserved, billed = Needs(rate, governor), Decimal(0), Decimal(0)
    for file, expected, over, share, answered in calls:
        request = with_file(expected, expected + over) if file else REQUEST
        need = needs.of(request)
        most = request.input_tokens_ceiling if file else request.input_tokens
        usage = Usage(input_tokens=round(most * share), output_tokens=round(request.max_output_tokens * answered))
        if file:
            reserved, billed = reserved + need.usd, billed + cost_usd(usage, rate)
        needs.observe(need, request.input_tokens, usage.input_tokens)
        assert billed <= reserved


def test_a_small_image_that_may_bill_much_is_not_let_in_where_the_budget_has_no_room_for_it():
    """Not by what texts have taught, nor as the first call of all."""
    rate = rate_for("openai", "gpt-5.4", Prices())
    governor = Governor(LimitRules(concurrency=2, max_usd=Decimal("0.02")))
    needs = Needs(rate, governor)
    needs.observe(needs.of(REQUEST), 10, 10)
    need = needs.of(with_file(1000, 70_000))
    assert need.usd >= cost_usd(Usage(input_tokens=71_000, output_tokens=100), rate)
    assert not governor.affords(need.usd)
    assert need.input_tokens == 1010


def test_pacing_goes_by_what_files_came_to():
    needs = Needs(rate_for("openai", "gpt-5.4", Prices()), Governor(LimitRules(concurrency=1)))
    scan = with_file(1000, 70_000)
    needs.observe(needs.of(scan), 1010, 2020)
    assert needs.of(scan).input_tokens == 2020
    assert needs.of(REQUEST).input_tokens == 10
