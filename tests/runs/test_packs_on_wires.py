"""Short documents in one call on every wire, whole and streamed, in every mode; and beside what else a job may have."""

import pytest
from lookups_asked import WIRES, asking
from sandbox_process import KEYS

SCHEMA = """
from decimal import Decimal

from pydantic import BaseModel


class Line(BaseModel):
    description: str
    amount: Decimal


class Thing(BaseModel):
    supplier: str
    gross_total: Decimal
    lines: list[Line] = []
    notes: dict[str, str] = {}
    parent: "Thing | None" = None
"""
CLAUDE = {"provider": "anthropic", "name": "claude-sonnet-4-5"}
NOVA = {"provider": "bedrock", "region": "us-east-1", "api": "invoke", "name": "us.amazon.nova-lite-v1:0"}


@pytest.fixture(scope="module")
def url():
    with asking() as found:
        yield found


def ran(job, url, model, *, count=5, **sections):
    job.env.update(KEYS)
    (job.folder / "thing.py").write_text(SCHEMA)
    given = [{"id": f"r{n}", "text": f"Supplier: Blue Mill {n}\nTotal due: EUR {n + 1}.50"} for n in range(count)]
    base = f"{url}/v1" if model["provider"] == "openai" else url
    extract = {"prompt": "Read it.\n\n{text}", **sections.pop("extract", {})}
    job.write(
        url, rows=given, chunks={"pack": 5}, model={"base_url": base, **model}, extract=extract,
        prices={"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}, **sections,
    ).run()  # fmt: skip
    manifest = job.reconcile()
    job.pipeline("verify", job.out, code=0)
    lines = job.results()
    assert [line["record"]["supplier"] for line in lines] == [f"Blue Mill {n}" for n in range(count)]
    assert [float(line["record"]["gross_total"]) for line in lines] == [n + 1.5 for n in range(count)]
    return manifest


CELLS = [*((name, False) for name in WIRES), *((name, True) for name in ("openai chat", "anthropic", "gemini"))]


@pytest.mark.parametrize(("name", "stream"), CELLS)
def test_a_pack_comes_back_apart_on_every_wire(job, url, name, stream):
    manifest = ran(job, url, {**WIRES[name], "stream": stream})
    assert manifest["packs"] == {"calls": 1, "rows": 5, "apart": 0}
    assert manifest["calls"] == 1


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object"])
@pytest.mark.parametrize("name", ["openai chat", "openai responses", "anthropic", "gemini"])
def test_and_in_every_mode(job, url, name, mode):
    assert ran(job, url, WIRES[name], extract={"mode": mode})["calls"] == 1


@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_by_either_transport_and_bedrocks_other_api(job, url, transport):
    assert ran(job, url, {**CLAUDE, "transport": transport})["calls"] == 1
    assert ran(job, url, NOVA, output={"path": "nova"} if transport == "sdk" else {})["rows"]["ok"] == 5


def test_examples_go_along_as_packs_of_one(job, url):
    more = (
        '[[extract.examples]]\ntext = "Supplier: A\\nTotal due: EUR 2.50"\n'
        'record = {supplier = "A", gross_total = "2.50"}\n'
    )
    job.env.update(KEYS)
    (job.folder / "thing.py").write_text(SCHEMA)
    given = [{"id": f"r{n}", "text": f"Supplier: Blue Mill {n}\nTotal due: EUR {n + 1}.50"} for n in range(5)]
    job.write(f"{url}/v1", rows=given, chunks={"pack": 5})
    job.file.write_text(job.file.read_text().replace("[model]", more + "[model]"))
    job.run()
    assert job.reconcile()["packs"] == {"calls": 1, "rows": 5, "apart": 0}
    assert job.results()[3]["record"]["supplier"] == "Blue Mill 3"


def test_values_are_found_in_each_rows_own_document(job, url):
    ran(job, url, WIRES["openai chat"], extract={"evidence": "align", "min_grounded": 1.0, "keep_text": True})
    for number, line in enumerate(job.results()):
        assert line["grounded_share"] == 1.0
        assert f"Blue Mill {number}" in [one["quote"] for one in line["evidence"]]


def test_a_prompt_that_names_more_of_a_row_is_said_for_each(job, url):
    manifest = ran(job, url, WIRES["openai chat"], extract={"prompt": "Row {id}.\n\n{text}"})
    assert manifest["calls"] == 1


def test_a_line_for_each_chunk(job, url):
    ran(job, url, WIRES["openai chat"], extract={"merge": "none"})
    assert {line["answer_from"] for line in job.results()} == {"call"}
    assert {line["chunk"] for line in job.results()} == {0}


def test_fewer_rows_of_the_same_input_later(job, url):
    """What rows that are gone had of a call is its first row's: what was spent is in all files."""
    ran(job, url, WIRES["openai chat"])
    job.run("--limit", "3")
    job.reconcile()
    job.pipeline("verify", job.out, code=0)
