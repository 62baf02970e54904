"""What is told of one worker in run.json, to `status` and to observers."""

from datetime import datetime
from typing import Any

from msgspec import Struct

HERE = "localhost"  # the node of workers beside the run: a container's own name would be another one every night
BASIS_S = 10.0  # the share of a core says nothing of less time


class CpuSeen(Struct):
    """CPU time of a worker by its own word, and what share of a core it takes."""

    cpu_s: float = 0.0
    first_cpu_s: float = 0.0  # that it had taken before its work, for its imports
    first_s: float | None = None  # when that was said
    last_s: float = 0.0

    def heard(self, cpu_s: float, now_s: float) -> None:
        if self.first_s is None:
            self.first_cpu_s, self.first_s = cpu_s, now_s
        self.cpu_s, self.last_s = cpu_s, now_s

    @property
    def share(self) -> float | None:
        """1.0 is a core that it keeps busy all the time; None until there is something to go by."""
        if self.first_s is None or self.last_s - self.first_s < BASIS_S:
            return None
        return (self.cpu_s - self.first_cpu_s) / (self.last_s - self.first_s)


def worker_fact(number: int, node: str, rows: int, calls: int, cpu: CpuSeen) -> dict[str, Any]:
    """`rows` that it brought to an end, and `calls` that it made, of this session."""
    share = {} if cpu.share is None else {"cpu_share": round(cpu.share, 2)}
    return {"worker": number, "node": node, "rows": rows, "calls": calls, "cpu_s": round(cpu.cpu_s, 2), **share}


def ended_fact(fact: dict[str, Any], how: str, why: str, now: datetime) -> dict[str, Any]:
    """The same of one that is no more. `how`: lost or drained; `why`: in words, "" where there is nothing to say."""
    return {**fact, "ended": how, "ended_at": now.isoformat(timespec="seconds"), **({"why": why} if why else {})}
