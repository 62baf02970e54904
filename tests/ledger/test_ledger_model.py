"""The ledger against a dictionary: in any order of writes, sessions and runs it says what the dictionary says."""

import asyncio
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.codes import ErrorCode, Status
from pipeline.job.folder import LEDGER as FILE
from pipeline.ledger.ledger import Ledger, connect, ends
from pipeline.ledger.records import Call, Send
from pipeline.types import Answer, Outcome, Purpose, Stop, Usage

DOCS = st.integers(0, 5).map(lambda n: bytes([n]) * 16)
KEYS = st.integers(0, 7).map(lambda n: bytes([n + 100]) * 16)
UNITS = st.integers(0, 10**12)
JOBS = st.sampled_from([(b"r" * 16, b"d" * 16, "one"), (b"r" * 16, b"d" * 16, "two"), (b"s" * 16, b"e" * 16, "two")])


@dataclass
class Model:
    """What should be on record."""

    run: int = 0
    runs: list = field(default_factory=list)  # hashes by number, from 1
    calls: dict = field(default_factory=dict)  # request id → (run, cost, at risk, error code)
    sends: dict = field(default_factory=dict)  # request id → at risk
    answers: dict = field(default_factory=dict)  # key → text
    outcomes: dict = field(default_factory=dict)  # doc → (status, error code)


class LedgerMachine(RuleBasedStateMachine):
    """Each step is durable when it returns; a crash closes the files as they are."""

    def __init__(self):
        super().__init__()
        self._scratch = tempfile.TemporaryDirectory()
        self.folder = Path(self._scratch.name)
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.ledger = None
        self.number = 0

    def teardown(self):
        if self.ledger is not None:
            self._close()
        self.loop.close()
        self._scratch.cleanup()

    def do(self, step):
        async def main():
            return await step

        return self.loop.run_until_complete(main())

    def _close(self):
        self.do(self.ledger.stop_writing())
        self.ledger.__exit__(None, None, None)
        self.ledger = None

    @initialize(job=JOBS)
    def first(self, job):
        self._begin(job)

    def _begin(self, job):
        self.ledger = Ledger(self.folder, "run").__enter__()
        lost = self.ledger.begin(*job)
        model = self.model
        assert {one.request_id: one.at_risk_units for one in lost} == model.sends
        last = model.run
        for request_id, at_risk in model.sends.items():
            model.calls[request_id] = (last, at_risk, None, "lost")
        model.sends = {}
        if not model.runs or model.runs[-1] != job:
            model.runs.append(job)
        model.run = len(model.runs)
        assert self.ledger.run == model.run

        async def start():
            self.ledger.start_writing(lambda: None)

        self.do(start())

    @rule(job=JOBS)
    def next_session(self, job):
        """The process ended, in order or not: what was in flight is named by the next."""
        self._close()
        self._begin(job)

    @rule(at_risk=UNITS)
    def intend(self, at_risk):
        self.number += 1
        send = Send(f"req-{self.number}", 0, "id", 0, Purpose.EXTRACT, 1, self.number, at_risk, None)
        self.do(self.ledger.intend(send))
        self.model.sends[send.request_id] = at_risk

    @precondition(lambda self: self.model.sends)
    @rule(key=KEYS, cost=UNITS, text=st.text(max_size=5), answered=st.booleans())
    def record(self, key, cost, text, answered):
        request_id, at_risk = next(iter(self.model.sends.items()))
        send = Send(request_id, 0, "id", 0, Purpose.EXTRACT, 1, 1, at_risk, None)
        reply = Answer(text, Stop.DONE, "stop", Usage()) if answered else None
        error = None if answered else "timeout"
        left = 0 if answered else at_risk
        call = Call(send, 1, 1, Usage(), cost if answered else None, left, error_code=error)
        self.do(self.ledger.record(call, key if answered else None, reply))
        del self.model.sends[request_id]
        self.model.calls[request_id] = (self.model.run, left, cost if answered else None, error)
        if answered:
            self.model.answers[key] = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    @rule(doc=DOCS, ok=st.booleans(), code=st.sampled_from(list(ErrorCode)))
    def conclude(self, doc, ok, code):
        status = Status.OK if ok else Status.FAILED
        outcome = Outcome(doc, 0, status, ("{}",) if ok else (), None if ok else code)
        self.do(self.ledger.conclude(outcome))
        before = self.model.outcomes.get(doc)
        if before is None or before[0] != "ok":  # a success is final
            self.model.outcomes[doc] = (str(status), None if ok else str(code))

    @invariant()
    def says_what_the_model_says(self):
        if self.ledger is None:
            return
        model = self.model
        with closing(connect(self.folder / FILE, read_only=True)) as db:
            calls = db.execute("SELECT request_id, run, at_risk_units, cost_units, error_code FROM calls").fetchall()
            sends = dict(db.execute("SELECT request_id, at_risk_units FROM sends"))
            found = ends(db, list(model.outcomes) or [b""])
        assert {request_id: tuple(rest) for request_id, *rest in calls} == model.calls
        assert sends == model.sends
        assert {doc: (end.status, end.error_code) for doc, end in found.items()} == model.outcomes
        for key, text in model.answers.items():
            assert self.ledger.answer(key).reply.text == text
        spent = sum((cost or 0) + at_risk for run, at_risk, cost, _ in model.calls.values() if run == model.run)
        assert self.ledger.spent_units() == spent


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
