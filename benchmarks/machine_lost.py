"""budget.max_usd when the run's machine is gone for good: its output is in a bucket, its folder is never seen again.

Real runs of the command against a local bucket and a provider that keeps its own books. One is killed (kill -9) at a
seeded request, its mirror is deleted, and another machine goes on from the bucket, under the same cap; by seed that one
is killed as well, and a third goes on. What counts is the provider's bill, over all of them.

With `--on ray` that machine is the run's: its process is killed, and the one that speaks to Ray. Nodes stay, and what
workers there have in flight by then is billed.

python benchmarks/caps.py --machine-lost [--seeds 200] [--workers 2 | --on ray]
"""

import json
import logging
import os
import random
import shutil
import signal
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.append(str(Path(__file__).parents[1] / "tests" / "kit"))

from job_folder import JobFolder
from ray_cluster import ray_cluster
from s3_server import AWS, emptied, serving
from scripted_server import Scripted
from scripted_server import serving as provider_serving

from pipeline.money import Rate, cost_usd
from pipeline.types import Usage

RATE = Rate(
    input=Decimal("0.15"), cached_input=Decimal("0.075"), cache_write=Decimal("0.15"), output=Decimal("0.60"), source=""
)
ROWS = 90
CONCURRENCY = 6
OUTPUT_CAP = 64
EXPECTED_USD = cost_usd(Usage(input_tokens=400, output_tokens=40), RATE)


@dataclass
class Provider:
    """Answers after a moment, bills what it answers, and kills who asks once too often."""

    chance: random.Random
    billed_usd: Decimal = Decimal(0)
    left: int = 0  # requests until the machine is lost; 0: it is not
    process: object = None
    billed: list = field(default_factory=list)

    def __call__(self, document, nth, body):  # noqa: ARG002 (a script's)
        usage = Usage(input_tokens=self.chance.randint(300, 500), output_tokens=self.chance.randint(10, OUTPUT_CAP))
        self.billed_usd += cost_usd(usage, RATE)
        self.billed.append(document)
        if self.left:
            self.left -= 1
            if not self.left:
                kill_with_children(self.process.pid)
        answer = json.dumps({"name": document, "total": "1"})
        return Scripted(text=answer, usage=(usage.input_tokens, usage.output_tokens), delay_s=self.chance.random() / 40)


def kill_with_children(pid):
    """What a machine takes with it: the run first, and the process by which it speaks to a cluster."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@dataclass(frozen=True)
class Night:
    """How one seeded job ended, over all its machines."""

    cap_usd: Decimal
    billed_usd: Decimal
    machines: int
    code: int
    verified: int  # the exit code of `verify`
    assumed: bool  # something was said to be assumed spent


def night(seed, folder, s3, server, *, workers=1, cluster=None):
    """One job, lost once or twice, until it parks by its cap or is done. `cluster`: of its workers, if on one."""
    chance = random.Random(seed)
    provider = server.script = Provider(chance)
    emptied(s3, "out")
    cap = (EXPECTED_USD * ROWS * chance.randint(60, 95) / 100).quantize(Decimal("0.000001"))
    job = JobFolder(folder)
    job.env |= {**AWS, "AWS_ENDPOINT_URL": s3, "PIPELINE_SHIP_S": chance.choice(["0.05", "0.3", "1"])}
    job.env |= {} if cluster is None else cluster.environ
    job.env["PIPELINE_SNAPSHOT_S"] = chance.choice(["0.2", "3600"])
    rows = [{"id": f"r{number}", "text": f"document {number} of {seed}"} for number in range(ROWS)]
    job.write(
        server.url,
        rows=rows,
        output={"path": "s3://out/night"},
        **_carried_by(workers, cluster),
        model={"max_output_tokens": OUTPUT_CAP},
        budget={"max_usd": float(cap)},
    )
    machines = chance.randint(1, 2)
    for machine in range(machines):
        _lost(job, provider, str(machine), chance.randint(2, ROWS // 2), s3)
    job.env["PIPELINE_WORKDIR"] = str(folder / "last")
    ended = job.run(code=None)
    verified = job.pipeline("verify", "s3://out/night")
    return Night(cap, provider.billed_usd, machines, ended.returncode, verified.returncode, "assumed" in ended.err)


def _carried_by(workers, cluster):
    """The job's sections that say so."""
    if cluster is None:
        return {"limits": {"concurrency": CONCURRENCY, "workers": workers}}
    engine = {"on": "ray", "address": cluster.address, "workers": workers, "cpus_per_worker": 0.5}
    return {"limits": {"concurrency": CONCURRENCY, "timeout_s": 3.0}, "engine": engine}


def _lost(job, provider, name, after, s3):
    """A machine that is killed as its request of that number comes in; nothing of it is left but the bucket."""
    mirror = job.folder / name
    job.env["PIPELINE_WORKDIR"] = str(mirror)
    provider.left = after
    provider.process = job.start("run", job.file)
    provider.process.communicate()
    provider.left = 0
    shutil.rmtree(mirror)
    no_sign_of_life(s3)


def no_sign_of_life(s3):
    """As if its lease had run out, which takes a minute."""
    import boto3  # 0.5 s

    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=s3, **keys)
    lease = json.loads(client.get_object(Bucket="out", Key="night/lease.json")["Body"].read())
    body = json.dumps({**lease, "released": True}).encode()
    client.put_object(Bucket="out", Key="night/lease.json", Body=body)


def nights(seeds, workers=1, on="local"):
    """All on one cluster, if on one."""
    with ExitStack() as until_all_end:
        s3 = serving()
        url = next(s3)
        until_all_end.callback(next, s3, None)
        server, cluster = until_all_end.enter_context(provider_serving()), None
        if on == "ray":
            place = until_all_end.enter_context(TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True))
            cluster = until_all_end.enter_context(ray_cluster(place))
        for seed in seeds:
            with TemporaryDirectory() as folder:
                yield night(seed, Path(folder), url, server, workers=workers, cluster=cluster)


def main(seeds, workers=1, on="local"):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the bucket's own lines
    found = []
    for seed, one in zip(seeds, nights(seeds, workers, on), strict=True):
        found.append(one)
        over = "  OVER THE CAP" if one.billed_usd > one.cap_usd else ""
        if over or one.verified or one.code not in {0, 3}:
            print(f"seed {seed}: {one}{over}", flush=True)
    shares = sorted(one.billed_usd / one.cap_usd for one in found)
    print(f"{len(found)} runs, {sum(one.machines for one in found)} machines lost, {workers} workers, {on}", flush=True)
    print(f"  above the cap by the provider's bill: {sum(share > 1 for share in shares)} runs")
    print(
        f"  the bill, as a share of the cap: {shares[0]:.4f} least, {median(shares):.4f} median, {shares[-1]:.4f} most"
    )
    unclean, assumed = sum(one.verified != 0 for one in found), sum(one.assumed for one in found)
    print(f"  verify not clean: {unclean}; told what is assumed spent: {assumed}")
