"""What a run lends its workers on a cluster, and what of it each is told at its start."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from pipeline.admission.queue import Admission
from pipeline.engine.ray.messages import Errand
from pipeline.engine.ray.secrets import needed
from pipeline.extraction.prepare import Prepared
from pipeline.job.settings import Job, Model
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.remote import packed_keys
from pipeline.telemetry.tally import Tally


class Kit(Struct, frozen=True):
    """`model` is as the wire wants it, `base_url` of the embedded sandbox, or ""."""

    prepared: Prepared
    ledger: Ledger
    admission: Admission
    tally: Tally
    model: Model
    base_url: str
    environ: Mapping[str, str]

    def without_secrets(self) -> dict[str, str]:
        """The environment of a process that makes no calls."""
        secrets = needed(self.prepared, self.environ)
        return {name: value for name, value in self.environ.items() if name not in secrets}


async def errand_of(kit: Kit) -> Errand:
    """For a worker that starts now: with all answers that are on record by now."""
    keys, plan = await kit.ledger.known_keys(), kit.prepared.plan
    return Errand(
        kit.prepared.job,
        kit.model,
        kit.base_url,
        needed(kit.prepared, kit.environ),
        sources_of(kit.prepared.job),
        kit.prepared.source.documents,
        (plan.request_hash, plan.outcome_salt),
        kit.ledger.run,
        None if keys is None else await asyncio.to_thread(packed_keys, keys),
    )


def sources_of(job: Job) -> dict[str, str]:
    """The job's own Python files, by path: the schema's and the look-ups'. Modules by name are there or are not."""
    places = dict.fromkeys(spec.rpartition(":")[0] for spec in (job.extract.schema, *job.extract.tools))
    return {place: Path(place).read_text(encoding="utf-8") for place in places if place.endswith(".py")}
