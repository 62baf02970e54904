"""Whole runs with examples and prompts in files: what the provider receives, what is paid again, what is refused."""

import json
import re

import pytest
from places import REPO
from scripted_server import Scripted, document_of, serving

from pipeline.text import COMPLAINT

EXAMPLES = [
    {"text": "<<{text} of a ☃>>", "record": {"name": "snow", "total": "1.00"}},
    {"text": "<<two>>", "record": {"name": "two", "total": 2.5}},
]
ROWS = [{"id": str(n), "text": f"bill {n}"} for n in range(4)]


def write(job, url, examples=EXAMPLES, *, prompt="Read it.\n<<{text}>>", **sections):
    """The job, its prompt in a file beside it."""
    (job.folder / "ask.txt").write_text(f"{prompt}\n")
    job.write(url, rows=ROWS, **sections)
    text = job.file.read_text().replace(
        f"prompt = {json.dumps('Read it.' + chr(10) + '<<{text}>>')}", 'prompt_file = "ask.txt"'
    )
    for one in examples:
        record = ", ".join(f"{key} = {json.dumps(value)}" for key, value in one["record"].items())
        text += f"[[extract.examples]]\ntext = {json.dumps(one['text'], ensure_ascii=False)}\nrecord = {{{record}}}\n"
    job.file.write_text(text)
    return job


def said(body):
    return [(turn["role"], turn["content"]) for turn in body["messages"] if turn["role"] != "system"]


SHOWN = [
    ("user", "Read it.\n<<<<{text} of a ☃>>>>"),
    ("assistant", '{"name":"snow","total":"1.00"}'),
    ("user", "Read it.\n<<<<two>>>>"),
    ("assistant", '{"name":"two","total":"2.5"}'),
]


def test_examples_go_before_each_document_and_before_each_repair(job):
    """In order, byte for byte the same; and the second run has nothing to do."""

    def script(document, nth, body):
        return Scripted(text='{"name": 1}') if document == "bill 2" and nth == 1 else None

    with serving(script) as server:
        write(job, server.url).run()
        assert server.sent == 5
        for document, body, _ in server.requests:
            turns = said(body)
            assert turns[:4] == SHOWN
            assert turns[4] == ("user", f"Read it.\n<<{document}>>")
        (repair,) = [body for _, body, _ in server.requests if len(said(body)) == 7]
        assert [role for role, _ in said(repair)[4:]] == ["user", "assistant", "user"]
        assert said(repair)[6][1].startswith(COMPLAINT)
        assert job.reconcile()["rows"]["ok"] == 4
        assert job.results()[2]["repaired"]
        job.run()
        assert server.sent == 5


def test_what_is_in_a_file_is_what_is_asked_and_what_is_paid_for(job):
    """run.json shows it; the same text in the job file is the same question, and an edit of the file is another."""
    with serving() as server:
        write(job, server.url).run()
        asked = job.manifest()["job"]["extract"]
        assert asked["prompt"] == "Read it.\n<<{text}>>"
        assert asked["prompt_file"] == str(job.folder / "ask.txt")
        assert [one["record"] for one in asked["examples"]] == [one["record"] for one in EXAMPLES]
        job.run("--set", "extract.prompt=Read it.\n<<{text}>>")
        assert server.sent == 4
        (job.folder / "ask.txt").write_text("Read all of it.\n<<{text}>>\n")
        told = job.run("--yes", "--yes-rerun").err
        assert "extract.prompt changed since the last run" in told
        assert server.sent == 8


def test_a_change_of_an_example_is_told_and_paid_for(job):
    with serving() as server:
        write(job, server.url).run()
        told = write(job, server.url, EXAMPLES[:1]).run("--yes", "--yes-rerun").err
        assert "extract.examples changed since the last run" in told
        assert server.sent == 8


def test_in_two_steps_they_go_with_the_second(job):
    def script(document, nth, body):
        return None if "response_format" in body else Scripted(text="notes")

    with serving(script) as server:
        write(job, server.url).run("--set", "extract.mode=two_step", "--limit", "1")
        read, formed = [said(body) for _, body, _ in server.requests]
        assert read == [("user", "Read it.\n<<bill 0>>")]
        assert [role for role, _ in formed] == ["user", "assistant"] * 2 + ["user"]
        assert formed[0][1].endswith("\n\n<<{text} of a ☃>>")
        assert formed[-1][1].endswith("\n\nnotes")


def test_with_a_rolling_summary_they_stand_before_it(job):
    def script(document, nth, body):
        return None if "response_format" in body else Scripted(text="so far")

    with serving(script) as server:
        job = write(job, server.url, chunks={"max_tokens": 40, "context": "rolling"})
        (job.folder / "in.jsonl").write_text(json.dumps({"id": "1", "text": "word " * 90}) + "\n")
        job.run()
        extracts = [said(body) for _, body, _ in server.requests if "response_format" in body]
        summaries = [said(body) for _, body, _ in server.requests if "response_format" not in body]
        assert len(extracts) == len(summaries) + 1 > 2
        assert all(turns[:4] == SHOWN and len(turns) == 5 for turns in extracts)
        assert all(len(turns) == 1 for turns in summaries)


@pytest.mark.parametrize("mode", ["auto", "two_step"])
def test_they_count_with_every_request_that_has_them(job, server, mode):
    """In the estimate, and in what `check` tells; a first reading has none."""
    flags = ("--set", f"extract.mode={mode}")
    bare = json.loads(write(job, server.url, []).pipeline("estimate", job.file, *flags, "--json", code=0).out)
    shown = json.loads(write(job, server.url).pipeline("estimate", job.file, *flags, "--json", code=0).out)
    told = job.pipeline("check", job.file, *flags, code=0).out
    tokens = int(re.search(r"examples: 2, with (\d+) of these tokens", told)[1])
    assert shown["input_tokens"]["low"] - bare["input_tokens"]["low"] == pytest.approx(4 * tokens, rel=0.1)
    assert server.sent == 0


@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ([{"text": "a", "record": {"name": "x", "total": "y"}}], "number 1: total: Input should be a valid decimal"),
        ([*EXAMPLES, {"text": "a", "record": {"name": "x"}}], "number 3: total: Field required"),
        ([{"text": "a", "record": {"name": "x", "total": 1, "tax": 2}}], "number 1: tax: is no field of the schema"),
        ([{"text": " ", "record": {"name": "x", "total": 1}}], "number 1: text is empty"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "run", "estimate"])
def test_a_wrong_one_is_refused_before_anything_is_sent(job, server, examples, told, verb):
    ended = write(job, server.url, examples).pipeline(verb, job.file, code=2)
    assert told in ended.out + ended.err
    assert server.sent == 0


@pytest.mark.parametrize("mode", ["json_schema", "tool", "json_object", "two_step"])
def test_the_sandbox_reads_the_document_and_not_an_example(job, mode):
    examples = [{"text": "Invoice number 1\nTotal 1.00", "record": {"name": "snow", "total": "1.00"}}]
    write(job, "", examples, model={"provider": "sandbox", "name": "gpt-4o-mini"})
    rows = [{"id": str(n), "text": f"Invoice number 99\nTotal {n}.00"} for n in range(5, 9)]
    (job.folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    job.run("--set", f"extract.mode={mode}")
    assert [int(row["record"]["total"]) for row in job.results()] == [5, 6, 7, 8]


def test_several_processes_ask_the_same(job):
    with serving() as server:
        write(job, server.url, limits={"workers": 2}).process("run", job.file, code=0)
        assert [said(body)[:4] for _, body, _ in server.requests] == [SHOWN] * 4
        assert sorted(document_of(body) for _, body, _ in server.requests) == [row["text"] for row in ROWS]


def test_the_guide_runs_as_it_stands(job):
    """docs/guides/prompts.md: every file of it, written as it is told; the sandbox then reads the bill."""
    page = (REPO / "docs" / "guides" / "prompts.md").read_text()
    for name, text in re.findall(r"^`([^`]+)`:\n\n```\w+\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        file = job.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert "problem" not in job.pipeline("check", job.file, code=0).out
    job.run()
    assert [row["record"]["number"] for row in job.results()] == ["12"]
