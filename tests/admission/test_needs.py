"""What a request may use at the most."""

from decimal import Decimal

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


def test_without_a_price_nothing_is_reserved():
    needs = Needs(None, Governor(LimitRules(concurrency=1)))
    needs.served_at("priority")
    assert needs.of(REQUEST).usd == Decimal(0)
