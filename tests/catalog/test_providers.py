"""The catalog is whole: for a provider that is new, a failing test says which file was forgotten."""

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from genai_prices.data import providers as price_tables

from pipeline.catalog.modes import ability_of
from pipeline.catalog.providers import ENTRIES, PROVIDERS
from pipeline.job.settings import Model, Provider
from pipeline.sandbox.wires.table import WIRES as SANDBOX_WIRES
from pipeline.schema.dialects.table import TABLE

REPO = Path(__file__).parents[2]
CATALOG = "pipeline/catalog/providers.py"
each = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def test_a_job_may_name_what_the_catalog_has_and_nothing_else():
    assert {*get_args(Provider)} == {*PROVIDERS}, f"make `Provider` in pipeline/job/settings.py the names in {CATALOG}"
    assert len(ENTRIES) == len(PROVIDERS), f"two entries in {CATALOG} have one name"


def found(where):
    """What `module:name` names, or None."""
    module, _, name = where.partition(":")
    try:
        return getattr(import_module(module), name, None)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise
        return None


@each
def test_it_has_wires(entry):
    for where in filter(None, (entry.wire, entry.invoke_wire, entry.responses_wire)):
        wire, module = found(where), where.partition(":")[0]
        assert wire is not None, f"{entry.name}: write its wire, {where}"
        for method in ("headers", "body", "reply", "stream"):
            assert hasattr(wire, method), (
                f"{entry.name}: {where} has no `{method}` (Wire in pipeline/providers/__init__.py)"
            )
        independent = next(one for one in contracts() if one["type"] == "independence")["modules"]
        assert module.rpartition(".")[0] in independent, (
            f"{entry.name}: add {module} to the strangers in pyproject.toml"
        )


@each
def test_the_sandbox_speaks_its_wires(entry):
    if not entry.needs_key:
        return  # the sandbox itself
    known = {wire.name for wire in SANDBOX_WIRES}
    others = {"invoke": entry.invoke_wire, "responses": entry.responses_wire}
    for name in (entry.name, *(f"{entry.name} {api}" for api, wire in others.items() if wire)):
        assert name in known, f"teach the sandbox {name!r}: pipeline/sandbox/wires/table.py"


@each
def test_it_has_a_listing(entry):
    listing = found(entry.listing)
    assert listing is not None, f"{entry.name}: write what `check --online` asks, {entry.listing}"
    for method in ("look", "headers"):
        told = f"{entry.name}: {entry.listing} has no `{method}` (Listing in pipeline/providers/listing.py)"
        assert hasattr(listing, method), told


@each
def test_it_has_credentials(entry):
    ways = (entry.key_env, entry.credentials, not entry.needs_key)
    assert any(ways), f"{entry.name}: say in {CATALOG} what lets it in: key_env, credentials, or needs_key=False"
    if entry.credentials:
        assert callable(found(entry.credentials)), f"{entry.name}: write its credentials, {entry.credentials}"


@each
def test_it_has_a_transport_and_an_extra_that_installs_its_sdk(entry):
    assert callable(found(f"{entry.carrier}:carrier")), f"{entry.name}: write `carrier` in {entry.carrier}"
    extras = project()["project"]["optional-dependencies"]
    assert entry.extra in extras, f"{entry.name}: add the extra {entry.extra!r} to pyproject.toml"


@each
def test_it_has_modes_and_for_each_mode_with_a_schema_a_dialect(entry):
    assert entry.of_unknown_models.modes, f"{entry.name}: say in {CATALOG} how models of no table are asked"
    for mode in ("json_schema", "tool"):
        told = f"{entry.name}: add ({entry.dialect!r}, {mode!r}) to TABLE in pipeline/schema/dialects/table.py"
        assert (entry.dialect, mode) in TABLE, told
    if entry.invoke_wire:
        told = f"{entry.name}: give it invoke_abilities in {CATALOG}, beside its invoke_wire"
        assert entry.invoke_abilities, told
        assert ability_of(entry.name, "a model that nobody knows", "invoke") == entry.of_unknown_models


@each
def test_it_has_a_row_in_the_table_of_limits(entry):
    text = (REPO / "docs/admission.md").read_text()
    kept = {"refund": "given back", "none": "kept", "post": r"(?:not reserved|output does not count).*"}
    words = kept[entry.limits.settle]
    named = re.search(rf"^\| {entry.name} \| {words} \|", text, re.MULTILINE)
    assert named or not entry.needs_key, f"{entry.name}: add its limits to the table in docs/admission.md"


@each
def test_it_has_prices(entry):
    assert entry.price_tables, f"{entry.name}: name its tables of genai-prices in {CATALOG}"
    known = {table.id for table in price_tables}
    for table in entry.price_tables:
        assert table in known, f"{entry.name}: genai-prices has no table {table!r} ({CATALOG})"
    if entry.batch_makers:
        assert entry.batch is not None, f"{entry.name}: batch_makers without batch ({CATALOG})"


@each
def test_its_tokens_are_counted(entry):
    assert entry.token_factor is None or entry.token_factor >= 1, f"{entry.name}: a factor below 1 ({CATALOG})"
    if entry.token_factor is None:
        told = f"{entry.name}: without a token_factor its models count as OpenAI's; say openai_frame=True, or a factor"
        assert entry.openai_frame, f"{told} ({CATALOG})"


@each
def test_it_has_a_pace_where_its_provider_counts_tokens(entry):
    counts = hasattr(found(entry.wire), "count_body")
    assert counts == (entry.counts_a_minute > 0), (
        f"{entry.name}: say in {CATALOG} how many requests a minute its endpoint for counting takes (counts_a_minute)"
    )


@each
def test_it_has_a_name_for_telemetry(entry):
    assert entry.otel_name, f"{entry.name}: give it an otel_name ({CATALOG})"


@each
def test_what_the_environment_fills_in_are_keys_of_a_model(entry):
    for key, variables in entry.environment.items():
        assert key in Model.__struct_fields__, f"{entry.name}: [model] has no {key!r} ({CATALOG})"
        assert variables


@each
def test_it_has_a_page(entry):
    pages = "".join(path.read_text() for path in (REPO / "docs/providers.md", *(REPO / "docs/providers").glob("*.md")))
    assert f'"{entry.name}"' in pages or f"`{entry.name}`" in pages, f"{entry.name}: write of it in docs/providers.md"


def project():
    return tomllib.loads((REPO / "pyproject.toml").read_text())


def contracts():
    return project()["tool"]["importlinter"]["contracts"]
