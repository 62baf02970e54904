"""`pipeline cancel` where no run is going on: batches that are out are called off, and left to be collected.

What was answered by then is billed, and the next run fetches it; what was not is not billed.
"""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from pipeline.crash_points import crash_point
from pipeline.engine.batches.remote import Remote
from pipeline.engine.batches.setup import NONE, account_of
from pipeline.errors import CallFailed, JobError
from pipeline.job.settings import Batch, Model
from pipeline.ledger.batches import CANCELLING, OUT, BatchRecord
from pipeline.ledger.ledger import Ledger
from pipeline.providers import wire_for
from pipeline.providers.batches import NO_SHAPE, batch_wire_for, line_model
from pipeline.providers.credentials.keys import credentials_for

REFUSED = 400
BUILT_IN = "batches of the built-in sandbox end with its run: there is nothing to call off. `pipeline sandbox` stays"


class CalledOff(Struct, frozen=True):
    """`failed`: id → why the provider was not asked, or said no; these are as they were."""

    done: tuple[BatchRecord, ...]
    failed: Mapping[str, str]


async def call_off(folder: Path, model: Model, batch: Batch, only: str, environ: Mapping[str, str]) -> CalledOff:
    """Ask the provider to cancel what is out: the batch `only`, or all ("").

    Raises:
        JobError: the batch is not out, or its provider cannot be asked from here. LedgerError: the folder is in use.
    """
    if model.provider == "sandbox" and not model.base_url:
        raise JobError(BUILT_IN)
    asked = line_model(model)
    wire = batch_wire_for(asked, wire_for(asked, NO_SHAPE, environ), batch, environ)
    if wire is None:
        raise JobError(NONE.format(provider=model.provider))
    remote = Remote(wire, credentials_for(model, environ))
    try:
        account = account_of(wire.listing().url, await remote.secret())
        with Ledger(folder, "cancel") as ledger:
            ledger.start_writing(lambda: None)
            try:
                return await _each(remote, ledger, account, chosen(ledger.open_batches(), only, folder))
            finally:
                await ledger.stop_writing()
    finally:
        await remote.aclose()


def chosen(batches: list[BatchRecord], only: str, folder: Path) -> list[BatchRecord]:
    """Those that are at the provider, and meant.

    Raises:
        JobError: `only` is none of them.
    """
    out = [one for one in batches if one.state in {OUT, CANCELLING} and only in {"", one.remote_id, one.nonce}]
    if only and not out:
        ids = ", ".join(one.remote_id for one in batches if one.remote_id) or "none"
        raise JobError(f"{folder}: no batch {only!r} is out here. Out are: {ids}")
    return out


async def _each(remote: Remote, ledger: Ledger, account: str, batches: list[BatchRecord]) -> CalledOff:
    done, failed = [], {}
    for one in batches:
        if one.account != account:
            failed[one.remote_id] = "it was submitted with another key or at another place"
        elif why := await _called_off(remote, ledger, one):
            failed[one.remote_id] = why
        else:
            done.append(one)
    return CalledOff(tuple(done), failed)


async def _called_off(remote: Remote, ledger: Ledger, batch: BatchRecord) -> str:
    """Why it was not; ""."""
    await ledger.change_batch(batch.nonce, state=CANCELLING, cancel_us=time.time_ns() // 1000)
    crash_point("batch-cancelling")
    try:
        answer = await remote.ask(remote.wire.cancel(batch.remote_id))
        if answer.status < REFUSED:
            return ""
        why = f"the provider said no: HTTP {answer.status}"
        with contextlib.suppress(CallFailed):
            why = f"{why}, it is {(await remote.look(batch.remote_id)).status}"
    except CallFailed as failure:
        why = str(failure)
    await ledger.change_batch(batch.nonce, state=batch.state, cancel_us=batch.cancel_us)
    return why
