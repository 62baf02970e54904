"""Keys of model.extra that a wire sets itself, by the bodies that it makes."""

import json

import pytest
from each_case import each_case
from every_wire import REQUEST, SHAPE, WIRES, model, wire

from pipeline.errors import JobError
from pipeline.providers.wire_check import wire_problems
from pipeline.types import AnswerShape

TOOL = AnswerShape("Thing", "tool", {"type": "object", "properties": {}}, strict=False)


@each_case("name", WIRES)
def test_every_key_of_a_body_is_refused_by_its_name_and_no_other(name):
    for key in json.loads(wire(name).body(REQUEST)):
        (told,) = wire_problems(model(name, extra={key: 1, "of_their_own": 2}), SHAPE)
        assert told.startswith(f"extra.{key} is set by this package")


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({}, "tools"),
        ({}, "tool_choice"),
        ({"temperature": 0.5}, "temperature"),
        ({"top_p": 0.5}, "top_p"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"send_tenant": True}, "safety_identifier"),
        ({}, "stream"),
        ({}, "n"),
        ({}, "max_tokens"),
    ],
)
def test_what_settings_bring_is_ours_only_then(more, key):
    (told,) = wire_problems(model("openai", extra={key: 1}, **more), TOOL)
    assert f"extra.{key} is set by this package" in told
    if more:
        assert not list(wire_problems(model("openai", extra={key: 1}), TOOL))


@pytest.mark.parametrize(
    ("name", "extra", "refused"),
    [
        ("openai", {"service_tier": "priority"}, True),
        ("openai", {"service_tier": "scale"}, False),
        ("anthropic", {"service_tier": "standard_only"}, False),
        ("converse", {"serviceTier": {"type": "flex"}}, True),
        ("gemini", {"serviceTier": "flex"}, True),
    ],
)
def test_a_tier_with_another_price_goes_by_its_own_setting(name, extra, refused):
    """Else a cap in USD would be kept at the standard price."""
    assert ["set model.service_tier instead" in told for told in wire_problems(model(name, extra=extra), SHAPE)] == (
        [True] * refused
    )


@each_case("name", WIRES)
def test_nothing_is_looked_at_where_the_environment_has_the_rest(name):
    """A region or host that only the environment says is no matter here."""
    bare = model(name, base_url="", region="", project="", extra={"of_their_own": 2})
    assert not list(wire_problems(bare, SHAPE))


def test_a_setting_without_a_field_is_found_with_nothing_extra():
    with pytest.raises(JobError, match=r"model\.stop"):
        list(wire_problems(model("llama", stop=("END",)), SHAPE))
