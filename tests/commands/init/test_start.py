"""`pipeline init`: what it writes passes `check` and runs as it stands, and nothing is ever written over."""

import json
import tomllib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inbox import pages

BODY = "Order no: A-{n}\nDate: 0{n}.03.2026\nTotal: {n}.50 EUR\nVermerk: für die Küche"
ORDERS = [{"id": n, "body": BODY.format(n=n), "page": n, "ok": True} for n in range(1, 4)]


def ran(job, *words, code=0):
    """`init`, and then `check` and `run` of what it wrote: the job as TOML, and how each ended."""
    job.pipeline("init", "new", *words, code=code)
    new = job.folder / "new"
    checked = json.loads(job.pipeline("check", "new/job.toml", "--json").out)
    problems = [one for one in checked["findings"] if one["level"] == "problem"]
    assert not problems
    done = json.loads(job.pipeline("run", "new/job.toml", "--json", code=0).out)
    return tomllib.loads((new / "job.toml").read_text()), (new / "schema.py").read_text(), done


def test_without_a_file_there_are_a_few_orders(job):
    """Every row has a record, with no account and no key."""
    settings, schema, done = ran(job)
    assert (settings["model"]["provider"], settings["input"]["path"]) == ("sandbox", "sample.jsonl")
    assert "total: Decimal | None" in schema
    assert "date: datetime.date | None" in schema
    assert done["rows"] == {"total": 3, "ok": 3, "failed": 0, "pending": 0}


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv"])
def test_a_table_gives_its_columns_and_a_schema(job, ending):
    """Text and id are found; the rest is kept; the language is told; the sample runs, too."""
    if ending == "jsonl":
        (job.folder / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ORDERS))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(ORDERS), job.folder / "o.parquet")
    else:
        lines = ["id,body,page,ok", *(f'{row["id"]},"{row["body"]}",{row["page"]},true' for row in ORDERS)]
        (job.folder / "o.csv").write_text("\n".join(lines))
    settings, schema, done = ran(job, "--from", f"o.{ending}")
    read = {"path": f"../o.{ending}", "id": "id", "text": "body", "keep": ["page", "ok"]}
    assert settings["input"] == read
    for field in ("order_no: str", "date: datetime.date", "total: Decimal", "vermerk: str"):
        assert f"    {field} | None = Field(description=" in schema
    assert done["rows"]["ok"] == 3
    job.pipeline("run", "new/job.toml", "--input", "new/sample.jsonl", "--output", "other", code=0)


def test_a_folder_of_documents(job):
    """Each file is a row; a scan without text is in the way of nothing."""
    (job.folder / "in").mkdir()
    (job.folder / "in" / "a.pdf").write_bytes(pages(1))
    (job.folder / "in" / "b.txt").write_text("Der Vertrag ist mit dem Kunden und für die Firma nicht beendet.")
    settings, _, done = ran(job, "--from", "in")
    assert settings["input"] == {"path": "../in"}
    assert done["rows"]["ok"] == 2


def test_a_table_that_names_documents(job):
    """By a column of paths."""
    (job.folder / "in").mkdir()
    (job.folder / "in" / "a.txt").write_text("An order of the kitchen")
    (job.folder / "in" / "table.jsonl").write_text('{"key": "a", "file": "a.txt"}\n')
    settings, _, done = ran(job, "--from", "in/table.jsonl")
    assert settings["input"] == {"path": "../in/table.jsonl", "id": "key", "document": "file"}
    assert done["rows"]["ok"] == 1


@pytest.mark.parametrize("name", ["job.toml", "schema.py", "sample.jsonl"])
def test_no_file_is_written_over(job, name):
    """It is named, nothing else is written, and the exit code is 2; a link to nothing is in the way as well."""
    (job.folder / "new").mkdir()
    (job.folder / "new" / name).symlink_to(job.folder / "nowhere")
    ended = job.pipeline("init", "new", code=2)
    assert f"{name}: is there already, and stays as it is" in ended.err
    assert [path.name for path in (job.folder / "new").iterdir()] == [name]
    assert not (job.folder / "nowhere").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new", "--from", "nothing.jsonl"], "there is nothing"),
        (["new", "--from", "o.jsonl", "--text", "boddy"], "Did you mean 'body'?"),
        (["new", "--from", "o.jsonl", "--id", "zzz"], "no such column. Its columns: id, body"),
        (["new", "--text", "body"], "Give it with --from"),
        (["new", "--model", "gpt-4o"], 'should be PROVIDER:NAME, such as "openai:gpt-4o-mini"'),
        (["new", "--model", "opnai:gpt-4o"], "no provider 'opnai'. Did you mean 'openai'?"),
        (["o.jsonl"], "is a file, where a folder for the job is wanted"),
        (["new", "--from", "."], "the job's own files would lie in"),
        (["new", "--from", "empty.jsonl"], "none of its first 200 rows can be read"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(job, words, told):
    """With exit code 2."""
    (job.folder / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ORDERS))
    (job.folder / "empty.jsonl").write_text("")
    assert told in job.pipeline("init", *words, code=2).err
    assert not (job.folder / "new").exists()


def test_hostile_names_of_columns_stay_names(job):
    """In a comment, in TOML and in Python: what they hold never ends what they stand in."""
    row = {"id": "a", "x\ny = 1\n[model]": "z", 'te"""xt\\': 'Na"""me: 1\nclass: 2\ncopy: 3\n' * 3, "it's": "\x7f"}
    (job.folder / "o.jsonl").write_text(json.dumps(row))
    settings, schema, _ = ran(job, "--from", "o.jsonl")
    assert settings["input"]["text"] == 'te"""xt\\'
    assert settings["model"]["provider"] == "sandbox"
    assert "class_: int" in schema
    assert "copy_: int" in schema


def test_json_tells_what_was_written(job):
    """And the model that is to be asked."""
    told = json.loads(job.pipeline("init", "new", "--model", "anthropic:claude-haiku-4-5", "--json", code=0).out)
    assert told["files"] == ["new/job.toml", "new/schema.py", "new/sample.jsonl"]
    assert told["next"] == "pipeline check new/job.toml"
    settings = tomllib.loads((job.folder / "new" / "job.toml").read_text())
    assert settings["model"]["provider"] == "anthropic"
    assert "never" not in settings["model"]
