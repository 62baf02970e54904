"""A run, as a command asks for it: one session over one output folder."""

import asyncio

from msgspec.structs import replace

from pipeline.engine.session import RunCommand, Session
from pipeline.errors import JobError
from pipeline.job.settings import Job
from pipeline.ledger.ledger import Ledger
from pipeline.output.folder import finished, ready_folder
from pipeline.output.manifest import idle, nothing_to_do
from pipeline.output.publish import Ended
from pipeline.output.remote.sync import RemoteOutput
from pipeline.runtime import loop_factory, settle_garbage


def run_job(command: RunCommand) -> Ended:
    """Open the output folder, run one session, close it. A finished output is left as it is.

    Raises:
        JobError, LedgerError: nothing was sent, unless the message says so.
    """
    url = command.prepared.job.output_url
    if not url:
        return _one_session(command, None)
    with RemoteOutput(url, command.verb, command.environ) as output:
        ended = _one_session(command, output)
    return replace(ended, unsaved=output.problem)


def _one_session(command: RunCommand, remote: RemoteOutput | None) -> Ended:
    prepared = command.prepared
    folder = ready_folder(prepared.job)
    with Ledger(folder, command.verb, fresh=command.fresh, accept_loss=command.accept_loss) as ledger:
        if not command.selection.failed and (manifest := finished(prepared, ledger)) is not None:
            return Ended(idle(manifest, command.verb, nothing_to_do(manifest.rows)), None, "")
        _require_no_batches(prepared.job, ledger)
        if command.host.own:
            settle_garbage()
        session = Session(command, ledger, remote)
        if remote is not None:
            remote.keep(session.stop_from_outside)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(session.execute())


def _require_no_batches(job: Job, ledger: Ledger) -> None:
    """What batches bring is for rows one by one: rows that are out would be paid for again in packs."""
    if job.chunks.pack > 1 and (out := len(ledger.open_batches())):
        raise JobError(
            f"chunks.pack = {job.chunks.pack}: {out} batches of an earlier job are still at the provider. Nothing was "
            f"sent. Collect them first, with the job as it was, or call them off: pipeline cancel {job.output.path}"
        )
