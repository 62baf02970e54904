"""Nights over files on workers that die and are taken away, with faults and a cap: every row once, in one place."""

import json
import random

import pytest
from ray_here import LinkHere
from scripted_server import Scripted
from small_pdfs import pdf, text

from pipeline.commands.verify import verify
from pipeline.engine.executors import ray as executor
from pipeline.engine.ray import crew
from pipeline.engine.ray.places import SeatDraining
from pipeline.extraction import engines

NIGHTS = 4
FAULTS = [Scripted(status=429, headers={"retry-after": "0.01"}), Scripted(status=500), Scripted(text="no JSON")]


def put(folder, chance):
    """Files of which many are equal, and some broken; how many others differ."""
    folder.mkdir()
    kinds, contents = chance.randint(3, 20), set()
    for number in range(chance.randint(10, 30)):
        kind = chance.randint(0, kinds)
        body = pdf(text(50, 700, f"Invoice {kind}")) if kind % 3 == 0 else f"letter {kind}".encode()
        whole = kind != 0
        (folder / f"{number}.{'txt' if kind % 3 else 'pdf'}").write_bytes(body if whole else b"%PDF-1.7 and no more")
        contents |= {kind} if whole else set()
    return len(contents)


def bad_luck(monkeypatch, chance):
    """Some workers die, and one may be taken away, at any moment of each command."""
    begin, deaths, drained = LinkHere.__init__, chance.randint(0, 3), chance.random() < 0.3

    def begun(self, *told):
        begin(self, *told)
        for _ in range(deaths):
            self.loop.call_later(chance.random() * 0.8, lambda: self._carriers and self.lose(any_of(self)))
        if drained:
            away = SeatDraining(1, 25.0)
            self.loop.call_later(chance.random() * 0.5, lambda: 1 in self._carriers and self.say(away))

    def any_of(link):
        return chance.choice(sorted(link._carriers))

    monkeypatch.setattr(LinkHere, "__init__", begun)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a worker here dies without its process
@pytest.mark.parametrize("night", range(NIGHTS))
def test_every_file_ends_in_one_place(job, server, monkeypatch, night):
    chance = random.Random(night)
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    monkeypatch.setattr(executor, "SPARE", chance.choice([0, 1, 4, 16]))
    contents = put(job.folder / "inbox", chance)
    record = Scripted(text=json.dumps({"name": "Blue Mill", "total": "1"}), delay_s=0.01)
    server.script = lambda *_: chance.choice(FAULTS) if chance.random() < 0.15 else record
    bad_luck(monkeypatch, chance)
    limits = {"concurrency": chance.randint(1, 8), "max_failed_share": 1.0, "timeout_s": 1.0}
    engine, read = {"on": "ray", "workers": chance.randint(1, 4)}, chance.choice(["native", "text", "auto"])
    job.write(server.url, input={"path": "inbox", "id": ""}, documents={"read": read}, engine=engine, limits=limits)
    for cap in (["--max-usd", "0.0008"], [], []):
        job.run(*cap, code=None)
        job.reconcile()
        assert sorted(row["id"] for row in job.results()) == sorted(path.name for path in job.folder.glob("inbox/*"))
        assert [check.problem for check in verify(job.out) if check.problem] == []
    assert job.manifest()["rows"]["pending"] == 0
    lost = sum(call["error_code"] == "lost" for call in job.calls())
    paid = [call for call in job.calls() if call["error_code"] is None and call["purpose"] == "extract"]
    assert len(paid) <= contents + lost
