"""What a run and its workers are made of: what reads files is compared where files are read."""

import pytest
from ray_here import LinkHere
from scripted_server import Scripted

from pipeline.engine.ray import carrier, crew
from pipeline.engine.ray.versions import difference, versions
from pipeline.extraction import engines

OTHER = {**versions(documents=True), "pypdfium2": "4.0", "rapidocr": "9.9"}


def test_only_what_the_job_needs_is_compared():
    """A node need not have what reads PDFs for a job over tables."""
    assert difference(versions(documents=False), OTHER) == ""
    told = difference({"pypdfium2": "5.1", "rapidocr": "none"}, OTHER)
    assert told == "pypdfium2 4.0 (here 5.1), rapidocr 9.9 (here none)"


@pytest.mark.parametrize("documents", [True, False])
def test_files_are_not_read_with_something_else(job, server, monkeypatch, documents):
    """Another version may find other words in the same file: another content, which would be paid for again."""
    monkeypatch.setattr(engines, "find_spec", lambda _: object())
    monkeypatch.setattr(crew, "Link", LinkHere)
    monkeypatch.setattr(carrier, "versions", lambda *, documents: OTHER)
    server.script = lambda *_: Scripted(text='{"name": "Blue Mill", "total": "1"}')
    (job.folder / "inbox").mkdir()
    (job.folder / "inbox" / "a.txt").write_text("a letter")
    source = {"input": {"path": "inbox", "id": ""}} if documents else {"rows": [{"id": "a", "text": "a letter"}]}
    job.write(server.url, engine={"on": "ray", "workers": 1}, **source)
    ended = job.run(code=2 if documents else 0)
    assert ("has pypdfium2 4.0 (here" in ended.err, server.sent) == (documents, 0 if documents else 1)
