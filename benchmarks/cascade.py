"""A cascade over the sample invoices against each of its models alone: `python benchmarks/cascade.py`.

Both models are sandboxes on loopback: the weak one breaks the schema in WEAK_INVALID of its answers, the strong one in
STRONG_INVALID. So what is measured is what a cascade costs and saves for a weak model of that kind, through whole runs
and `pipeline eval`; how often a real model is that kind is for `eval` on your own documents to say.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.job.settings import Sandbox
from pipeline.sandbox.embedded import embedded

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "jobs" / "invoices.golden.jsonl"
WEAK_INVALID = (0.2, 0.4, 0.6)
STRONG_INVALID = 0.02
WEAK, STRONG = "gpt-4o-mini", "gpt-4o"

JOB = """
name = "cascade"
[input]
path = "{root}/sample_data/invoices.jsonl"
id = "id"
text = "text"
[extract]
schema = "{root}/schemas/invoice.py:Invoice"
system = "You read supplier invoices for an accounting team. Copy figures as printed; never invent one."
prompt = "Extract the invoice below.\\n\\n{{text}}"
[model]
provider = "openai"
name = "{name}"
base_url = "{url}/v1"
max_output_tokens = 1536
[limits]
max_failed_share = 1.0
[output]
path = "{output}"
"""
GOES_ON = """
[models.strong]
provider = "openai"
name = "{name}"
base_url = "{url}/v1"
max_output_tokens = 1536
[[fallback]]
on = ["invalid_output", "truncated", "refused"]
model = "strong"
"""


def command(*words: str) -> str:
    """What `pipeline` says; its exit code is that of a run in which rows may fail."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        check=False,
        capture_output=True,
        text=True,
        env={"OPENAI_API_KEY": "sk-loopback", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout


def measured(folder: Path, name: str, job: str) -> dict[str, Any]:
    """One run of the job and its marks."""
    path, output = folder / f"{name}.toml", folder / name
    path.write_text(job.replace("{output}", str(output)))
    estimate = json.loads(command("estimate", str(path), "--json"))
    command("run", str(path), "--json", "--yes")
    manifest = json.loads((output / "run.json").read_text())
    marks = json.loads(command("eval", str(output), "--golden", str(GOLDEN), "--json"))
    return {"estimate": estimate, "manifest": manifest, "marks": marks}


def line(label: str, found: dict[str, Any]) -> str:
    manifest, marks = found["manifest"], found["marks"]
    rows, cost = manifest["rows"], Decimal(str(manifest["cost_usd"]))
    models = manifest.get("models") or {}
    on = f"{models['strong']['rows'] / (rows['ok'] + rows['failed']):.0%}" if "strong" in models else ""
    return (
        f"| {label} | {rows['ok']} of {rows['ok'] + rows['failed']} | {on} | {manifest['calls']} | {cost:.5f} "
        f"| {found['estimate']['cost_usd']['expected']} | {marks['accuracy']:.1%} | {marks['record_accuracy']:.1%} |"
    )


async def main() -> None:
    print("| model | rows ok | went on | calls | cost, USD | estimate | values right | records right |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for invalid in WEAK_INVALID:
            folder = Path(name) / str(invalid)
            folder.mkdir()
            weak_faults, strong_faults = Sandbox(invalid_output=invalid, seed=7), Sandbox(invalid_output=STRONG_INVALID)
            async with embedded(weak_faults) as weak_url, embedded(strong_faults) as strong_url:
                form = {"root": ROOT, "output": "{output}"}
                weak = JOB.format(name=WEAK, url=weak_url, **form)
                strong = JOB.format(name=STRONG, url=strong_url, **form)
                both = weak + GOES_ON.format(name=STRONG, url=strong_url)
                for label, job in (("weak", weak), ("strong", strong), ("cascade", both)):
                    found = await asyncio.to_thread(measured, folder, label, job)
                    print(line(f"{label}, weak one breaks {invalid:.0%}", found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
