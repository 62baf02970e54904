"""Each extra in an environment of its own: does it resolve, is all that it brings importable, does `pipeline` start?

    python benchmarks/extras.py                  every extra of pyproject.toml, and instructor's tests in its own
    python benchmarks/extras.py instructor aws   these

An environment takes one to three minutes to install, and is thrown away. What does not go together with what is in
docs/dependencies.md.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from time import monotonic

REPO = Path(__file__).parents[1]
MODULES = {  # of ours that need the extra
    "openai": ["pipeline.providers.transport.sdk_openai"],
    "azure": ["pipeline.providers.transport.sdk_openai", "azure.identity.aio"],
    "anthropic": ["pipeline.providers.transport.sdk_anthropic"],
    "aws": ["pipeline.providers.transport.sdk_aws"],
    "google": ["pipeline.providers.transport.sdk_google"],
    "cloud": ["pipeline.output.remote.objects", "obstore"],
    "otel": ["pipeline.telemetry.otel"],
    "fast": ["uvloop"],
    "instructor": ["pipeline.providers.instructor.client"],
    "all": ["pipeline.providers.transport.sdk_openai", "pipeline.telemetry.otel", "obstore", "uvloop"],
}
OWN_PINS = {"instructor": REPO / "constraints-instructor.txt"}  # laid over constraints.txt
CLIENTS = ("groq", "cohere", "mistral")  # of instructor's extras; fireworks-ai pins an older protobuf than ours
TESTS = {
    "instructor": ["tests/runs/test_instructor.py", "tests/providers/instructor", "tests/catalog/test_instructor.py"]
}
FOR_TESTS = ("hypothesis", "pytest", "pytest-xdist")


def main() -> int:
    extras = sys.argv[1:] or [name for name in project()["optional-dependencies"] if name != "dev"]
    good = [tried(extra) for extra in extras]
    return int(not all(good))


def project() -> dict:
    return tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def tried(extra: str) -> bool:
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="extra-") as folder:
        python, pins = Path(folder, "env", "bin", "python"), Path(folder, "pins.txt")
        pins.write_text("\n".join(pinned(extra)))
        venv.create(python.parents[1], with_pip=True)
        tests = TESTS.get(extra, [])
        wanted = [f"{REPO}[{extra}]", *(FOR_TESTS if tests else ())]
        wanted += [f"instructor[{client}]" for client in CLIENTS] if extra == "instructor" else []
        steps = [
            ("install", ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", str(pins), *wanted]),
            ("import", ["-c", "; ".join(f"import {module}" for module in MODULES[extra])]),
            (
                "start",
                ["-m", "pipeline", "check", str(REPO / "jobs/invoices.toml"), "--set", f"output.path={folder}/out"],
            ),
        ]
        if tests:
            steps.append(("test", ["-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]))
        for step, words in steps:
            ended = subprocess.run([python, *words], cwd=REPO, capture_output=True, text=True, check=False)
            if ended.returncode:
                print(f"{extra:12} {step} failed\n{ended.stdout[-3000:]}{ended.stderr[-3000:]}", flush=True)
                return False
        told = ended.stdout.strip().splitlines()[-1] if tests else "ok"
        print(f"{extra:12} {told}, {monotonic() - began:.0f} s", flush=True)
    return True


def pinned(extra: str) -> list[str]:
    """constraints.txt, under the extra's own."""
    pins = {}
    for file in (REPO / "constraints.txt", *filter(None, [OWN_PINS.get(extra)])):
        pins |= {line.partition("==")[0]: line for line in file.read_text().split()}
    return list(pins.values())


if __name__ == "__main__":
    sys.exit(main())
