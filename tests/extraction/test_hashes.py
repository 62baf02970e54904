"""Which settings make rows due again: the hashes, and what a person is told, agree."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Literal, get_args, get_origin

from each_case import each_case
from msgspec.structs import fields, replace

from pipeline.commands.consent.decide import PARTS
from pipeline.extraction.hashes import outcome_salt, request_hash
from pipeline.job.file import SECTIONS, resolve
from pipeline.job.settings import Example
from pipeline.job.values import plain_type
from pipeline.types import AnswerShape

SHAPE = AnswerShape("Thing", "json_schema", {"type": "object"}, strict=True)
JOB = resolve(
    {
        "input": {"path": "in.jsonl"},
        "extract": {"schema": "thing.py:Thing", "tools": ["lookups.py:find"]},
        "model": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "max_output_tokens": 100},
        "output": {"path": "out"},
    },
    Path("/jobs/night.toml"),
)
LOADED = {"extract.schema", "extract.tools"}  # by their contents: hashed as their source and their shape
CAP = "model.max_output_tokens"  # in the key of each request, so that only what it cut off is asked anew
SETTINGS = [f"{section}.{field.name}" for section, owner in SECTIONS.items() for field in fields(owner)]


def hashes(job):
    shape = replace(SHAPE, mode="tool") if job.extract.mode == "tool" else SHAPE
    request = request_hash(job, shape)
    return request, outcome_salt(request, job, "source")


def another(field, value):
    """A value of the same type that is not the one it has."""
    hint, _ = plain_type(field.type)
    if get_origin(hint) is Literal:
        return next(choice for choice in reversed(get_args(hint)) if choice != value)
    if get_origin(hint) is Mapping:
        return {"other": "value"}
    if get_origin(hint) is tuple:
        return (Example(text="t", record={}),) if get_args(hint)[0] is Example else ("other",)
    return {str: "other", bool: not value, int: 7, float: 0.5, Decimal: Decimal(7)}[hint]


@each_case("setting", SETTINGS)
def test_a_setting_makes_rows_due_again_exactly_when_a_change_of_it_is_told(setting):
    """One that changes answers and is not hashed gives yesterday's; one that is not told is paid for unasked."""
    section, _, key = setting.partition(".")
    job = replace(JOB, chunks=replace(JOB.chunks, context="window")) if key == "window" else JOB  # of nothing else
    owner = getattr(job, section)
    field = next(one for one in fields(owner) if one.name == key)
    changed = replace(job, **{section: replace(owner, **{key: another(field, getattr(owner, key))})})
    told = key in PARTS.get(section, ())
    assert (hashes(changed) != hashes(job)) == (told and setting not in {*LOADED, CAP})
