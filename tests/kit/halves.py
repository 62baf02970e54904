"""A governor in parts: how long a call would wait, the taking, and each thing that its end tells, one by one."""

from pipeline.admission.governor import Governor, Wait


class Halves(Governor):
    @property
    def dimensions(self):
        return self.limits._dimensions._dimensions

    def take(self, wanted, now_s):
        ticket = self.offer(wanted, now_s)
        if isinstance(ticket, Wait):
            raise ValueError(f"{wanted!r} has to wait: {ticket!r}")  # noqa: TRY004
        return ticket

    def settle(self, ticket, used, now_s):
        self.limits.settle(ticket, used, now_s)
        self.in_flight -= 1
        self.money.settle(ticket.need.tenant, ticket.need.usd, None if used is None else used.usd)

    def on_ok(self, now_s, ticket=None):
        self._opening.answered()
        self.limits.on_ok(now_s, ticket)

    def on_throttled(self, ticket, *told):
        self._opening.let_in()
        self.limits.on_throttled(ticket, *told)

    def on_limits(self, ticket, seen, now_s):
        self.limits.on_limits(ticket, seen, now_s)

    def on_overloaded(self, now_s, jitter, retry_after_s=None):
        self.limits.on_overloaded(now_s, jitter, retry_after_s)

    def hint(self, retry_after_s, now_s):
        self.limits.hint(retry_after_s, now_s)
