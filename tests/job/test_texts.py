"""Prompts in files of their own: the same job as with the text in it, and every wrong file told with its key."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import JobError
from pipeline.job.file import load, resolve

SCHEMA = '"thing.py:Thing"'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


def job(folder, extract="", overrides=()):
    file = folder / "night.toml"
    file.write_text(
        f'[input]\npath = "in.jsonl"\n[extract]\nschema = {SCHEMA}\n{extract}\n'
        '[model]\nprovider = "openai"\nname = "gpt-4o-mini"\nmax_output_tokens = 9\n[output]\npath = "out"\n'
    )
    return load(file, overrides)


def error(folder, extract="", overrides=()):
    with pytest.raises(JobError) as caught:
        job(folder, extract, overrides)
    return str(caught.value)


def test_files_are_read_from_the_job_files_folder(folder, monkeypatch):
    (folder / "prompts").mkdir()
    (folder / "prompts" / "ask.txt").write_text("Ask {text}.\n")
    (folder / "who.md").write_text("You read.\n")
    monkeypatch.chdir(folder.parent)
    found = job(folder, 'prompt_file = "prompts/ask.txt"\nsystem_file = "who.md"').extract
    assert (found.prompt, found.system) == ("Ask {text}.", "You read.")
    assert (found.prompt_file, found.system_file) == (str(folder / "prompts" / "ask.txt"), str(folder / "who.md"))


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (b"a {text}", "a {text}"),
        (b"a {text}\n", "a {text}"),
        (b"a {text}\n\n", "a {text}\n"),
        (b"\n a {text} \r\n", "\n a {text} "),
        (b"\xef\xbb\xbfa\r\n{text}\r\n", "a\n{text}"),
        ("ü {text} ☃".encode(), "ü {text} ☃"),
    ],
)
def test_only_the_last_line_break_is_the_editors(folder, held, text):
    (folder / "p").write_bytes(held)
    assert job(folder, 'prompt_file = "p"').extract.prompt == text


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n{}'), min_size=1))
def test_a_text_means_the_same_in_a_file(tmp_path_factory, text):
    """But for line breaks of other systems, which TOML reads as ours too."""
    file = tmp_path_factory.getbasetemp() / "p.txt"
    file.write_bytes(f"{text}\n".encode())
    if not text.strip():
        return
    table = {
        "input": {"path": "in.jsonl"},
        "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 9},
        "output": {"path": "out"},
    }
    extract = {"schema": "thing.py:Thing", "prompt_file": "p.txt", "system_file": "p.txt"}
    found = resolve({**table, "extract": extract}, file.parent / "job.toml").extract
    expected = f"{text}\n".removeprefix("\ufeff").replace("\r\n", "\n")[:-1]
    assert (found.prompt, found.system) == (expected, expected)


def test_a_system_prompt_may_be_empty_in_a_file_too(folder):
    (folder / "s").write_text("\n")
    assert job(folder, 'system_file = "s"').extract.system == ""


def pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "there is no such file: "),
        (lambda path: path.mkdir(), "is a folder: "),
        (lambda path: path.write_bytes(b"a {text} \xff"), "is no text in UTF-8: invalid start byte at byte 9: "),
        (lambda path: path.write_text(""), " is empty. Write the prompt in it, with {text}"),
        (lambda path: path.write_text(" \n\n"), " is empty. Write the prompt in it, with {text}"),
        (pipe, "is no plain file: "),
        (lambda path: path.write_bytes(b"a" * ((1 << 24) + 1)), "has 16,777,217 bytes, more than any model takes"),
    ],
)
def test_what_cannot_be_a_prompt_is_told(folder, make, told):
    make(folder / "p.txt")
    found = error(folder, 'prompt_file = "p.txt"')
    assert "extract.prompt_file = 'p.txt'" in found
    assert told in found


def test_a_path_that_is_none_is_told(folder):
    assert "should be a file on this machine" in error(folder, 'system_file = "s3://bucket/s.txt"')
    assert "there is no such file" in error(folder, 'system_file = "~nobody-of-that-name/s"')
    assert "extract.system_file = 7 should be a string in quotes" in error(folder, "system_file = 7")
    assert "extract.system_file = 'a\\x00b': there is no such file" in error(folder, r'system_file = "a\u0000b"')


def test_both_are_an_error_that_names_both(folder):
    (folder / "p").write_text("{text}")
    for key in ("prompt", "system"):
        told = error(folder, f'{key} = "{{text}}"\n{key}_file = "p"')
        assert f"extract.{key} and extract.{key}_file are both given" in told
    assert job(folder, 'prompt = "{text}"\nprompt_file = ""').extract.prompt == "{text}"


def test_all_that_is_wrong_is_told_at_once(folder):
    told = error(folder, 'prompt_file = "p"\nsystem_file = "s"\nmode = "words"', [("limits.concurrency", 0)])
    assert "4 things are wrong" in told
    for one in ("extract.prompt_file = 'p'", "extract.system_file = 's'", "extract.mode", "limits.concurrency"):
        assert one in told


def test_the_command_line_goes_before_the_other_key(folder):
    """--set of a text, or of its file, replaces what the job file has in either key."""
    (folder / "p").write_text("From p: {text}")
    (folder / "q").write_text("From q: {text}")
    for extract in ('prompt = "{text}"', 'prompt_file = "p"'):
        assert job(folder, extract, [("extract.prompt", "Now {text}")]).extract.prompt == "Now {text}"
        assert job(folder, extract, [("extract.prompt_file", "q")]).extract.prompt == "From q: {text}"
    assert job(folder, 'system_file = "p"', [("extract.system", "")]).extract.system == ""
    assert job(folder, 'prompt = "a {text}"', [("extract.prompt_file", "")]).extract.prompt == "a {text}"
    assert job(folder, 'prompt_file = "p"', [("extract.prompt_file", "")]).extract.prompt == "{text}"
    both = [("extract.prompt", "a {text}"), ("extract.prompt_file", "q")]
    assert "are both given" in error(folder, 'prompt_file = "p"', both)


def test_a_section_that_is_none_is_told_as_ever(tmp_path):
    table = {"extract": 7, "input": {"path": "x"}, "output": {"path": "o"}}
    with pytest.raises(JobError, match="extract = 7 should be a section"):
        resolve(table, tmp_path / "job.toml")
