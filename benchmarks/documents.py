"""What a folder of documents costs over the same texts in a table: `python benchmarks/documents.py [--files 1000]`.

CPU seconds of a run and of all that it starts, the sandbox apart: over one-page text PDFs, over the same texts as JSON
lines, and of reading the PDFs alone; and the most memory that runs over 100 and over many PDFs of 200 KB take.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import REPO, sandbox, write_invoices

sys.path.insert(0, str(REPO / "tests" / "kit"))
from pdf_makers import text_pages

JOB = """
[input]
path = "{path}"
id = "id"
[extract]
schema = "{schema}:Invoice"
prompt = "Extract the invoice.\\n\\n{{text}}"
[model]
provider = "openai"
name = "gpt-4o-mini"
max_output_tokens = 1536
base_url = "{url}/v1"
[limits]
concurrency = 64
[output]
path = "{out}"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--large", type=int, default=2000, help="files of 200 KB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, sandbox() as url:
        folder = Path(made)
        texts = _texts(folder, options.files)
        (folder / "pdfs").mkdir()
        for number, text in enumerate(texts):
            (folder / "pdfs" / f"{number:06}.pdf").write_bytes(text_pages(text))
        reading = _reading_s(folder / "pdfs")
        pdfs, _ = _run(folder, folder / "pdfs", url, "pdf")
        read = _texts_read(folder)
        with (folder / "read.jsonl").open("w") as out:
            out.writelines(json.dumps({"id": str(n), "text": text}) + "\n" for n, text in enumerate(read))
        lines, _ = _run(folder, folder / "read.jsonl", url, "lines")
        print(
            f"reading {options.files:,} PDFs       {reading:6.1f} CPU s, {options.files / reading:.0f} pages a second"
        )
        print(f"run over the same texts    {lines:6.1f} CPU s")
        print(f"run over the PDFs          {pdfs:6.1f} CPU s: {pdfs / (reading + lines):.2f} of both")
        few, many = (_memory(folder, url, texts, count) for count in (100, options.large))
        print(f"memory: 100 PDFs of 200 KB {few:.0f} MB, {options.large:,} {many:.0f} MB: {many / few:.2f} times")


def _texts(folder: Path, count: int) -> list[str]:
    write_invoices(folder / "in.jsonl", count)
    texts = (json.loads(line)["text"] for line in (folder / "in.jsonl").open())
    return [text.encode("cp1252", "replace").decode("cp1252")[:2500] for text in texts]


def _memory(folder: Path, url: str, texts: list[str], count: int) -> float:
    place = folder / f"large{count}"
    place.mkdir()
    for number in range(count):
        text = f"{texts[number % len(texts)]}\nCopy {number}"
        (place / f"{number:06}.pdf").write_bytes(text_pages(text, file_bytes=200_000))
    return _run(folder, place, url, place.name)[1]


def _run(folder: Path, path: Path, url: str, name: str) -> tuple[float, float]:
    """CPU seconds of `pipeline run` with its children, and the most memory of it in MB."""
    job = folder / f"{name}.toml"
    job.write_text(JOB.format(path=path, schema=REPO / "schemas" / "invoice.py", url=url, out=folder / name))
    env = {**os.environ, "OPENAI_API_KEY": "sk-sandbox"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(job), "--yes"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise SystemExit(ended.stdout + ended.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, _peak_mb(job, env)


def _peak_mb(job: Path, env: dict[str, str]) -> float:
    """Of a second run from nothing, in a process that waits for it alone."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "pipeline", "run", str(job), "--yes", "--yes-rerun", "--fresh"]
    told = subprocess.run([sys.executable, "-c", code, *command], env=env, capture_output=True, text=True, check=True)
    return int(told.stdout) / 1024


def _reading_s(folder: Path) -> float:
    code = (
        "import sys; from pathlib import Path; from pipeline.reader.pool import Readers; "
        "from pipeline.reader.read import ReadOptions; paths = sorted(map(str, Path(sys.argv[1]).iterdir()));\n"
        "with Readers(ReadOptions()) as readers: readers.read_many([(path, '') for path in paths])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _texts_read(folder: Path) -> list[str]:
    from pipeline.reader.pool import Readers
    from pipeline.reader.read import Read, ReadOptions

    with Readers(ReadOptions()) as readers:
        found = readers.read_many([(str(path), "") for path in sorted((folder / "pdfs").iterdir())])
    return [one.pieces[0].pages[0].text for one in found if isinstance(one, Read)]


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"{time.monotonic() - began:.0f} s")
