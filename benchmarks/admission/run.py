"""All clients in all scenarios: the table of docs/admission.md, and the picture beside it.

python benchmarks/admission/run.py [--seeds 3] [--scenarios S1,S2] [--clients ours] [--picture docs/admission.svg]

A cell is makespan over the oracle's, share of calls answered 429, and p99 of first send to answer over the oracle's.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from chart import STEP_S, Panel, bars, svg
from clients import CLIENTS
from meters import Flow
from scenarios import BY_NAME, Scenario
from simulate import Client, Result, oracle, ours, simulate

ALL: dict[str, Client] = {**CLIENTS, "ours": ours}
DRAWN, DRAWN_CLIENTS = "S5", ("semaphore of 500", "cookbook", "AIMD alone", "ours")
BOUNDS = ((True, "Known", 1.03, 0.005), (False, "Unknown", 1.06, 0.01))  # makespan over the oracle's, share of 429s


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a client, and the oracle's over the same rows."""

    scenario: Scenario
    best: Result
    result: Result

    @property
    def makespan(self) -> float:
        return self.result.makespan_s / self.best.makespan_s

    @property
    def wait(self) -> float:
        return self.result.p99_s / self.best.p99_s


def main(arguments: argparse.Namespace) -> None:
    chosen = [BY_NAME[name] for name in arguments.scenarios.split(",") if name] or list(BY_NAME.values())
    names = [name for name in arguments.clients.split(",") if name] or list(ALL)
    began_s = time.perf_counter()
    print(f"| scenario | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    tried: list[Trial] = []
    for scenario in chosen:
        best = {seed: simulate(scenario, oracle, seed) for seed in range(1, arguments.seeds + 1)}
        cells = []
        for name in names:
            seeds = best if name == "ours" else [1]
            trials = [Trial(scenario, best[seed], simulate(scenario, ALL[name], seed)) for seed in seeds]
            tried += trials if name == "ours" else []
            cells.append(_cell(trials))
        print(f"| {scenario.name} {scenario.what} | {' | '.join(cells)} |", flush=True)
    for known, told, most, share in BOUNDS:
        limited = [trial for trial in tried if trial.scenario.known is known and not trial.scenario.rules.stray]
        _judge(limited, told, most, share)
    if arguments.picture:
        Path(arguments.picture).write_text(_picture(), encoding="utf-8")
    sys.stderr.write(f"{time.perf_counter() - began_s:.0f} s\n")


def _cell(trials: Sequence[Trial]) -> str:
    makespan, share = mean(trial.makespan for trial in trials), mean(trial.result.share for trial in trials)
    return f"{makespan:.3f} · {100 * share:.2f} % · {mean(trial.wait for trial in trials):.1f}"


def _judge(trials: Sequence[Trial], told: str, most: float, share: float) -> None:
    """The worst seed of ours on either side of the bounds."""
    if not trials:
        return
    slow = max(trials, key=lambda trial: trial.makespan)
    loud = max(trials, key=lambda trial: trial.result.share)
    print(
        f"\n{told} limits, ours, worst seed: {slow.makespan:.3f} of the oracle's makespan in {slow.scenario.name} ",
        end="",
    )
    print(f"(bound {most}), {100 * loud.result.share:.2f} % 429s in {loud.scenario.name} (bound {100 * share:.1f} %).")


def _picture() -> str:
    scenario, panels = BY_NAME[DRAWN], []
    limit = scenario.rules.limits[0]
    for client in DRAWN_CLIENTS:
        result = simulate(scenario, ALL[client], 1)
        seconds = int(result.makespan_s) + 1
        flow = Flow(limit.per_minute, limit.changes, 1)
        let_in, refused = bars(result.arrivals, seconds)
        note = f"{result.makespan_s:.0f} s, {100 * result.share:.1f} % 429s"
        panels.append(
            Panel(client, note, let_in, refused, [flow.ours(at_s + 0.5) for at_s in range(0, seconds, STEP_S)])
        )
    return svg(f"{DRAWN}: {scenario.what}", panels, "tokens")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="of ours; the others run once")
    parser.add_argument("--scenarios", default="", help="such as S1,S2")
    parser.add_argument("--clients", default="", help="such as ours")
    parser.add_argument("--picture", default="", help="where to write the SVG")
    main(parser.parse_args())
