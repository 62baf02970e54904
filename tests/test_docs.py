"""What the docs say is what the code does."""

import importlib.util
import re

import pytest
from click.testing import CliRunner
from each_case import each_case
from places import REPO

from pipeline.codes import ErrorCode, ParkReason
from pipeline.output.manifest import Manifest, RowCounts
from pipeline.output.publish import Ended, exit_code

PAGES = sorted([REPO / "README.md", REPO / "CONTRIBUTING.md", *(REPO / "docs").glob("*.md")])
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WRONG_INPUT = 2  # the command line's own, before there is a run


def _loaded():
    spec = importlib.util.spec_from_file_location("docs_generate", REPO / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _loaded()

# ── pages written from the code ─────────────────────────────────────────────────────────────────────────────────────


def test_generated_pages_are_up_to_date():
    """docs/job-file.md and docs/cli.md are what the code says today, and every setting has its meaning."""
    problems = generate.unwritten() or generate.outdated(REPO / "docs")
    assert not problems, "\n".join(problems)


def test_a_page_that_differs_is_named_with_the_command(tmp_path):
    """One changed character, or a page that is not there, is told with what to run."""
    pages = generate.pages()
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    assert generate.outdated(tmp_path) == []
    assert set(pages) == {"job-file.md", "cli.md"}
    for name, text in pages.items():
        told = [f"docs/{name} is not what the code says; run: python docs/generate.py"]
        (tmp_path / name).write_text(text + " ")
        assert generate.outdated(tmp_path) == told
        (tmp_path / name).unlink()
        assert generate.outdated(tmp_path) == told
        (tmp_path / name).write_text(text)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "limits.timeout_s = 60  #",
            "limits.timeouts = 60  #",
            "limits.timeout_s of pipeline/job/settings.py has no meaning",
        ),
        ("[chunks]  #", "[pieces]  #", "pieces is not in pipeline/job/settings.py"),
        ("limits.timeout_s = 60  #", "limits.timeout_s = -60  #", "the examples are no job"),
    ],
)
def test_the_check_fails_on_what_has_to_be_written_by_hand(monkeypatch, old, new, told):
    """A setting without a meaning, a meaning without a setting, a wrong example: exit code 1, with the command."""
    assert old in generate.MEANINGS
    monkeypatch.setattr(generate, "MEANINGS", generate.MEANINGS.replace(old, new))
    ended = CliRunner().invoke(generate.main, ["--check"])
    assert ended.exit_code == 1
    assert told in ended.output
    assert "run: python docs/generate.py" in ended.output


def test_the_table_repeats_types_units_ranges_and_defaults():
    """Nothing in a row but its meaning is written by hand."""
    page = generate.pages()["job-file.md"]
    for row in (
        "| `name` | text |  | the file's name without `.toml` |",
        "| `provider` | `openai`, `azure`, ",
        "| `max_output_tokens` | whole number, more than 0 | tokens | required |",
        "| `temperature` | number |  | not set |",
        "| `keep` | list of texts |  | `[]` |",
        "| `extra` | table |  | `{}` |",
        "| `stream` | `true` or `false` |  | `false` |",
        "| `overlap_tokens` | whole number, 0 or more | tokens | `0` |",
        "| `max_failed_share` | number, from 0 to 1 | share | `0.0` |",
        "| `tenant_max_usd_per_day` | number, 0 or more | USD a day | not set |",
    ):
        assert f"\n{row}" in page


# ── examples that are pasted ────────────────────────────────────────────────────────────────────────────────────────

EXAMPLES = re.findall(r"^```toml\n(.*?)^```", (REPO / "docs" / "providers.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_a_model_is_one_that_check_takes(job, number):
    """Pasted into a job file as it stands; all that may be missing is its key, and the one extra of its own."""
    job.write("", rows=[{"id": "a", "text": "a"}])
    text = job.file.read_text()
    job.file.write_text(re.sub(r"^\[model\]\n(?:.+\n)*?(?=\[)", EXAMPLES[number], text, flags=re.MULTILINE))
    job.env |= dict.fromkeys(("OPENROUTER_API_KEY", "GROQ_API_KEY", "GEMINI_API_KEY"), "k")
    wrong = [line for line in job.pipeline("check", job.file).out.splitlines() if "PROBLEM" in line]
    assert all("Install it:  pip install 'ledger-pipeline[instructor]'" in line for line in wrong), wrong


# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _anchors(page):
    """The names that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_case("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every relative link points to a file that exists and, after a #, to a heading in it."""
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert target.is_relative_to(REPO), f"{page.name}: {link}"
        assert not anchor or anchor in _anchors(target), f"{page.name}: {link}"


# ── docs/failures.md ────────────────────────────────────────────────────────────────────────────────────────────────


def _rows(heading):
    """The cells of the tables below a heading of docs/failures.md, without code marks."""
    text = (REPO / "docs" / "failures.md").read_text()
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"docs/failures.md has no heading {heading!r}"
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def _exit_code(park, *, failed=0, pending=0):
    rows = RowCounts(total=2, ok=2 - failed - pending, failed=failed, pending=pending)
    return exit_code(Ended(Manifest(rows=rows), park, ""))


def test_every_error_code_is_told():
    """`A row that failed` has each error_code once, and no other."""
    assert sorted(row[0] for row in _rows("A row that failed")) == sorted(ErrorCode)


def test_every_reason_to_park_is_told_with_its_exit_code():
    """`A run that parked` has each reason once, with the exit code that it gives."""
    told = [(row[0], row[1]) for row in _rows("A run that parked")]
    assert sorted(told) == sorted((reason, str(_exit_code(reason, pending=1))) for reason in ParkReason)


def test_every_exit_code_is_told():
    """`Exit codes` has each once, in order."""
    ways = [_exit_code(None), _exit_code(None, failed=1), *(_exit_code(reason) for reason in ParkReason)]
    assert [row[0] for row in _rows("Exit codes")] == [str(code) for code in sorted({*ways, WRONG_INPUT})]
