"""Bad input, one case each: what can be done is done, the rest is `bad_row` or exit code 2 with nothing sent."""

import gzip
import json
import os
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_server import Scripted


def lines(*texts):
    return [{"id": f"r{n}", "text": text} for n, text in enumerate(texts)]


def bad(job):
    return {line["row"]: line["error"] for line in job.results() if line["error_code"] == "bad_row"}


def put(job, content, name="in.jsonl"):
    (job.folder / name).write_bytes(content)


def good(n):
    return json.dumps({"id": f"r{n}", "text": f"document {n}"}).encode()


def test_a_broken_json_line_is_a_bad_row_with_its_line_number(job, server):
    """The others are done."""
    job.write(server.url)
    put(job, good(0) + b"\n" + b'{"id": "r1", "text": \n' + good(2) + b"\n")
    job.run(code=1)
    assert job.reconcile()["rows"] == {"total": 3, "ok": 2, "failed": 1, "pending": 0}
    assert "in.jsonl:2" in bad(job)[1]


def test_a_byte_order_mark_and_crlf_and_blank_lines_are_fine(job, server):
    """Windows files are files."""
    job.write(server.url)
    put(job, b"\xef\xbb\xbf" + good(0) + b"\r\n\r\n" + good(1) + b"\r\n")
    job.run(code=0)
    assert [line["id"] for line in job.results()] == ["r0", "r1"]


def test_invalid_utf8_is_a_bad_row(job, server):
    """Never repaired in silence."""
    job.write(server.url)
    put(job, good(0) + b'\n{"id": "r1", "text": "caf\xe9"}\n')
    job.run(code=1)
    assert "in.jsonl:2" in bad(job)[1]


def test_a_line_of_50_mb_is_a_row_like_any_other(job, server):
    """It is cut into chunks that fit, or fails by name; the rows beside it are done."""
    job.write(server.url, limits={"max_failed_share": 0.9}, model={"max_output_tokens": 100})
    put(job, good(0) + b'\n{"id": "big", "note": "' + b"x" * 50_000_000 + b'", "text": "small"}\n' + good(2) + b"\n")
    job.run(code=0)
    assert job.reconcile()["rows"]["ok"] == 3


def test_null_empty_missing_and_numeric_text_are_bad_rows(job, server):
    """Each says what it was."""
    job.write(server.url, rows=[*lines("document 0", None, "", "   "), {"id": "r4"}, {"id": "r5", "text": 17}])
    job.run(code=1)
    assert set(bad(job)) == {1, 2, 3, 4, 5}
    assert server.sent == 1


def test_a_duplicate_id_is_a_bad_row_and_the_first_is_done(job, server):
    """An id names one row."""
    job.write(server.url, rows=[{"id": "a", "text": "one"}, {"id": "a", "text": "two"}, {"id": "b", "text": "three"}])
    job.run(code=1)
    assert list(bad(job)) == [1]
    assert "'a'" in bad(job)[1]
    assert job.reconcile()["rows"]["ok"] == 2


@pytest.mark.parametrize("key", ["id", "text", "tenant"])
def test_a_missing_column_is_exit_2_naming_the_nearest(job, server, key):
    """Nothing is sent."""
    job.write(server.url, rows=lines("document 0"), input={key: "texxt"})
    process = job.run(code=2)
    assert "texxt" in process.err
    assert "text" in process.err
    assert server.sent == 0


def test_a_prompt_that_names_no_column_of_the_input_is_exit_2(job, server):
    """{sender} is neither the text nor a column."""
    job.write(server.url, rows=lines("document 0"), extract={"prompt": "From {sender}: {text}"})
    assert "sender" in job.run(code=2).err


def test_a_prompt_without_text_is_exit_2(job, server):
    """Otherwise every document would be paid for unread."""
    job.write(server.url, rows=lines("document 0"), extract={"prompt": "Extract it."})
    assert "{text}" in job.run(code=2).err


def test_a_truncated_parquet_is_exit_2(job, server):
    """Nothing is sent."""
    pq.write_table(pa.table({"id": ["a"], "text": ["x" * 1000]}), job.folder / "in.parquet")
    whole = (job.folder / "in.parquet").read_bytes()
    put(job, whole[:-20], "in.parquet")
    job.write(server.url, input={"path": "in.parquet"})
    assert "in.parquet" in job.run(code=2).err
    assert server.sent == 0


def test_a_truncated_gzip_is_exit_2_and_never_a_short_success(job, server):
    """The end of the file is looked at before the first request."""
    packed = gzip.compress(b"".join(good(n) + b"\n" for n in range(5000)))
    put(job, packed[: len(packed) // 2], "in.jsonl.gz")
    job.write(server.url, input={"path": "in.jsonl.gz"})
    assert "in.jsonl.gz" in job.run(code=2).err
    assert server.sent == 0


def test_an_empty_file_is_a_run_of_no_rows(job, server):
    """Exit 0, and files with the right columns."""
    job.write(server.url, rows=[])
    job.run(code=0)
    assert job.reconcile()["rows"]["total"] == 0
    assert "record" in job.table().column_names


def test_no_input_at_all_is_exit_2(job, server):
    """A glob that matches nothing is a mistake, not an empty night."""
    job.write(server.url, input={"path": "nothing-*.jsonl"})
    assert "nothing-*.jsonl" in job.run(code=2).err


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise RuntimeError('boom')", "boom"),
        ("def broken(:", "line 1"),
        ("from pydantic import BaseModel\nclass Thong(BaseModel):\n    a: int\n", "Thong"),
        ("Thing = 3", "Thing"),
    ],
)
def test_a_schema_file_that_cannot_be_used_is_exit_2(job, server, code, told):
    """With the file and the cause."""
    job.write(server.url, rows=lines("document 0"))
    (job.folder / "thing.py").write_text(code)
    process = job.run(code=2)
    assert "thing.py" in process.err
    assert told in process.err
    assert "Traceback" not in process.err
    assert server.sent == 0


def test_an_output_that_is_a_file_is_exit_2(job, server):
    """Said before anything is sent."""
    job.write(server.url, rows=lines("document 0"))
    job.out.write_text("in the way")
    assert "is a file" in job.run(code=2).err
    assert server.sent == 0


def test_no_space_left_at_the_start_is_exit_2_and_midway_a_parked_run(job, server):
    """It never goes on paying for what it cannot keep."""
    job.out.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=19m", "none", job.out], check=False).returncode
    ):
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        job.write(server.url, rows=lines(*(f"document {n} " + "x" * 20 for n in range(300))))
        filler = job.out / "filler"
        filler.write_bytes(b"x" * 10_000_000)
        assert "no space left" in job.process("run", job.file, code=2).err
        assert server.sent == 0
        filler.unlink()
        big = json.dumps({"name": "n" * 60_000, "total": "1"})
        server.script = lambda document, nth, body: Scripted(text=big)
        job.process("run", job.file, "--set", "limits.concurrency=4", code=4)
    finally:
        subprocess.run(["umount", "-l", job.out], check=True)
    assert server.sent < 300


def test_documents_with_braces_are_sent_as_they_are(job, server):
    """Never a format string."""
    texts = ["{braces}", "{0.__class__}", "{{text}}", "%s %(x)s ${HOME}"]
    job.write(server.url, rows=lines(*texts)).run()
    assert {document for document, _, _ in server.requests} == set(texts)


def test_an_id_with_slashes_is_only_a_name(job, server):
    """It never becomes a path."""
    job.write(server.url, rows=[{"id": "../../etc/passwd", "text": "document 0"}]).run()
    assert job.results()[0]["id"] == "../../etc/passwd"
    assert not list(job.folder.rglob("passwd"))


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("[limts]\nconcurrency = 3\n", "limits"),
        ("nmae = 'x'\n", "name"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(job, server, toml, told):
    """Typos are errors."""
    job.write(server.url, rows=lines("document 0"), more=toml if toml[0] != "[" else "")
    if toml[0] == "[":
        job.file.write_text(job.file.read_text() + toml)
    assert f"{told!r}" in job.run(code=2).err


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("limits.concurency=3", "concurrency"),
        ("limits.concurrency=many", "whole number"),
        ("limits.max_failed_share=3", "between 0 and 1"),
        ("model.provider=opena", "openai"),
        ("budget.max_usd=-1", "0 or more"),
        ("chunks.overlap_tokens=-4", "0 or more"),
        ("nonsense", "SECTION.KEY=VALUE"),
        ("modle.name=x", "model"),
    ],
)
def test_a_wrong_value_names_the_key_the_value_and_the_way_out(job, server, setting, told):
    """Exit 2, nothing sent."""
    job.write(server.url, rows=lines("document 0"))
    process = job.run("--set", setting, code=2)
    assert told in process.err
    assert setting.partition("=")[0].split(".")[-1] in process.err
    assert server.sent == 0


def test_a_job_file_that_is_missing_or_no_toml_is_exit_2(job):
    """With the file's name."""
    assert "nowhere.toml" in job.pipeline("run", "nowhere.toml", code=2).err
    job.file.write_text("[input\n")
    assert "job.toml" in job.run(code=2).err


def test_keeping_a_column_that_the_results_have_already_is_exit_2(job, server):
    """Better than one of them vanishing."""
    job.write(server.url, rows=lines("document 0"), input={"keep": ["id"]})
    assert "'id'" in job.run(code=2).err


def test_kept_columns_have_the_type_of_the_input_also_when_all_null(job, server):
    """A column does not change its type from night to night."""
    rows = [
        {"id": "a", "text": "one", "n": 1, "when": "2026-01-01"},
        {"id": "b", "text": "two", "n": None, "when": None},
    ]
    job.write(server.url, rows=rows, input={"keep": ["n", "when"]}).run()
    first = job.table().schema
    assert (str(first.field("n").type), str(first.field("when").type)) == ("int64", "string")
    job.write(
        server.url, rows=[{"id": "c", "text": "three", "n": None, "when": None}], input={"keep": ["n", "when"]}
    ).run()
    assert job.table().schema.equals(first)


def test_the_documents_own_column_is_the_chunk_in_the_prompt(job, server):
    """Not the whole document with each chunk, and no job has to call it {text}."""
    rows = [{"id": "a", "body": "".join(f"Line {n}, long enough for a chunk.\n" for n in range(30))}]
    sections = {
        "input": {"path": "in.jsonl", "id": "id", "text": "body"},
        "extract": {"schema": "thing.py:Thing", "prompt": "Read it.\n<<{body}>>"},
        "chunks": {"max_tokens": 60},
    }
    job.write(server.url, rows=rows, **sections).run()
    texts = [document for document, _, _ in server.requests]
    assert len(texts) > 2
    assert sorted("".join(texts)) == sorted(rows[0]["body"])
    assert "uses {text};" in job.pipeline("check", job.file).out
