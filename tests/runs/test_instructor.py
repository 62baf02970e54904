"""Whole runs through instructor's clients, in an environment that has them (`make extras`): the server's books count.

Groq's client is made as OpenAI's is and has a base URL of its own; Cohere's and Mistral's are made otherwise.
"""

from decimal import Decimal

import pytest
from scripted_server import GOOD, Scripted

pytest.importorskip("instructor", reason="the extra `instructor` has an environment of its own: make extras")

KEY = "key-that-nobody-may-see-12345"
VENDORS = {  # name → (model with a price, variable of its key, whether answers are calls of a tool, USD a call)
    "groq": ("llama-3.3-70b-versatile", "GROQ_API_KEY", True, Decimal("0.0000748")),
    "cohere": ("command-r-08-2024", "CO_API_KEY", False, Decimal("0.000027")),
    "mistral": ("mistral-small-latest", "MISTRAL_API_KEY", True, None),
    "fireworks": ("accounts/fireworks/models/llama-v3p1-8b-instruct", "FIREWORKS_API_KEY", True, None),
}
CLIENTS = {"groq": "groq", "cohere": "cohere", "mistral": "mistralai", "fireworks": "fireworks"}
ROWS = [{"id": f"r{n}", "text": f"document {n}"} for n in range(5)]


class Job:
    """A job for one vendor."""

    def __init__(self, job, server, name):
        pytest.importorskip(CLIENTS[name], reason=f"the client of {name} is not installed")
        self.folder, self.server, self.name = job, server, name
        self.model, variable, self.called, self.usd = VENDORS[name]
        job.env = {**job.env, variable: KEY}
        server.script = lambda *_: self.answer()

    @property
    def base_url(self):
        return self.server.url.removesuffix("/v1")

    def answer(self, **more):
        return Scripted(called=self.called, **more)

    def write(self, rows=ROWS, **sections):
        model = {"provider": f"instructor:{self.name}", "name": self.model, **sections.pop("model", {})}
        self.folder.write(self.base_url, rows=rows, model=model, **sections)
        return self.folder

    def books(self):
        """What was sent is what is booked, call by call."""
        manifest = self.folder.reconcile()
        assert manifest["calls"] == self.server.sent
        return manifest


@pytest.fixture(params=VENDORS)
def vendor(request, job, server):
    return Job(job, server, request.param)


def test_each_call_is_one_request_with_its_usage_and_its_price(vendor):
    job = vendor.write(model={"temperature": 0.0, "seed": 7, "top_p": 0.5, "stop": ["END"]})
    checked = job.pipeline("check", job.file, code=0)
    assert "its client is installed" in checked.out
    job.run()
    manifest = vendor.books()
    assert vendor.server.sent == len(ROWS)
    assert manifest["tokens"]["input_tokens"] == 100 * len(ROWS)
    assert manifest["tokens"]["output_tokens"] == 20 * len(ROWS)
    assert Decimal(manifest["cost_usd"]) > 0
    if vendor.usd is not None:
        assert Decimal(manifest["cost_usd"]) == vendor.usd * len(ROWS)
    assert {line["provider"] for line in job.calls()} == {f"instructor:{vendor.name}"}
    assert all(line["record"]["name"] == GOOD["name"] for line in job.results())
    assert {line["provider_request_id"] for line in job.calls()} == {f"req_{n}" for n in range(1, len(ROWS) + 1)}
    job.run()
    assert vendor.server.sent == len(ROWS)


def test_a_429_is_waited_out_and_nobody_else_tries_again(vendor):
    def script(document, nth, body):
        return Scripted(429, headers={"retry-after": "1"}) if nth == 1 else vendor.answer()

    job = vendor.write(rows=ROWS[:1])
    vendor.server.script = script
    job.run()
    assert vendor.books()["rate_limited"] == 1
    (first, second) = [at for _, _, at in vendor.server.requests]
    assert second - first >= 1.0
    assert [line["http_status"] for line in job.calls()] == [429, 200]


@pytest.mark.parametrize("status", [500, 503, 408, 409])
def test_what_clients_would_send_again_by_themselves_is_an_attempt_of_ours(job, server, status):
    vendor = Job(job, server, "groq")
    server.script = lambda document, nth, body: (
        Scripted(status, headers={"retry-after": "0"}) if nth < 3 else vendor.answer()
    )
    vendor.write(rows=ROWS[:1]).run()
    vendor.books()
    assert [line["http_status"] for line in job.calls()] == [status, status, 200]


def test_an_invalid_answer_is_repaired_once_and_both_are_paid_for(vendor):
    def script(document, nth, body):
        return vendor.answer(text='{"name": "no total"}' if nth == 1 else None)

    job = vendor.write(rows=ROWS[:2])
    vendor.server.script = script
    job.run()
    manifest = vendor.books()
    assert (manifest["calls"], manifest["repairs"]) == (4, 2)
    assert [line["purpose"] for line in job.calls()].count("repair") == 2
    assert manifest["tokens"]["input_tokens"] == 400
    assert all(line["repaired"] for line in job.results())


def test_answers_that_never_fit_fail_their_row_after_one_repair(vendor):
    job = vendor.write(rows=ROWS[:1])
    vendor.server.script = lambda *_: vendor.answer(text="no JSON at all")
    job.run(code=1)
    assert vendor.books()["calls"] == 2
    assert job.results()[0]["error_code"] == "invalid_output"


def test_a_key_that_is_not_good_parks(vendor):
    job = vendor.write()
    vendor.server.script = lambda *_: Scripted(401, error={"message": f"bad key {KEY}"})
    ended = job.run(code=4)
    manifest = vendor.books()
    assert (manifest["state"], manifest["reason"]) == ("parked", "auth")
    assert KEY not in ended.err + ended.out
    assert not any(KEY.encode() in path.read_bytes() for path in job.out.rglob("*") if path.is_file())


def test_an_echoed_key_ends_nowhere(vendor):
    job = vendor.write(rows=ROWS[:1])
    vendor.server.script = lambda *_: vendor.answer(text=f'{{"name": "{KEY}", "total": "1"}}')
    job.run()
    assert job.results()[0]["record"]["name"] == "[redacted]"
    assert not any(KEY.encode() in path.read_bytes() for path in job.out.rglob("*") if path.is_file())


def test_the_cap_holds(vendor):
    job = vendor.write(rows=[{"id": f"r{n}", "text": f"document {n} " * 20} for n in range(60)],
                       limits={"concurrency": 4}, prices={"input_usd_per_mtok": 1, "output_usd_per_mtok": 1},
                       budget={"max_usd": 0.002})  # fmt: skip
    job.run(code=3)
    manifest = vendor.books()
    assert (manifest["state"], manifest["reason"]) == ("parked", "budget")
    assert Decimal("0.001") < Decimal(manifest["cost_usd"]) <= Decimal("0.002")


def test_an_answer_without_usage_is_counted_here_and_said_once(vendor):
    job = vendor.write()
    vendor.server.script = lambda *_: vendor.answer(usage=None)
    assert job.run().err.count("the server tells no usage; tokens and cost are counted here") == 1
    assert vendor.books()["tokens"]["input_tokens"] > 0


def test_a_model_without_a_price_costs_null_and_check_says_so(vendor):
    job = vendor.write(model={"name": "a-model-of-tomorrow"})
    assert "no price is known for a-model-of-tomorrow" in job.pipeline("check", job.file, code=0).out
    job.run()
    assert vendor.books()["cost_usd"] is None


def test_a_connection_that_breaks_is_one_attempt(vendor):
    def script(document, nth, body):
        return vendor.answer(cut=nth == 1)

    job = vendor.write(rows=ROWS[:1])
    vendor.server.script = script
    job.run()
    assert vendor.books()["calls"] == 2
    assert [line["error_code"] for line in job.calls()] == ["timeout", None]


def test_an_answer_that_takes_too_long_is_given_up_once(vendor):
    def script(document, nth, body):
        return vendor.answer(delay_s=30 if nth == 1 else 0)

    job = vendor.write(rows=ROWS[:1], limits={"timeout_s": 0.5})
    vendor.server.script = script
    job.run()
    assert vendor.books()["calls"] == 2


def test_a_server_that_is_not_there_is_never_called_sent(vendor):
    job = vendor.write(rows=ROWS[:1], limits={"max_attempts": 2}, model={"base_url": "http://127.0.0.1:9"})
    job.run(code=1)
    assert [line["cost_usd"] for line in job.calls()] in ([None] * 2, [Decimal(0)] * 2)
    assert vendor.server.sent == 0


@pytest.mark.parametrize("mode", ["auto", "tool", "json_schema", "json_object", "two_step"])
def test_every_mode_that_a_vendor_has(vendor, mode):
    job = vendor.write(rows=ROWS[:1], extract={"mode": mode})
    lacks = {("cohere", "tool"), ("mistral", "json_schema")}
    if (vendor.name, mode) in lacks:
        assert "extract.mode" in job.run(code=2).err
        return
    vendor.server.script = lambda document, nth, body: Scripted(called="tools" in body)
    job.run()
    vendor.books()
    body = vendor.server.requests[-1][1]
    asked = "tools" if "tools" in body else "schema" if "response_format" in body else "words"
    usual = "schema" if vendor.name == "cohere" else "tools"
    assert asked == {"tool": "tools", "json_schema": "schema", "json_object": "words"}.get(mode, usual)
    assert "total" in str(body)


def test_several_processes(vendor):
    job = vendor.write(limits={"workers": 2})
    job.run()
    vendor.books()
    assert vendor.server.sent == len(ROWS)


@pytest.mark.parametrize(
    "name", ["together", "deepseek", "openrouter", "databricks", "anyscale", "perplexity", "ollama"]
)
def test_those_with_the_client_of_openai(job, server, name):
    """They have a base URL and a key variable of their own; an answer in words does for those without tools."""
    if name != "ollama":
        job.env |= {{"databricks": "DATABRICKS_TOKEN"}.get(name, f"{name.upper()}_API_KEY"): KEY}
    job.env["DATABRICKS_HOST"] = "http://127.0.0.1:9"
    server.script = lambda document, nth, body: Scripted(called="tools" in body) if nth > 1 else Scripted(503)
    prices = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    job.write(server.url, rows=ROWS[:2], model={"provider": f"instructor:{name}", "name": "llama3.1"}, prices=prices)
    job.run()
    manifest = job.reconcile()
    assert (manifest["calls"], server.sent, Decimal(manifest["cost_usd"])) == (4, 4, Decimal("0.00028"))
    assert ("tools" in server.requests[-1][1]) == (name != "perplexity")


def test_a_client_that_does_not_take_a_keyword_fails_the_row_and_sends_nothing(job, server):
    pytest.importorskip("groq")
    vendor = Job(job, server, "groq")
    vendor.write(rows=ROWS[:1], model={"extra": {"verbose": True}})
    toml = job.file.read_text().replace('{"verbose": true}', "{verbose = true}")
    job.file.write_text(toml)
    job.run(code=1)
    assert server.sent == 0
    assert "verbose" in job.results()[0]["error"]


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ("instructor:groc", "instructor knows no provider 'groc'. Did you mean 'groq'?"),
        ("instructor:mitsral", "Did you mean 'mistral'?"),
        ("instructor:zzzzzz", "It knows anyscale, cerebras, cohere"),
        ("instructor:cerebras", "Install it:  pip install 'instructor[cerebras-cloud-sdk]'"),
        ("instructor:writer", "Install it:  pip install 'instructor[writer]'"),
    ],
)
def test_what_instructor_does_not_know_or_have_is_said_before_anything_is_sent(job, server, provider, words):
    job.write(
        server.url, rows=ROWS, model={"provider": provider, "name": "some-model", "api_key_env": "OPENAI_API_KEY"}
    )
    assert words in job.pipeline("check", job.file, code=2).out
    assert words in job.run(code=2).err
    assert server.sent == 0


def test_databricks_without_a_host_says_what_it_needs(job, server):
    job.env["DATABRICKS_TOKEN"] = KEY
    job.write("", rows=ROWS, model={"provider": "instructor:databricks", "name": "some-model"})
    assert "DATABRICKS_HOST is not set" in job.run(code=2).err
