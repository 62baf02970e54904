"""What a run lends its workers on a cluster, and what of it each is told at its start."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from pipeline.admission.queue import Admission
from pipeline.engine.ray.messages import Errand
from pipeline.engine.ray.secrets import needed
from pipeline.engine.workers.served import Served
from pipeline.extraction.hashes import outcome_salt
from pipeline.extraction.plan import Plan
from pipeline.extraction.prepare import Prepared
from pipeline.extraction.routing import MAIN
from pipeline.job.settings import Model
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.remote import packed_keys
from pipeline.schema.tools import tools_hash
from pipeline.telemetry.tally import Tally

if TYPE_CHECKING:
    from pipeline.engine.several import Way


class Kit(Struct, frozen=True):
    """`model` is as the wire wants it, `base_url` of the embedded sandbox, or "". `ways`: of a job that has several."""

    prepared: Prepared
    ledger: Ledger
    admission: Admission
    tally: Tally
    model: Model
    base_url: str
    environ: Mapping[str, str]
    ways: Mapping[str, "Way"] = {}
    from_model: str | None = None

    @property
    def gates(self) -> dict[str, Served]:
        """By NAME of the model."""
        return {name: way.gate for name, way in self.ways.items()} or {MAIN: self.admission}

    @property
    def longest_call_s(self) -> float:
        """To any of the models."""
        job = self.prepared.job
        return max([job.limits.timeout_s, *(one.limits.timeout_s for one in job.models.values())])

    def secrets(self) -> dict[str, str]:
        """What of the environment its calls need."""
        return needed(self.prepared, self.environ)

    def without_secrets(self) -> dict[str, str]:
        """The environment of a process that makes no calls."""
        secrets = self.secrets()
        return {name: value for name, value in self.environ.items() if name not in secrets}


async def errand_of(kit: Kit, sources: Mapping[str, str], earlier: Sequence[Plan]) -> Errand:
    """For a worker that starts now: with all answers that are on record by now. `earlier`: plans of earlier jobs."""
    keys, plan = await kit.ledger.known_keys(), kit.prepared.plan
    return Errand(
        kit.prepared.job,
        kit.model,
        kit.base_url,
        sources,
        kit.prepared.source.documents,
        (plan.request_hash, _salt_of(kit.prepared)),
        kit.ledger.run,
        None if keys is None else await asyncio.to_thread(packed_keys, keys),
        {name: way.place for name, way in kit.ways.items() if name},
        kit.from_model,
        [(plan.outcome_salt, plan.template.other_columns) for plan in earlier],
        kit.ledger.salts(),
    )


def _salt_of(prepared: Prepared) -> bytes:
    """As the job has it that workers get: without the models that it names and whose key is missing."""
    job = prepared.job
    return outcome_salt(prepared.plan.request_hash, job, prepared.schema_hash, tools_hash(job.extract.tools))
