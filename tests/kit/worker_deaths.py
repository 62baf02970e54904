"""Workers of a cluster that die in the midst of a call, each at another step of it.

The package has no part in that: what kills a worker comes to it with the job's own schema, which is loaded there.
"""

import functools
import inspect
import os
import signal
from pathlib import Path

STEPS = ("given", "asks", "named", "sent", "answered", "written", "told")
APART = 24  # rows: more than a worker is given at once, so that none of them is there at two deaths
ARM = """
import sys
if "ray" in sys.modules:
    sys.path.append({kit!r})
    from worker_deaths import arm_next
    arm_next({folder!r})
"""


def deadly(schema, folder):
    """The text of a schema that kills one worker after the other, until there has been one for each step."""
    return schema + ARM.format(kit=str(Path(__file__).parent), folder=str(folder))


def victim(step):
    """The number of the row that it happens with; its text is its id."""
    return APART // 2 + APART * STEPS.index(step)


def died(folder):
    """The steps at which one did."""
    return [step for step in STEPS if Path(folder, step).exists()]


def arm_next(folder):
    """Have this process killed at the first step at which none was."""
    step = next((step for step in STEPS if step not in died(folder)), None)
    if step is not None:

        def die(*_):
            Path(folder, step).touch()
            os.kill(os.getpid(), signal.SIGKILL)

        _arm(step, victim(step), die)


def _arm(step, number, die):  # noqa: C901 (a table of steps)
    from pipeline.engine.lanes.carrier import Carrier
    from pipeline.engine.lanes.live import LiveLane
    from pipeline.engine.ray.carrier import RowCarrier
    from pipeline.ledger.remote import Durable, RemoteLedger
    from pipeline.providers.transport.connection import Connection

    numbers = set()  # under which the victim's call was written

    def of_call(_ledger, call, *_):
        return call.send.row == number

    def note(ledger):
        numbers.add(max(ledger._writes))

    def of_attempt(_lane, attempt):
        return attempt.request.row == number

    match step:
        case "given":
            _hook(RowCarrier, "_row", lambda _, given: given.row.index == number, before=die)
        case "asks":
            _hook(LiveLane, "_let_in", lambda _, request, *__, **___: request.row == number, before=die)
        case "named":  # the run has let it in, and has put it on the ledger
            _hook(LiveLane, "_named", of_attempt, after=die)
        case "sent":  # in the kernel's hands, which sends it whatever becomes of the process
            _hook(Connection, "ask", lambda _, body, *__: b"<<r%d>>" % number in body, after=die)
        case "answered":
            _hook(Carrier, "exchange", lambda _, request, *__, **___: request.row == number, after=die)
        case "written":  # and the run has not come to take it
            _hook(RemoteLedger, "record", of_call, after=die)
        case "told":  # the run has it on disk, and has said so
            _hook(RemoteLedger, "record", of_call, after=note)
            _hook(
                RemoteLedger,
                "heard",
                lambda _, message: isinstance(message, Durable) and numbers & {*message.numbers},
                before=die,
            )


def _nothing(_):
    pass


def _hook(owner, name, is_victim, *, before=_nothing, after=_nothing):
    """Have that done with a method's owner when the method is called with the victim."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def now(self, *arguments, **more):
        deadly = is_victim(self, *arguments, **more)
        (before if deadly else _nothing)(self)
        done = method(self, *arguments, **more)
        (after if deadly else _nothing)(self)
        return done

    @functools.wraps(method)
    async def later(self, *arguments, **more):
        deadly = is_victim(self, *arguments, **more)
        (before if deadly else _nothing)(self)
        done = await method(self, *arguments, **more)
        (after if deadly else _nothing)(self)
        return done

    setattr(owner, name, later if inspect.iscoroutinefunction(method) else now)
