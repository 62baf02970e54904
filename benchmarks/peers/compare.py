"""Us against what people use now: CPU per document and documents a second, on one server, alternating in one run.

Each contender runs in a virtual environment of its own under `.bench/`, built when it is missing. What start-up costs
does not count: each runs over a small input and a larger one, and the difference is what documents cost.

    python benchmarks/peers/compare.py [--rows 2000] [--rounds 3] [--only openai_sdk,curator_library]
"""

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))

from common import REPO, job_file, measured, replay_server  # noqa: E402 (found by the line above)
from scale import write_short_invoices  # noqa: E402

from pipeline.documents.tokens import vocabulary  # noqa: E402

VENVS = REPO / ".bench"
FEW = 200
QUICK = {"bare_loop", "ours", "cookbook_pattern"}  # these do five times the rows, or nothing would be seen
PEERS = {  # name: whether each answer is validated
    "openai_sdk": True,
    "instructor_library": True,
    "langchain_abatch": True,
    "litellm_library": True,
    "pydantic_ai_agent": True,
    "curator_library": True,
    "cookbook_pattern": False,
}
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGSMITH_TRACING": "false",
    "TELEMETRY_ENABLED": "0",
    "CURATOR_VIEWER": "0",
    "HF_HUB_OFFLINE": "1",
    "OPENAI_API_KEY": "sandbox",
}


def built(name):
    """The peer's interpreter, in an environment made from its pinned requirements."""
    folder = VENVS / name
    python = folder / "bin" / "python"
    mark = folder / "whole"
    if not mark.exists():
        print(f"building {folder.relative_to(REPO)}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        subprocess.run([*pip, str(HERE / "requirements" / f"{name}.txt")], check=True)
        mark.touch()
    return python


def vocabularies(folder):
    """What tiktoken would fetch, where it looks for them first, made of our own, for some peers would fetch them."""
    for name in ("cl100k_base", "o200k_base"):
        ranks = sorted(vocabulary(name).encoding._mergeable_ranks.items(), key=lambda item: item[1])  # noqa: SLF001 (has no other name)
        lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks)
        url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        (folder / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()).write_bytes(b"".join(lines))
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)


def commands(name, scratch, url, data):
    if name == "ours":
        folder = Path(tempfile.mkdtemp(dir=scratch))
        return [sys.executable, "-m", "pipeline", "run", str(job_file(folder, url, data))]
    script = HERE / f"{name}.py"
    if name == "bare_loop":
        return [sys.executable, str(HERE.parent / "bare_loop.py"), f"{url}/v1", str(data)]
    return [str(built(name)), str(script), f"{url}/v1", str(data)]


def once(name, scratch, url, inputs):
    """(CPU s, wall s) per document; None, and why, where it did not do all of them."""
    found = []
    sizes = sorted(inputs)
    for rows in (sizes[0], sizes[2 if name in QUICK else 1]):
        data = inputs[rows]
        figures = measured(commands(name, scratch, url, data), scratch)
        lines = figures["out"].strip().splitlines() or figures["err"].strip().splitlines() or [""]
        if figures["code"] or (name != "ours" and json.loads(lines[-1])["good"] != rows):
            told = figures["err"].strip().splitlines() or lines
            return None, told[-1][:200]
        found.append(figures)
    few, many = found
    extra = rows - sizes[0]
    return ((many["cpu_s"] - few["cpu_s"]) / extra, (many["wall_s"] - few["wall_s"]) / extra, few["wall_s"]), ""


def compare(names, rows, rounds):
    found, failed = {name: [] for name in names}, {}
    with tempfile.TemporaryDirectory() as folder, replay_server() as url:
        scratch = Path(folder)
        vocabularies(scratch)
        inputs = {count: scratch / f"{count}.jsonl" for count in (FEW, rows, 5 * rows)}
        for count, path in inputs.items():
            write_short_invoices(path, count)
        for _ in range(rounds):
            for name in names:
                if name not in failed:
                    figures, why = once(name, scratch, url, inputs)
                    if figures is None:
                        failed[name] = why
                    else:
                        found[name].append(figures)
    return {
        name: [median(column) for column in zip(*runs, strict=True)] for name, runs in found.items() if runs
    }, failed


def tell(found, failed):
    ours = found["ours"]
    print(
        "| | CPU ms per document | documents/s | its CPU / ours | our documents/s / its | first 200 in s | validates |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, (cpu_s, wall_s, start_s) in found.items():
        validates = PEERS.get(name, True)
        cells = [f"{1000 * cpu_s:.3f}", f"{1 / wall_s:,.0f}", f"{cpu_s / ours[0]:.1f}", f"{wall_s / ours[1]:.1f}"]
        print(f"| {name} | {' | '.join(cells)} | {start_s:.1f} | {'yes' if validates else 'no'} |")
    for name, why in failed.items():
        print(f"| {name} | failed: {why} | | | | | |")
    rivals = {name: one for name, one in found.items() if PEERS.get(name)}
    if rivals:
        name = min(rivals, key=lambda one: rivals[one][1])
        cpu_s, wall_s, _ = rivals[name]
        print(
            f"\nours against the fastest peer that validates ({name}): "
            f"{cpu_s / ours[0]:.1f} x less CPU per document, {wall_s / ours[1]:.1f} x the documents/s"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PEERS), help="names of peers, with commas between")
    chosen = parser.parse_args()
    os.environ |= QUIET
    names = ["bare_loop", "ours", *chosen.only.split(",")]
    for peer in names[2:]:
        built(peer)
    tell(*compare(names, chosen.rows, chosen.rounds))
