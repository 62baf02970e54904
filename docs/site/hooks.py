"""What the site has beside the pages in docs: the README, Python's reference, and files that pages name."""

import os
import re
from pathlib import Path

from mkdocs.structure.files import File

import pipeline

REPO = Path(__file__).resolve().parents[2]
DOCS = REPO / "docs"
OUTSIDE = "repository"  # where files of the repository are in the site
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]+)((?:#[^)\s]*)?)\)")
LINKED = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)/?\)")
ALONGSIDE = ("CHANGELOG.md", "CONTRIBUTING.md")
PAGES = {"index.md": REPO / "README.md"} | {f"{OUTSIDE}/{name}": REPO / name for name in ALONGSIDE}


def on_files(files, config):
    """Add what is not below docs."""
    for uri, path in PAGES.items():
        files.append(File.generated(config, uri, content=path.read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference.md", content=_reference()))
    named = {target for page in [*DOCS.rglob("*.md"), *PAGES.values()] for target in _named_outside(page)}
    for path in sorted(named - set(PAGES.values())):
        files.append(File.generated(config, f"{OUTSIDE}/{path.relative_to(REPO)}", content=path.read_bytes()))
    return files


def on_page_markdown(markdown, page, **_):
    """Links, as they are in the repository, as they are in the site; one to a folder is its name alone."""
    uri = page.file.src_uri
    home = PAGES.get(uri, DOCS / uri).parent

    def moved(found):
        target = (home / found[1]).resolve()
        there = os.path.relpath(_uri(target), Path(uri).parent)
        return f"]({there}{found[2]})"

    markdown = LINKED.sub(lambda found: found[1] if (home / found[2]).is_dir() else found[0], markdown)
    return LINK.sub(moved, markdown)


def _uri(path):
    for uri, source in PAGES.items():
        if path == source:
            return uri
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return f"{OUTSIDE}/{path.relative_to(REPO).as_posix()}"


def _named_outside(page):
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        path = (page.parent / target).resolve()
        if path.is_file() and not path.is_relative_to(DOCS):
            yield path


def _reference():
    """A page of what a program may use, each with its docstring."""
    homes = sorted((home, name) for name, home in vars(pipeline)["_HOMES"].items())
    listed = "".join(f"\n::: {home}.{name}\n" for home, name in homes)
    return f"# Python\n\nAll of it is in `pipeline`, as `pipeline.run`. [How it is used](guides/python.md).\n{listed}"
