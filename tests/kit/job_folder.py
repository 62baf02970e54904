"""A job in a folder of its own, and the command line run on it as a user would: in this process, or in its own."""

import gc
import json
import os
import signal
import subprocess
import sys
from contextlib import chdir, contextmanager
from decimal import Decimal
from types import SimpleNamespace
from unittest.mock import patch

from click.testing import CliRunner
from warm_interpreter import alike
from warm_start import Warm, launcher

from pipeline.cli import main
from pipeline.console import speak
from pipeline.reader.pool import Readers

SCHEMA = """
from decimal import Decimal
from pydantic import BaseModel, model_validator


class Thing(BaseModel):
    name: str
    total: Decimal
"""


# what a row keeps however its run was cut: not what it cost, nor when
LASTING = ["row", "id", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks", "finish_reason"]


class JobFolder:
    """A job on disk, and `pipeline` run on it as a user would."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "job.toml"
        self.out = folder / "out"
        self.env = {**os.environ, "OPENAI_API_KEY": "sk-test-very-secret-key", "NO_COLOR": "1"}
        self.env.pop("PYTHONUNBUFFERED", None)  # users have none: it hides what a buffer does at the end
        (folder / "thing.py").write_text(SCHEMA)

    def write(self, url, *, rows=None, more="", **sections):
        """rows: list of dicts (or raw lines); sections: {"limits": {"concurrency": 4}} and the like."""
        if rows is not None:
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            (self.folder / "in.jsonl").write_text("".join(line + "\n" for line in lines))
        job = {
            "input": {"path": "in.jsonl", "id": "id"},
            "extract": {"schema": "thing.py:Thing", "prompt": "Read it.\n<<{text}>>"},
            "model": {"provider": "openai", "name": "gpt-4o-mini", "max_output_tokens": 100, "base_url": url},
            "output": {"path": "out"},
        }
        for name, values in sections.items():
            job[name] = {**job.get(name, {}), **values}
        toml = "".join(
            f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())
            for name, values in job.items()
        )
        self.file.write_text(more + toml)
        return self

    def start(self, *arguments, fresh=False, **options):
        """A process, as started by a user's shell; of an interpreter that starts for it where that matters."""
        if sys.platform == "linux" and not (fresh or options) and alike(self.env):
            return Warm(arguments, cwd=self.folder, env=self.env)
        words = [sys.executable, "-m", "pipeline", *map(str, arguments)]
        options = {"env": self.env, **options}
        return subprocess.Popen(
            words, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    def process(self, *arguments, code=None, **how):
        """A process of its own from start to end: for what only a process has, as signals, buffers and its death."""
        process = self.start(*arguments, **how)
        out, err = process.communicate(timeout=120)
        return _ended(process.returncode, out, err, code)

    def pipeline(self, *arguments, code=None):
        """The same in this process, which costs a twentieth."""
        environment = patch.dict(os.environ, self.env, clear=True)
        with _as_it_was(self.folder), chdir(self.folder), environment, _warm_starts():
            ended = CliRunner().invoke(main, [*map(str, arguments)], prog_name="pipeline")
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return _ended(ended.exit_code, ended.stdout, ended.stderr, code)

    def run(self, *flags, code=0):
        return self.pipeline("run", self.file, *flags, code=code)

    def manifest(self):
        return json.loads((self.out / "run.json").read_text())

    def table(self, name="results"):
        import pyarrow.parquet as pq

        return pq.read_table(self.out / f"{name}.parquet")

    def results(self):
        return self.table().to_pylist()

    def calls(self):
        return self.table("calls").to_pylist()

    def reconcile(self):
        """The invariants of run.json and both files; returns run.json."""
        manifest, results, calls = self.manifest(), self.results(), self.calls()
        rows = manifest["rows"]
        assert rows["total"] == rows["ok"] + rows["failed"] + rows["pending"]
        by_row = {line["row"]: line["status"] for line in results}
        assert len(by_row) == rows["total"]
        assert {name: list(by_row.values()).count(name) for name in ("ok", "failed", "pending")} == {
            name: rows[name] for name in ("ok", "failed", "pending")
        }
        for name, total in manifest["tokens"].items():
            assert total == sum(line[name] for line in results) == sum(line[name] for line in calls), name
        if manifest["cost_usd"] is not None:
            costs = [sum((line["cost_usd"] or Decimal(0) for line in lines), Decimal(0)) for lines in (results, calls)]
            assert [Decimal(manifest["cost_usd"])] * 2 == costs
        assert manifest["calls"] == len(calls) == sum(line["calls"] for line in results)
        assert len({line["request_id"] for line in calls}) == len(calls)
        for line in results:
            shows = line["status"] == "ok" or (line["status"] == "pending" and line["answer_from"] == "previous")
            assert (line["record"] is not None) == shows
            assert (line["error_code"] is None) == (line["status"] != "failed")
        return manifest


def _ended(returncode, out, err, expected):
    assert expected in {None, returncode}, f"exit {returncode}, expected {expected}\n{out}\n{err}"
    return SimpleNamespace(returncode=returncode, out=out, err=err)


@contextmanager
def _warm_starts():
    """What starts processes starts them warm: by sys.executable, and readers by what that was as they were imported."""
    program = (launcher(), "-P", "-m", "pipeline.reader.child")
    with patch.object(sys, "executable", program[0]), patch.dict(Readers.__init__.__kwdefaults__, program=program):
        yield


@contextmanager
def _as_it_was(folder):
    """What a run changes for the rest of its process is changed back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    thresholds, path, modules = gc.get_threshold(), list(sys.path), set(sys.modules)
    try:
        with patch.object(gc, "freeze"):  # of what tests have made: it would have to be undone for all that is frozen
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        gc.set_threshold(*thresholds)
        speak("text")
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
                del sys.modules[name]


def _toml(value):
    return json.dumps(value) if not isinstance(value, bool) else str(value).lower()
