"""What users have paid for stays found: the hashes of the sample jobs, and a ledger made by the code of 2026-11-29.

A value here that changes makes every user pay again for everything. It is a breaking change, whatever its reason.
"""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import REPO
from scripted_server import serving

from pipeline.cli import main
from pipeline.documents.chunks import chunk
from pipeline.extraction import requests as planning
from pipeline.extraction.hashes import content_key
from pipeline.extraction.packs import item_of, pack_request
from pipeline.extraction.prepare import prepare
from pipeline.job.file import load, resolve
from pipeline.parts import text_parts
from pipeline.types import Chunk, Row, Turn

GOLDEN = Path(__file__).parent / "golden"
OF_A_ROW = ["id", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks"]

JOBS = ["jobs/invoices.toml", "jobs/invoices_openai.toml", "jobs/nightly_documents.toml", "tests/golden/job.toml"]
MODELS = {
    "openai": {"provider": "openai", "name": "gpt-4o-mini"},
    "openai tool": {"provider": "openai", "name": "gpt-4o-mini", "mode": "tool"},
    "openai json_object": {"provider": "openai", "name": "gpt-4o-mini", "mode": "json_object"},
    "openai two_step": {"provider": "openai", "name": "gpt-4o-mini", "mode": "two_step"},
    "openai warm": {"provider": "openai", "name": "gpt-4o-mini", "temperature": 0.7},
    "openai responses": {"provider": "openai", "name": "gpt-4o-mini", "api": "responses"},
    "openai o3-pro": {"provider": "openai", "name": "o3-pro"},
    "azure": {"provider": "azure", "name": "gpt-4o-mini", "base_url": "https://a.openai.azure.com"},
    "anthropic": {"provider": "anthropic", "name": "claude-sonnet-4-5"},
    "anthropic beta": {"provider": "anthropic", "name": "claude-sonnet-4-5", "betas": ["context-1m-2025-08-07"]},
    "bedrock converse": {"provider": "bedrock", "name": "anthropic.claude-3-5-sonnet-20240620-v1:0"},
    "bedrock invoke": {"provider": "bedrock", "name": "amazon.nova-lite-v1:0", "api": "invoke"},
    "gemini": {"provider": "gemini", "name": "gemini-2.5-flash"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "p"},
}
# jobs: request hash, outcome hash, and of the first three rows: content key and key of the first chunk's request.
# models: request hash and outcome hash. requests: their keys. packs: outcome hash, key of a row, and of a whole pack.
HASHES = json.loads((GOLDEN / "hashes.json").read_text())


@pytest.mark.parametrize("name", JOBS)
def test_a_sample_job_has_the_hashes_it_always_had(name):
    assert hashes_of_job(name) == HASHES["jobs"][name]


def hashes_of_job(name):
    prepared = prepare(load(REPO / name))
    plan, found = prepared.plan, []
    rows = [row for batch in prepared.source.batches() for row in batch if row.problem is None][:3]
    for row in rows:
        first = chunk(row.text, prepared.counter, plan.chunk_tokens, plan.overlap_tokens)[0]
        found.append([content_key(plan, row).hex(), planning.extract_request(plan, row, first).key.hex()])
    return [plan.request_hash.hex(), plan.outcome_salt.hex(), *found]


def of_model(name, **sections):
    return prepared_of(name, **sections).plan


def prepared_of(name, **sections):
    table = {**MODELS[name]}
    mode = table.pop("mode", "auto")
    job = {
        "input": {"path": "in.jsonl"},
        "extract": {"schema": "thing.py:Thing", "system": "Read.", "prompt": "{text} of {customer}", "mode": mode},
        "model": {**table, "max_output_tokens": 100},
        "output": {"path": "out"},
        **sections,
    }
    return prepare(resolve(job, GOLDEN / "made_up.toml"))


@pytest.mark.parametrize("name", MODELS)
def test_a_job_for_each_wire_has_the_hashes_it_always_had(name):
    plan = of_model(name)
    assert [plan.request_hash.hex(), plan.outcome_salt.hex()] == HASHES["models"][name]


def test_every_kind_of_request_has_the_key_it_always_had():
    assert keys_of_requests() == HASHES["requests"]


def keys_of_requests():
    plan = of_model("openai two_step", chunks={"context": "rolling"})
    row, one = (
        Row(7, "r", text_parts("Ünlü \ud800 bill"), "t", {"customer": ["a", 1]}),
        Chunk(0, 0, 4, text_parts("Ünlü"), 2),
    )
    asked = planning.extract_request(plan, row, one, "So far.")
    repair = planning.repair_request(
        plan, asked, (*asked.turns, Turn("assistant", text_parts("{}")), Turn("user", text_parts("No."))), 5
    )
    requests = {
        "content": content_key(plan, row),
        "extract": asked.key,
        "repair": repair.key,
        "raised": planning.raised_request(plan, asked).key,
        "reading": planning.reading_request(plan, asked).key,
        "raised reading": planning.raised_request(plan, planning.reading_request(plan, asked)).key,
        "normalising": planning.normalising_request(plan, asked, "Read.", 3).key,
        "summary": planning.summary_request(plan, asked, "So far.", one).key,
    }
    return {name: key.hex() for name, key in requests.items()}


def test_a_row_in_a_pack_has_the_key_it_always_had():
    """Whoever it goes with; the outcome's hash says that it may."""
    assert keys_of_packs() == HASHES["packs"]


def keys_of_packs():
    row, one = (
        Row(7, "r", text_parts("Ünlü bill"), "t", {"customer": ["a", 1]}),
        Chunk(0, 0, 4, text_parts("Ünlü"), 2),
    )
    found = {}
    for name in MODELS:
        if name != "openai two_step":
            prepared = prepared_of(name, chunks={"pack": 8})
            plan, pack = prepared.plan, prepared.packed.plan
            item = item_of(plan, pack, row, one, planning.extract_request(plan, row, one))
            found[name] = [
                plan.outcome_salt.hex(),
                item.member.key.hex(),
                pack_request(plan, pack, [item] * 2).key.hex(),
            ]
    return found


@pytest.fixture
def night(tmp_path):
    """The golden job and ledger in a folder of their own, and `pipeline` on them, with a server that counts calls."""
    for name in ("job.toml", "thing.py", "in.jsonl"):
        shutil.copy(GOLDEN / name, tmp_path)
    (tmp_path / "out").mkdir()
    shutil.copy(GOLDEN / "ledger.sqlite", tmp_path / "out")
    with serving() as server:

        def run(*flags):
            words = ["run", str(tmp_path / "job.toml"), "--set", f"model.base_url={server.url}", *flags]
            return CliRunner().invoke(main, words, env={"OPENAI_API_KEY": "sk-golden"})

        yield run, tmp_path / "out", server


def results_of(folder):
    import pyarrow.parquet as pq

    lines = pq.read_table(folder / "results.parquet").to_pylist()
    return json.loads(json.dumps([{name: line[name] for name in OF_A_ROW} for line in lines], default=str))


def test_an_old_ledger_opens_and_a_run_on_it_sends_nothing(night):
    run, out, server = night
    ended = run()
    assert ended.exit_code == 0, ended.output
    assert (server.sent, results_of(out)) == (0, json.loads((GOLDEN / "expected.json").read_text()))
    assert CliRunner().invoke(main, ["verify", str(out)]).exit_code == 0


def test_an_old_ledger_gives_every_answer_again_where_outcomes_are_worked_out_anew(night):
    run, out, server = night
    ended = run("--set", "extract.merge=first")
    assert ended.exit_code == 0, ended.output
    assert server.sent == 0
    one_chunk, before = without_chunks(results_of(out)), json.loads((GOLDEN / "expected.json").read_text())
    assert one_chunk == without_chunks(before)


def without_chunks(lines):
    return [line for line in lines if line["id"] != "chunks"]
