"""What Anthropic tells of a model: what an alias stands for, and how much it takes."""

from datetime import UTC, datetime

import orjson
import pytest

from pipeline.job.settings import Model
from pipeline.providers.anthropic.listing import AnthropicListing
from pipeline.providers.credentials.secret import Secret
from pipeline.types import HttpAnswer

ENTRY = {"type": "model", "id": "claude-haiku-4-5-20251001"}


def found(entry, **more):
    model = Model(provider="anthropic", name="claude-haiku-4-5", **{"max_output_tokens": 100, **more})
    look = AnthropicListing(model).look()
    assert next(look) == "https://api.anthropic.com/v1/models/claude-haiku-4-5"
    try:
        look.send(HttpAnswer(200, {}, orjson.dumps(entry)))
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a second question")


def test_an_alias_is_resolved():
    assert found(ENTRY)[1].resolved == {"model": "claude-haiku-4-5-20251001"}
    assert not found({**ENTRY, "id": "claude-haiku-4-5"})[1].resolved


@pytest.mark.parametrize(
    ("told", "more", "levels"),
    [
        ({"max_input_tokens": 200_000, "max_tokens": 64_000}, {}, []),
        ({"max_input_tokens": 100_000, "max_tokens": 64_000}, {}, ["warning"]),
        ({"max_tokens": 64_000}, {"max_output_tokens": 65_000}, ["problem"]),
        ({"max_tokens": None}, {}, []),
    ],
)
def test_how_much_it_takes(told, more, levels):
    assert [one.level for one in found({**ENTRY, **told}, **more)[2:]] == levels


def test_the_key_goes_where_calls_have_it():
    listing = AnthropicListing(Model(provider="anthropic", name="m", max_output_tokens=1))
    now = datetime.now(UTC)
    assert listing.headers("", Secret("k"), now)["x-api-key"] == "k"
    assert listing.headers("", Secret("k", bearer=True), now)["Authorization"] == "Bearer k"
    assert "anthropic-version" in listing.headers("", Secret("k"), now)
