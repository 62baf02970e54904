"""What `check` says before a cent is spent."""

import os
import re

import pytest

from pipeline.commands.check import check
from pipeline.job.settings import Job


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
def test_the_tokens_that_go_with_every_request_are_one_figure(job, mode):
    """Where it tells of the prompt, and where it tells of prompt caching."""
    extract = {"mode": mode, "system": "You read things. " * 30}
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}], extract=extract)
    found = " ".join(finding.detail for finding in check(Job.load(job.file), os.environ))
    figures = re.findall(r"([\d,]+) tokens (?:go with|are the same in) every request", found)
    assert len(figures) == 2
    assert len(set(figures)) == 1


def findings(job, what, url="http://127.0.0.1:9/v1", environ=None, **model):
    job.write(url, rows=[{"id": "a", "text": "one"}], model=model)
    return [(one.level, one.detail) for one in check(Job.load(job.file), environ or {}) if one.what == what]


@pytest.mark.parametrize(
    ("provider", "name", "meant"),
    [
        ("openai", "gpt4o-mini", "gpt-4o-mini"),
        ("openai", "gpt-40-mini", "gpt-4o-mini"),
        ("anthropic", "claude-sonet-4-5", "claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-falsh", "gemini-2.5-flash"),
        ("bedrock", "amazon.nova-lte-v1:0", "amazon.nova-lite-v1:0"),
    ],
)
def test_a_slip_in_a_models_name_is_told(job, provider, name, meant):
    level, detail = findings(job, "model", provider=provider, name=name, region="us-east-1")[0]
    assert level == "warning"
    assert detail.endswith(f"(not in our table: assumed). Did you mean {meant!r}?")


@pytest.mark.parametrize(
    ("name", "levels"),
    [("gpt-4o-mini", []), ("gpt-5-mini", ["problem"]), ("o3", ["problem"]), ("gpt-5.1", ["warning"])],
)
def test_a_temperature_that_every_request_would_be_refused_for_is_a_problem(job, name, levels):
    """Not one that a model may take."""
    told = findings(job, "model", name=name, temperature=0.0)
    assert [level for level, detail in told if "model.temperature" in detail] == levels
    assert not [detail for _, detail in findings(job, "model", name=name) if "model.temperature" in detail]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "gpt-5.1", "stop": ["END"]}, "may refuse model.stop"),
        ({"name": "gpt-5.1", "top_p": 0.5}, "may refuse model.top_p"),
        ({"flex_fallback": True}, "model.flex_fallback does nothing"),
        ({"service_tier": "flex"}, "limits.timeout_s = 120 should be 900"),
        ({"send_tenant": True}, "input.tenant names no column"),
    ],
)
def test_what_may_be_refused_or_do_nothing_is_warned_of(job, settings, words):
    assert [level for level, detail in findings(job, "model", **settings) if words in detail] == ["warning"]


def test_a_tier_is_told_with_its_price_and_one_that_is_in_no_table_is_warned_of(job):
    """gpt-4.1 has no flex that is known."""
    ((level, detail),) = findings(job, "prices", name="gpt-5-mini", service_tier="flex")
    assert (level, detail.startswith("$0.125 in"), "at the tier 'flex'" in detail) == ("ok", True, True)
    levels = [level for level, _ in findings(job, "prices", name="gpt-4.1", service_tier="flex")]
    assert levels == ["warning", "ok"]
    by_contract = {"provider": "anthropic", "name": "claude-haiku-4-5", "service_tier": "priority"}
    assert [level for level, _ in findings(job, "prices", **by_contract)] == ["ok"]


@pytest.mark.parametrize("name", ["deepseek-chat", "Qwen/Qwen2.5-7B-Instruct", "my-model", "grok-4"])
def test_a_name_that_is_like_none_is_only_not_known(job, name):
    """A server of one's own has models of its own."""
    assert findings(job, "model", name=name)[0][1].endswith("(not in our table: assumed)")


@pytest.mark.parametrize(
    ("url", "ends_in", "plain"),
    [
        ("http://h/v1/chat/completions", "/chat/completions", "http://h/v1"),
        ("http://h/v1/chat/completions/", "/chat/completions/", "http://h/v1"),
        ("http://h/v1?a=1", "a query", "http://h/v1"),
        ("http://h/v1/responses#x", "a query (all from ? or #) and /responses", "http://h/v1"),
        ("http://h/v1/messages", "/messages", "http://h/v1"),
        ("http://h/v1beta/models/m:generateContent?key=hidden", "a query", "http://h/v1beta"),
        ("https://a.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "/openai/deployments/d/chat",
         "https://a.openai.azure.com"),
    ],
)  # fmt: skip
def test_a_base_url_that_ends_in_more_is_warned_of(job, url, ends_in, plain):
    """Paths are put behind it: a query would stand in the middle, and an endpoint there twice. No query is shown."""
    ((level, detail),) = findings(job, "base_url", url)
    assert level == "warning"
    assert ends_in in detail
    assert detail.endswith(f"Write {plain}")
    assert "hidden" not in detail


def test_a_base_url_of_the_environment_is_looked_at_too(job):
    where = {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com/?api-version=1"}
    ((level, detail),) = findings(job, "base_url", "", where, provider="azure", base_url="")
    assert (level, detail.endswith("Write https://a.openai.azure.com/")) == ("warning", True)


@pytest.mark.parametrize(
    "url", ["http://h/v1", "http://h/api", "https://r.services.ai.azure.com/models", "http://h/v1/"]
)
def test_a_base_url_that_is_one_is_not(job, url):
    assert findings(job, "base_url", url) == []


COLUMNS = """
from decimal import Decimal
from typing import Annotated
from pydantic import BaseModel, Field, SecretStr, computed_field

class Line(BaseModel):
    price: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None

class Thing(BaseModel):
    lines: list[Line]
    rate: Decimal
    names: list[str]
    tags: dict[str, int]
    pin: SecretStr

    @computed_field
    @property
    def count(self) -> int:
        return len(self.lines)
"""


def test_each_fields_type_in_the_results_is_listed(job):
    job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "one"}])
    (job.folder / "thing.py").write_text(COLUMNS)
    found = check(Job.load(job.file), {})
    assert [one.detail for one in found if one.what == "column"] == [
        "lines[].price: decimal128(12, 2)",
        "rate: decimal128(38, 9)",
        "names[]: string",
        "tags: JSON in a string",
        "pin: string",
        "count: int64",
    ]
    assert any("pin: a secret is in the results" in one.detail for one in found if one.level == "warning")
    told = job.pipeline("check", job.file)
    assert "column: lines[].price: decimal128(12, 2)" in told.out + told.err


@pytest.mark.parametrize(
    ("provider", "url", "plain"),
    [
        ("gemini", "http://h/v1/", "http://h"),
        ("vertex", "https://h/gateway/v1beta1", "https://h/gateway"),
        ("bedrock", "https://h/v1", "https://h"),
        ("openai", "http://h", "http://h/v1"),
        ("openai", "http://h/", "http://h/v1"),
    ],
)
def test_a_base_url_with_a_version_too_much_or_too_little_is_warned_of(job, provider, url, plain):
    """The host alone for those whose paths begin with it; with /v1 where the wire puts none."""
    ((level, detail),) = findings(job, "base_url", url, provider=provider)
    assert (level, detail.endswith(plain)) == ("warning", True)


@pytest.mark.parametrize(("provider", "url"), [("gemini", "http://h/v1beta/"), ("vertex", "https://h/gateway/v1")])
def test_a_version_that_the_wire_takes_is_no_matter(job, provider, url):
    assert findings(job, "base_url", url, provider=provider, region="r", project="p") == []


def test_rows_that_cannot_be_used_are_counted_with_the_first_of_each_kind(job):
    """By reading all of the input; the others are what is paid for."""
    rows = [{"id": f"r{n}", "text": f"text {n}"} for n in range(700)]
    rows += [{"id": "e1", "text": ""}, "{broken", {"id": "e2", "text": ""}, {"id": "r5", "text": "again"}, {"id": "x"}]
    job.write("http://127.0.0.1:9/v1", rows=rows)
    told = [(one.level, one.detail) for one in check(Job.load(job.file), {}) if one.what == "input"]
    assert told[0] == ("warning", "705 rows in 1 files; 5 of them cannot be used, and will fail as bad_row")
    kinds = [detail for _, detail in told[1:]]
    assert "2 as in.jsonl:701: 'text' is empty; it should be text" in kinds
    assert any(kind.startswith("1 as in.jsonl:702: not valid JSON") for kind in kinds)
    assert any("duplicate id 'r5'" in kind for kind in kinds)
    assert any("in.jsonl:705: 'text' is missing" in kind for kind in kinds)
    assert {level for level, _ in told} == {"warning"}
    job.write("http://127.0.0.1:9/v1", rows=rows[:700])
    told = [(one.level, one.detail) for one in check(Job.load(job.file), {}) if one.what == "input"]
    assert told == [("ok", "700 rows in 1 files")]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ({"name": "gpt-5-mini", "reasoning": "low"}, [("ok", "low, as reasoning_effort = low")]),
        ({"name": "gpt-5-mini"}, []),
        (
            {"provider": "gemini", "name": "gemini-2.5-flash", "reasoning": 512, "max_output_tokens": 512},
            [("warning", "model.reasoning = 512: 512 tokens of reasoning count inside model.max_output_tokens = 512")],
        ),
    ],
)
def test_what_is_sent_of_reasoning_is_told(job, model, found):
    told = findings(job, "reasoning", **model)
    assert [level for level, _ in told] == [level for level, _ in found]
    assert all(detail.startswith(words) for (_, detail), (_, words) in zip(told, found, strict=True))


def test_what_is_advised_of_the_cap_leaves_room_to_think(job):
    """By the shape of the schema a fraction of it would do; how much is thought inside it nobody knows yet."""
    cap = {"max_output_tokens": 16_000}
    assert any("would do" in detail for _, detail in findings(job, "model", name="gpt-4o-mini", **cap))
    assert not any("would do" in detail for _, detail in findings(job, "model", name="gpt-5-mini", **cap))
