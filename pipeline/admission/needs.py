"""What a request may use at the most, as far as answers have taught. Pure."""

from decimal import Decimal

from pipeline.admission.charges import Need
from pipeline.admission.governor import Governor
from pipeline.admission.token_scale import Sized, TokenScale
from pipeline.money import Rate, dearer, rate_at, worst_case_usd


def first_usd(request: Sized, rate: Rate) -> Decimal:
    """The least that is reserved for a request before any answer has taught anything: what a cap must have room for.

    `rate`: with all service tiers.
    """
    prices = dearer(rate, rate.expected) if request.standard_tier else rate.expected
    scale = TokenScale()
    tokens = min(scale.ceiling(request), scale.blind_ceiling(request))
    return worst_case_usd(tokens, request.max_output_tokens, prices)


class Needs:
    """`rate` None: the model has no price, and calls cost nothing that could be kept below a cap."""

    def __init__(self, rate: Rate | None, governor: Governor) -> None:
        self._rate = rate
        self._dearest = None if rate is None else rate.expected
        self._governor = governor
        self._scale = TokenScale()

    def of(self, request: Sized) -> Need:
        """The worst case of a request, as of now: ask when it is about to be admitted, for answers change it."""
        usd = Decimal(0)
        if self._rate is not None and self._dearest is not None:
            rate = dearer(self._rate, self._dearest) if request.standard_tier else self._dearest
            usd = worst_case_usd(self._scale.ceiling(request), request.max_output_tokens, rate)
            if self._governor.in_flight == 0 and not self._governor.affords(usd):
                blind = worst_case_usd(self._scale.blind_ceiling(request), request.max_output_tokens, rate)
                usd = min(usd, blind)
        return Need(
            input_tokens=self._scale.expected(request),
            output_tokens=request.max_output_tokens,
            usd=usd,
            tenant=request.tenant,
            file_ceiling=request.input_tokens_ceiling if request.file_tokens else 0,
        )

    def least_usd(self, request: Sized) -> Decimal:
        """What is reserved for a request as the first of a run, where a cap has no room for more."""
        return Decimal(0) if self._rate is None else first_usd(request, self._rate)

    def observe(self, need: Need, input_tokens: int, reported_tokens: int) -> None:
        """What the provider counted for an input that we had counted, of a call that needed so much."""
        self._scale.observe(input_tokens, reported_tokens, need.file_ceiling)

    def served_at(self, service: str) -> None:
        """An answer was billed at this tier, unasked: others may be, and a dearer one is reserved for from now on."""
        if self._rate is not None and self._dearest is not None:
            self._dearest = dearer(self._dearest, rate_at(self._rate, service))
