"""The job's own Python files, as they go to workers and lie there."""

import importlib
import shutil
import sys
from types import SimpleNamespace

import pytest
from ray_here import LinkHere

from pipeline.engine.ray import crew, sources
from pipeline.engine.ray.sources import laid_out, sources_of
from pipeline.errors import JobError
from pipeline.extraction import engines
from pipeline.extraction.prepare import prepare
from pipeline.job.settings import Job

SCHEMA = """
import json, decimal
import pydantic
from money_types import Amount

class Thing(pydantic.BaseModel):
    name: str
    total: Amount
"""
MONEY = "from deep.inner import one\nfrom deep import two\nAmount = one.Amount\n"
FILES = {
    "thing.py": SCHEMA,
    "money_types.py": MONEY,
    "deep/__init__.py": "",
    "deep/inner/one.py": "from ..two import Amount\n",  # in a folder that is no package of its own
    "deep/two.py": "from decimal import Decimal as Amount\n",
    "deep/three.py": "",
    "other.py": "",
}


@pytest.fixture
def loaded(job, monkeypatch):
    """Loads a job whose folder has these files; its modules are forgotten at the end."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    before = set(sys.modules)

    def load(files, schema="thing.py:Thing", **extract):
        for name, text in files.items():
            file = job.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        job.write("http://127.0.0.1:9/v1", rows=[{"id": "a", "text": "t"}], extract={"schema": schema, **extract})
        read = Job.load(job.file)
        prepare(read)
        return read

    yield load
    forget(before)


def forget(before):
    for name in set(sys.modules) - before:
        del sys.modules[name]


def elsewhere(job, folder):
    """What a worker makes of it that has none of these files."""
    own = {name for name, module in sys.modules.items() if str(getattr(module, "__file__", "")).startswith(str(folder))}
    own |= {"deep.inner"}
    sent = sources_of(job)
    for name in own & set(sys.modules):
        del sys.modules[name]
    for file in folder.rglob("*.py"):
        file.unlink()
    shutil.rmtree(folder / "deep", ignore_errors=True)
    with laid_out(job, sent) as there:
        return SimpleNamespace(sent=sent, schema=prepare(there, documents=False).model)


def test_what_the_schema_imports_from_beside_it_goes_along(loaded, job):
    """And what that imports; neither what was installed, nor what nobody imports."""
    found = elsewhere(loaded(FILES), job.folder)
    beside = {f"by-name/{name}" for name in FILES if name not in {"thing.py", "deep/three.py", "other.py"}}
    assert set(found.sent) == beside | {"0/thing.py"}
    assert found.schema(name="a", total="1.50").total.is_finite()
    assert not any("pipeline-worker" in folder for folder in sys.path)


def test_a_package_brings_its_modules(loaded, job):
    """By whatever name it was loaded."""
    package = {"pack/__init__.py": SCHEMA.replace("money_types", ".money"), "pack/money.py": FILES["deep/two.py"]}
    found = elsewhere(loaded(package, "pack/__init__.py:Thing"), job.folder)
    assert set(found.sent) == {"0/__init__.py", "0/money.py"}
    assert found.schema(name="a", total="1.50").total.is_finite()


def test_a_module_goes_under_its_name(loaded, job, monkeypatch):
    """With the packages that it is in, and what lies where it was found."""
    monkeypatch.syspath_prepend(job.folder)
    things = {"shop/__init__.py": "import shop.words\n", "shop/words.py": "", "shop/things.py": SCHEMA}
    importlib.invalidate_caches()
    found = elsewhere(loaded({**FILES, **things}, "shop.things:Thing"), job.folder)
    assert {"by-name/shop/__init__.py", "by-name/shop/words.py", "by-name/shop/things.py"} <= set(found.sent)
    assert "by-name/money_types.py" in found.sent
    assert "0/thing.py" not in found.sent
    assert found.schema.__module__ == "shop.things"


def test_look_ups_bring_theirs(loaded, job):
    tools = "import money_types\ndef rate(currency: str) -> str:\n    return currency\n"
    found = loaded({**FILES, "tools/own.py": tools}, tools=["tools/own.py:rate"])
    assert {"0/thing.py", "1/own.py", "by-name/money_types.py"} <= set(sources_of(found))


@pytest.mark.parametrize(("limit", "most"), [("MOST_FILES", 3), ("MOST_CHARS", 100)])
def test_too_many_stay_and_that_is_said(loaded, monkeypatch, limit, most):
    """The nodes may have them; the job's own files go in any case."""
    told = []
    monkeypatch.setattr(sources, "say", lambda level, text: told.append((level, text)))
    monkeypatch.setattr(sources, limit, most)
    assert set(sources_of(loaded(FILES))) == {"0/thing.py"}
    assert told[0][0] == "notice"
    assert told[0][1].startswith("what the job's own files import (4 modules, 0.0 MB) has to be on the cluster's nodes")


def test_what_was_installed_is_there_already(loaded, job, monkeypatch):
    """By pip, wherever that is: also below the folder of the schema."""
    monkeypatch.syspath_prepend(job.folder / "venv/site-packages")
    installed = {"thing.py": SCHEMA, "venv/site-packages/money_types.py": FILES["deep/two.py"]}
    assert set(sources_of(loaded(installed))) == {"0/thing.py"}


def test_what_cannot_be_read_as_text_is_named(loaded):
    with pytest.raises(JobError, match=r"money_types.py: cannot be sent .* Save it as UTF-8"):
        sources_of(loaded({**FILES, "money_types.py": b"# coding: latin-1\n# \xe9\n" + MONEY.encode()}))


def test_what_is_not_there_is_told_with_what_to_do(job, server, monkeypatch):
    """A module that was installed here alone; nothing is sent."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    job.write(server.url, rows=[{"id": "a", "text": "t"}], engine={"on": "ray", "workers": 1})
    schema = job.folder / "thing.py"
    schema.write_text(f"{schema.read_text()}\nif 'pipeline-worker' in __file__: import nowhere\n")
    found = job.run(code=2)
    assert "No module named 'nowhere' (extract.schema). Its nodes need what this machine has" in found.err
    assert server.sent == 0


def test_who_comes_later_is_told_what_the_first_was(job, server, monkeypatch):
    """A schema that is edited while the run goes on is not read again for a worker that takes a lost one's place."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    schema = job.folder / "thing.py"

    def script(document, nth, _body):
        if document == "t3" and nth == 1:
            schema.write_text(f"{schema.read_text()}\n# edited\n")
            LinkHere.last.loop.call_soon_threadsafe(LinkHere.last.lose, 1)

    server.script = script
    rows = [{"id": f"r{number}", "text": f"t{number}"} for number in range(8)]
    limits = {"concurrency": 2, "timeout_s": 1.0}
    job.write(server.url, rows=rows, limits=limits, engine={"on": "ray", "workers": 1}).run()
    assert job.reconcile()["rows"]["ok"] == 8
