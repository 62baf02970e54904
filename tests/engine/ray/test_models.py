"""A job with several models on workers far from the run: each row goes the way that it goes on one machine."""

import json
import time

import pytest
from ray_here import LinkHere
from scripted_server import Scripted

from pipeline.commands.verify import verify
from pipeline.engine.ray import crew
from pipeline.extraction import engines

BAD, GOOD = Scripted(text="no JSON"), Scripted(text=json.dumps({"name": "Blue Mill", "total": "1"}))
DOWN = Scripted(status=503, raw=b'{"error": {"message": "down"}}')
NO_KEY = Scripted(status=401, raw=b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}')
COUNT = 40
FALLBACK = '[[fallback]]\non = {causes}\nmodel = "strong"\n'


@pytest.fixture
def several(job, server, monkeypatch):
    """Writes a job on some workers with `[models.strong]`; `more`: its routes and fallbacks."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)

    def written(more, rows=COUNT, strong="", workers=2, limits=None, **sections):
        lines = [{"id": f"r{number}", "text": f"bill {number}", "language": None} for number in range(rows)]
        sections |= {"engine": {"on": "ray", "workers": workers}, "limits": {"concurrency": 4, **(limits or {})}}
        job.write(server.url, rows=lines, **sections)
        one = f'[models.strong]\nprovider = "openai"\nname = "gpt-4o"\nmax_output_tokens = 200\n{strong}'
        job.file.write_text(f'{job.file.read_text()}\n{one}\nbase_url = "{server.url}"\n{more}')
        return job

    return written


def fallback(*causes):
    return FALLBACK.format(causes=json.dumps(causes))


def by_model(mini, strong):
    return lambda _document, _nth, body: mini if "mini" in body["model"] else strong


def sound(job):
    assert [check.problem for check in verify(job.out) if check.problem] == []
    return job.reconcile()


def test_a_row_that_one_model_gets_wrong_goes_on_to_the_next(several, job, server):
    server.script = by_model(BAD, GOOD)
    several(fallback("invalid_output")).run()
    assert {(row["status"], row["model"], *row["models_tried"]) for row in job.results()} == {
        ("ok", "gpt-4o", "gpt-4o-mini", "strong")
    }
    manifest = sound(job)
    assert {name: one["calls"] for name, one in manifest["models"].items()} == {
        "gpt-4o-mini": 2 * COUNT,
        "strong": COUNT,
    }
    assert sum(one["calls"] for one in manifest["workers"]) == 3 * COUNT
    job.run()
    job.run("--on", "local")
    assert server.sent == 3 * COUNT, "nothing is paid twice, here or there"


@pytest.mark.parametrize(("answer", "cause"), [(DOWN, "outage"), (NO_KEY, "auth")])
def test_rows_go_on_at_the_spare_while_the_first_is_down(several, job, server, answer, cause):
    server.script = by_model(answer, GOOD)
    several(fallback(cause)).run()
    assert {(row["status"], row["model"]) for row in job.results()} == {("ok", "gpt-4o")}
    assert sum(call["model"] == "gpt-4o-mini" for call in job.calls()) < COUNT / 2
    sound(job)


def test_the_run_parks_where_the_spare_is_down_too(several, job, server):
    server.script = by_model(NO_KEY, NO_KEY)
    several(fallback("auth")).run(code=4)
    assert job.manifest()["reason"] == "auth"
    assert {row["status"] for row in job.results()} == {"pending"}


def test_one_cap_is_over_all_models(several, job, server):
    server.script = by_model(BAD, GOOD)
    several(fallback("invalid_output"), budget={"max_usd": 0.004}).run(code=3)
    assert 0.001 < float(sound(job)["cost_usd"]) <= 0.004


def test_a_retry_may_begin_with_another_model(several, job, server):
    server.script = by_model(BAD, BAD)
    several(fallback("invalid_output"), rows=1).run(code=1)
    server.script = by_model(BAD, GOOD)
    job.pipeline("retry", job.file, "--from-model", "strong", code=0)
    assert [row["models_tried"] for row in job.results()] == [["strong"]]
    assert server.sent == 5


def test_without_its_key_a_spare_is_done_without(several, job, server):
    """The workers get the job as the run has it then."""
    server.script = by_model(GOOD, GOOD)
    found = several(fallback("invalid_output"), strong='api_key_env = "SPARE_KEY"\n').run()
    assert "Without it no row goes on to this model" in found.err
    assert sound(job)["rows"]["ok"] == COUNT


def test_a_null_is_routed_as_it_is_on_one_machine(several, job, server):
    """As no text, which is what a prompt has of it."""
    server.script = by_model(GOOD, GOOD)
    several('[[route]]\nwhere = {column = "language", in = [""]}\nmodel = "strong"\n', rows=2)
    for on in ("ray", "local"):
        job.run("--on", on, "--fresh")
        assert [row["models_tried"] for row in job.results()] == [["strong"]] * 2


def test_the_calls_of_a_lost_worker_are_booked_at_each_of_its_models(several, job, server):
    """It is killed while a call to each is out: both are named as lost, and its rows are done by another."""
    out = set()

    def script(document, _nth, body):
        model = body["model"]
        if (document, model) in {("bill 0", "gpt-4o-mini"), ("bill 1", "gpt-4o")} - out:
            out.add((document, model))
            if len(out) == 2:
                LinkHere.last.loop.call_soon_threadsafe(LinkHere.last.lose, 1)
            return Scripted(text=GOOD.text, delay_s=0.8)
        return BAD if document == "bill 1" and "mini" in model else GOOD

    server.script = script
    several(fallback("invalid_output"), workers=1, limits={"timeout_s": 1.0}).run()
    lost = [call for call in job.calls() if call["error_code"] == "lost"]
    assert {("r0", "gpt-4o-mini"), ("r1", "gpt-4o")} <= {(call["id"], call["model"]) for call in lost}
    manifest = sound(job)
    assert manifest["rows"]["ok"] == COUNT
    assert manifest["job"]["engine"]["on"] == "ray"
    assert [one.get("why") for one in manifest["workers"]] == ["killed", None]
    assert server.sent <= len(job.calls())


def test_what_the_run_finds_of_a_model_a_worker_hears_at_once(several, job, server):
    """A row that waits for a minute at the first one goes on once calls of others show that it is down."""
    wait, down = Scripted(status=503, headers={"retry-after": "60"}), Scripted(status=503, raw=DOWN.raw, delay_s=0.3)
    server.script = lambda document, _nth, body: (
        GOOD if "mini" not in body["model"] else wait if document == "bill 0" else down
    )
    began_s = time.monotonic()
    several(fallback("outage"), rows=8, workers=1, limits={"concurrency": 8}).run()
    assert time.monotonic() - began_s < 30
    assert [row["model"] for row in job.results()] == ["gpt-4o"] * 8
    assert server.seen["bill 0"] == 2
