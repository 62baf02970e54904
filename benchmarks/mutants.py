"""`make mutants`: breaks the code that holds money and durability, one small way at a time, and sees the tests notice.

A seeded sample of all ways to break `admission`, `extraction`, `engine`, `ledger` and `money`: a comparison that is off
by one, a sum with the wrong sign, a condition turned round, a statement left out, a number changed, a result withheld.
Each is tried on a copy of the tree: the module's own tests first, then its room's, then whole runs; the first failure
catches it. One that nothing catches is a survivor. Those that change nothing anybody could see are in `mutants.toml`,
each with its reason.

    python benchmarks/mutants.py --sample 150 --seed 1 --jobs 2
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

REPO = Path(__file__).parents[1]
ROOMS = ("admission", "extraction", "engine", "ledger")
ALLOWED = Path(__file__).with_name("mutants.toml")
WANTED = 0.95
STAGE_S = 240  # a stage that takes longer is caught: something no longer ends
COPIED = ("pipeline", "tests", "schemas", "jobs", "sample_data", "docs", "benchmarks")
FILES = ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt")
RUNS = (
    "test_run",
    "test_untold_usage",
    "test_caps",
    "test_crashes",
    "test_refused_alike",
    "test_nights",
    "test_workers",
)
COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
WORKED_OUT = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
}  # fmt: skip
OTHER_NAME = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """`start`, `end`: bytes of the file that `new` stands for."""

    file: str
    line: int
    what: str
    start: int
    end: int
    old: str
    new: str
    within: str  # the line that it begins in

    @property
    def key(self) -> str:
        """Of the list of those that are allowed: it outlives other lines."""
        return f"{self.file}: {' '.join(self.old.split())} => {' '.join(self.new.split())} in: {self.within}"


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Every way to break a module."""
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree = ast.parse(source)
    told = _told(tree)
    for node in ast.walk(tree):
        if id(node) in told:
            continue
        for what, new in _broken(node):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[node.end_lineno - 1] + node.end_col_offset
            name = file.relative_to(REPO).as_posix()
            within = source.splitlines()[node.lineno - 1].decode().strip()
            yield Mutant(name, node.lineno, what, start, end, source[start:end].decode(), new, within)


def _told(tree: ast.AST) -> set[int]:
    """What only tells: annotations, docstrings, f-strings, and the words and arguments of errors that are raised."""
    only_told = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            only_told.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            only_told.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            only_told += [*node.decorator_list, *([node.returns] if node.returns else [])]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            only_told.append(node)
    return {id(inner) for node in only_told for inner in ast.walk(node)}


def _broken(node: ast.AST) -> Iterator[tuple[str, str]]:  # noqa: C901 (a table)
    """What a node could be instead, as source."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARED:
            yield "comparison", f"({ast.unparse(_with(node, ops=[COMPARED[type(op)]()]))})"
        case ast.BinOp(op=op) if type(op) in WORKED_OUT and not _text(node):
            yield "arithmetic", f"({ast.unparse(_with(node, op=WORKED_OUT[type(op)]()))})"
        case ast.BoolOp(op=op):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield "and, or", f"({ast.unparse(_with(node, op=other))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool() as value):
            yield "constant", str(not value)
        case ast.Constant(value=int() | float() as value):
            yield "constant", repr(value + 1 if isinstance(value, int) else value * 2 or 1.0)
        case ast.Call(func=ast.Name(id=name)) if name in OTHER_NAME:
            yield "min, max", ast.unparse(_with(node, func=ast.Name(OTHER_NAME[name])))
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "result", "return None"
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.AugAssign():
            yield "left out", "pass"
        case ast.IfExp(test=test):
            yield "condition", f"({ast.unparse(_with(node, test=ast.UnaryOp(ast.Not(), test)))})"


def _with(node: ast.AST, **changed: object) -> ast.AST:
    fields = {name: getattr(node, name) for name in node._fields}
    return type(node)(**{**fields, **changed})


def _text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or isinstance(getattr(side, "value", None), str | bytes)
               for side in (node.left, node.right))  # fmt: skip


def _is_none(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def sample(count: int, seed: int, only: str = "") -> list[Mutant]:
    files = [file for room in ROOMS for file in sorted((REPO / "pipeline" / room).rglob("*.py"))]
    files.append(REPO / "pipeline/money.py")
    found = [mutant for file in files for mutant in mutants_of(file) if only in mutant.file]
    print(f"{len(found):,} ways to break {len(files)} modules; {min(count, len(found))} of them by seed {seed}")
    return random.Random(seed).sample(found, min(count, len(found)))


def stages(file: str) -> Iterator[list[str]]:
    """Tests in the order that they are most likely to notice."""
    own = Path(file.replace("pipeline/", "tests/", 1))
    test = own.with_name(f"test_{own.name}")
    room = Path(*own.parts[:2])
    if (REPO / test).exists():
        yield [str(test)]
    if room.suffix == "":
        yield [str(room), "tests/engine/lanes", "tests/engine/test_row.py", "tests/engine/test_call.py"]
    yield [f"tests/runs/{name}.py" for name in RUNS]
    yield ["tests/commands", "tests/output", "tests/telemetry", "tests/test_golden.py", "tests/test_money.py"]


class Bench:
    """Copies of the tree, one for each job."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            copy = folder / f"tree{number}"
            for name in COPIED:
                shutil.copytree(REPO / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "peers"))
            for name in FILES:
                shutil.copy(REPO / name, copy / name)
            self._free.put(copy)

    def tried(self, mutant: Mutant) -> tuple[Mutant, str, float]:
        """Who has caught it, or "" for nobody; and the seconds that it took."""
        tree, began_s = self._free.get(), time.monotonic()
        target = tree / mutant.file
        sound = target.read_bytes()
        broken = sound[: mutant.start] + mutant.new.encode() + sound[mutant.end :]
        try:
            caught = ""
            for paths in stages(mutant.file):
                target.write_bytes(broken)
                caught = self._caught(tree, paths)
                target.write_bytes(sound)
                if caught and not self._fails_anyway(tree, caught):
                    break
                caught = ""
        finally:
            target.write_bytes(sound)
            self._free.put(tree)
        return mutant, caught, time.monotonic() - began_s

    def _fails_anyway(self, tree: Path, caught: str) -> bool:
        """Whether the test that failed fails without the break too, as one with a tight clock may."""
        name = caught.partition(" ")[2]
        return caught.startswith("FAILED") and bool(self._caught(tree, [name]))

    def _caught(self, tree: Path, paths: list[str]) -> str:
        words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *paths]
        words += [f"--basetemp={tree}.tmp", "-o", "addopts=--import-mode=importlib"]
        env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            words,
            cwd=tree,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=STAGE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return "it no longer ends"
        if process.returncode in {0, 5}:
            return ""
        failed = [line.split(" - ")[0] for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0] if failed else f"exit {process.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    parser.add_argument("--to", type=Path, help="JSON lines, one for each mutant")
    options = parser.parse_args()
    chosen = sample(options.sample, options.seed, options.only)
    allowed = tomllib.loads(ALLOWED.read_text())["mutants"] if ALLOWED.exists() else {}
    survivors, known, began_s = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        bench = Bench(Path(folder), options.jobs)
        for number, (mutant, caught, seconds) in enumerate(pool.map(bench.tried, chosen), 1):
            known += not caught and mutant.key in allowed
            if not caught and mutant.key not in allowed:
                survivors.append(mutant)
            verdict = f"caught by {caught}" if caught else allowed.get(mutant.key, "SURVIVED")
            print(f"{number:4} {seconds:5.0f} s  {mutant.file}:{mutant.line} {mutant.what}: {verdict}", flush=True)
            if options.to is not None:
                with options.to.open("a") as lines:
                    lines.write(json.dumps({**mutant.__dict__, "caught": caught, "key": mutant.key}) + "\n")
    counted = len(chosen) - known
    share = (counted - len(survivors)) / max(counted, 1)
    print(f"\n{share:.1%} of {counted} caught in {time.monotonic() - began_s:.0f} s; {known} more change nothing")
    for mutant in survivors:
        print(f"  {mutant.key}   (line {mutant.line})")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
