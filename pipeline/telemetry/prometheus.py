"""A text file for the Prometheus node exporter's textfile collector, replaced atomically while a run goes on.

Counters are of the session that writes them, and start anew with each. The format is Prometheus' text exposition format
0.0.4.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.codes import Status
from pipeline.columns import TOKENS
from pipeline.job.settings import Job
from pipeline.ledger.records import Call
from pipeline.money import from_units
from pipeline.output.manifest import Manifest
from pipeline.telemetry.batches import is_out
from pipeline.telemetry.workers import NodeFigures, by_node
from pipeline.types import Outcome

EVERY_S = 5.0
PREFIX = "ledger_pipeline_"
LATENCY_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0)
STATES = ("running", "finished", "parked", "interrupted")

Sample = tuple[Mapping[str, str], float | int | str]


class PrometheusFile:
    """Writes to `telemetry.prometheus_file`."""

    def __init__(self, job: Job) -> None:
        self._path = Path(job.telemetry.prometheus_file)
        self._job = job.name
        self._written_s = 0.0
        self._state = "running"
        self._rows_total = self._in_flight = self._batches_out = 0
        self._by_lane: Counter[str] = Counter()
        self._units_by_lane: Counter[str] = Counter()
        self._ok = 0
        self._failed: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self._usd_units = 0
        self._latency: Counter[float] = Counter()
        self._latency_sum_ms = 0
        self._last_finished_s: float | None = None
        self._workers: Sequence[Mapping[str, Any]] = ()

    def called(self, call: Call) -> None:
        self._calls[call.error_code or "ok"] += 1
        for name in TOKENS:
            self._tokens[name] += getattr(call.usage, name)
        self._usd_units += call.cost_units or 0
        self._by_lane[call.send.lane] += 1
        self._units_by_lane[call.send.lane] += call.cost_units or 0
        if call.latency_ms is not None:
            self._latency_sum_ms += call.latency_ms
            seconds = call.latency_ms / 1000
            self._latency[next((most for most in LATENCY_BUCKETS_S if seconds <= most), float("inf"))] += 1

    def concluded(self, outcome: Outcome) -> None:
        if outcome.status is Status.OK:
            self._ok += 1
        else:
            self._failed[str(outcome.error_code)] += 1

    def looked(self, rows_total: int, in_flight: int, batches_out: int = 0) -> None:
        self._rows_total, self._in_flight, self._batches_out = rows_total, in_flight, batches_out
        now_s = time.monotonic()
        if now_s - self._written_s >= EVERY_S:
            self._written_s = now_s
            self._write()

    def worked(self, workers: Sequence[Mapping[str, Any]]) -> None:
        self._workers = workers

    def ended(self, manifest: Manifest) -> None:
        self._state, self._in_flight = manifest.state, 0
        self._rows_total = manifest.rows.total
        self._batches_out = sum(map(is_out, manifest.batches))
        self._workers = manifest.workers or self._workers
        if self._state == "finished":
            self._last_finished_s = time.time()
        self._write()

    def _write(self) -> None:
        temporary = self._path.with_name(f".{self._path.name}.tmp")  # the collector reads *.prom only
        temporary.write_text(self.text(), encoding="utf-8")
        temporary.replace(self._path)

    def text(self) -> str:
        """The whole file."""
        states = [({"state": state}, int(state == self._state)) for state in STATES]
        cost_usd = f"{from_units(self._usd_units):.10f}"
        lines = [
            *self._family("rows", "gauge", "Rows of the input.", [({}, self._rows_total)]),
            *self._family("rows_ok_total", "counter", "Rows that ended ok in this session.", [({}, self._ok)]),
            *self._family("rows_failed_total", "counter", "Rows that failed in it.", _by("error_code", self._failed)),
            *self._family("calls_total", "counter", "HTTP attempts, by how they ended.", _by("outcome", self._calls)),
            *self._family("tokens_total", "counter", "Tokens over all attempts.", _by("type", self._tokens)),
            *self._family("cost_usd_total", "counter", "Cost over all attempts.", [({}, cost_usd)]),
            *self._family("lane_calls_total", "counter", "Calls by lane, live or batch.", _by("lane", self._by_lane)),
            *self._family("lane_cost_usd_total", "counter", "Cost by lane.", _usd_by("lane", self._units_by_lane)),
            *self._family("batches_out", "gauge", "Batches at the provider.", [({}, self._batches_out)]),
            *self._family("calls_in_flight", "gauge", "Calls in flight.", [({}, self._in_flight)]),
            *self._family("run_state", "gauge", "1 for the state that the run is in.", states),
            *self._histogram(),
            *self._by_node(),
        ]
        if self._last_finished_s is not None:
            told = f"{self._last_finished_s:.3f}"
            lines += self._family("last_finished_timestamp_seconds", "gauge", "When it finished.", [({}, told)])
        return "\n".join(lines) + "\n"

    def _family(self, name: str, kind: str, help_text: str, samples: Sequence[Sample]) -> list[str]:
        head = [f"# HELP {PREFIX}{name} {help_text}", f"# TYPE {PREFIX}{name} {kind}"]
        return head + [f"{PREFIX}{name}{self._labels(labels)} {value}" for labels, value in samples]

    def _histogram(self) -> list[str]:
        name = f"{PREFIX}call_duration_seconds"
        lines = [f"# HELP {name} From sent to answered.", f"# TYPE {name} histogram"]
        total = 0
        for most in (*LATENCY_BUCKETS_S, float("inf")):
            total += self._latency[most]
            bound = "+Inf" if most == float("inf") else f"{most:g}"
            lines.append(f"{name}_bucket{self._labels({'le': bound})} {total}")
        labels = self._labels({})
        return [*lines, f"{name}_sum{labels} {self._latency_sum_ms / 1000}", f"{name}_count{labels} {total}"]

    def _by_node(self) -> list[str]:
        """Nothing of a job without workers. A node is one label, however often its workers were replaced."""
        nodes = sorted(by_node(self._workers), key=lambda one: one.node)
        if not nodes:
            return []

        def family(name: str, kind: str, help_text: str, of: Callable[[NodeFigures], float]) -> list[str]:
            return self._family(f"node_{name}", kind, help_text, [({"node": one.node}, of(one)) for one in nodes])

        working = self._state == "running"
        return [
            *family("workers", "gauge", "Workers on the node.", lambda one: one.working if working else 0),
            *family("workers_lost_total", "counter", "Workers that died there.", lambda one: one.lost),
            *family("rows_total", "counter", "Rows that ended there.", lambda one: one.rows),
            *family("calls_total", "counter", "Calls made there.", lambda one: one.calls),
            *family("cpu_seconds_total", "counter", "CPU of its workers.", lambda one: round(one.cpu_s, 2)),
        ]

    def _labels(self, labels: Mapping[str, str]) -> str:
        pairs = [f'{name}="{_escaped(value)}"' for name, value in {"job_name": self._job, **labels}.items()]
        return "{" + ",".join(pairs) + "}"


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [({label: name}, count) for name, count in sorted(counts.items())]


def _usd_by(label: str, units: Mapping[str, int]) -> list[Sample]:
    return [({label: name}, f"{from_units(amount):.10f}") for name, amount in sorted(units.items())]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
