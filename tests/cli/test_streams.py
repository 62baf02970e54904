"""Any terminal, pipe and locale: what it cannot write is an escape, and never a traceback."""

import json

import pytest
from scripted_server import Scripted

NAME = "名 é"
TEXT = "名 é 😀"
WAYS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict", "PYTHONCOERCECLOCALE": "0"},
}
VERBS = {  # a process each, so each but once: they say the same by the same way
    "cp1252": [("check",), ("show", NAME, "--answers"), ("costs", "--by", "tenant"), ("retry",)],
    "C": [("status", "--json"), ("show", "nobody"), ("report",), ("export",)],
}


@pytest.fixture
def night(job, server):
    """A job whose every text is more than ASCII: paths, ids, documents, tenants, answers and errors."""
    server.script = lambda document, nth, body: (
        Scripted(400, error={"message": TEXT, "code": "x"})
        if document == "fail"
        else Scripted(text=f'{{"name": "{TEXT}", "total": "1"}}')
    )
    rows = [{"id": NAME, "text": TEXT, "who": NAME}, {"id": "f", "text": "fail", "who": "b"}, {"id": "e", "text": ""}]
    job.out = job.folder / f"out {NAME}"
    keys = {"path": "in.jsonl", "id": "id", "tenant": "who", "keep": ["who"]}
    job.write(server.url, rows=rows, input=keys, output={"path": f"out {NAME}"})
    job.file = job.file.rename(job.folder / f"{NAME}.toml")
    job.run(code=1)
    return job


@pytest.mark.parametrize("way", WAYS)
def test_no_verb_ends_in_a_traceback(night, way):
    """With the exit code that it has anywhere; JSON is JSON, and is read in UTF-8."""
    for verb, *more in VERBS[way]:
        words = [verb, night.file, *more]
        code = night.pipeline(*words).returncode
        process = night.start(*words, errors="replace", env={**night.env, **WAYS[way]})
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in out + err, words
        assert process.returncode == code, words
        if "--json" in words:
            assert isinstance(json.loads(out), dict)


def test_bytes_that_are_no_text_are_refused_by_name(night):
    """As a file's name can have them."""
    ended = night.process("status", b"caf\xe9.toml".decode("utf-8", "surrogateescape"), code=2)
    assert "is not valid UTF-8" in ended.err
    assert "Traceback" not in ended.err
