"""What a request may use at the most."""

from decimal import Decimal

from msgspec.structs import replace

from pipeline.admission.governor import Governor
from pipeline.admission.needs import Needs
from pipeline.admission.rules import LimitRules
from pipeline.catalog.prices import rate_for
from pipeline.job.settings import Prices
from pipeline.types import Purpose, Request, Turn, text_parts

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
