"""What the docs name is there: modules, files, verbs, flags and keys."""

import re
from functools import cache

from each_case import each_case
from places import REPO

import pipeline
from pipeline.cli import main
from pipeline.job.file import SECTIONS

PAGES = sorted([REPO / "README.md", REPO / "CONTRIBUTING.md", *(REPO / "docs").rglob("*.md")])
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
ROOMS = [path.name for path in (REPO / "pipeline").iterdir() if path.is_dir() and not path.name.startswith("__")]
PLACE = re.compile(rf"(?<![\w./])(?:pipeline/)?((?:{'|'.join(ROOMS)}|tests|docs|jobs|schemas|benchmarks)/[\w./]*\w/?)")
MODULE = re.compile(r"(?<![\w./])pipeline((?:\.[a-z_]+)+)\b(?!\()")
VERB = re.compile(r"(?<![\w./-])pipeline ([a-z]+)")
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]+)")
KEY = re.compile(rf"(?<![\w./-])({'|'.join(SECTIONS)})\.([a-z_]+)\b(?!\()")
CALLED = re.compile(r"`([a-z_]+)\(\w*\)`")  # `name()`
VARIABLE = re.compile(r"\bPIPELINE_[A-Z_]+\b")
FILE_ENDINGS = {"py", "toml", "jsonl", "parquet", "json", "md"}
PLACEHOLDERS = {
    "commands/VERB.py",
    "providers/NAME/wire.py",
    "providers/NAME/batches.py",
    "providers/NAME/listing.py",
    "tests/A/test_b.py",
    "extraction/invoices",
}  # and a path in cron
OF_OTHERS = {  # a pager's, Dagster's, Ray's
    "--team", "--select", "--head", "--num-cpus", "--include-dashboard", "--node-ip-address",
}  # fmt: skip


def coded(page):
    return [found.group() for found in CODE.finditer(page.read_text())]


def there(place):
    plain = place.rstrip("/.")
    roots = (REPO, REPO / "pipeline")
    return any((root / plain).exists() or (root / f"{plain}.py").exists() for root in roots)


@cache
def all_flags():
    scripts = [*(REPO / "benchmarks").rglob("*.py"), REPO / "docs" / "generate.py", REPO / "Makefile"]
    flags = {"--help", "--version", *OF_OTHERS, *FLAG.findall("".join(path.read_text() for path in scripts))}
    for command in main.commands.values():
        flags |= {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    return flags


@cache
def source_and_words():
    """All of our code, and the words in it."""
    source = "".join(
        path.read_text() for room in ("pipeline", "benchmarks", "examples") for path in (REPO / room).rglob("*.py")
    )
    return source, set(re.findall(r"\w+", source))


@each_case("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_name_is_one(page):
    """Of a file or folder of ours, a verb, a flag, a key of the job file."""
    flags, verbs = all_flags(), set(main.commands)
    wrong = []
    for code in coded(page):
        wrong += [place for place in PLACE.findall(code) if not there(place) and place not in PLACEHOLDERS]
        wrong += [f"pipeline {verb}" for verb in VERB.findall(code) if verb not in verbs]
        wrong += [flag for flag in FLAG.findall(code) if flag not in flags]
        for section, key in KEY.findall(code):
            if key not in SECTIONS[section].__struct_encode_fields__ and key not in FILE_ENDINGS:
                wrong.append(f"{section}.{key}")
    assert not wrong, f"{page.name} names what is not there: {sorted(set(wrong))}"


@each_case("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_module_and_function_is_one(page):
    """pipeline.ROOM.MODULE; what the package gives; and functions, as `snapshot()`."""
    source, known = source_and_words()
    for code in coded(page):
        for dotted in MODULE.findall(code):
            first = dotted.split(".")[1]
            named = hasattr(pipeline, first) or f'"pipeline.{first}"' in source
            assert named or there("pipeline" + dotted.replace(".", "/")), f"{page.name}: pipeline{dotted}"
        for name in (*CALLED.findall(code), *VARIABLE.findall(code)):
            assert name in known, f"{page.name}: {name}"
