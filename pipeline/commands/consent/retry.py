"""Before a retry: whether there is anything to retry, and whether the job is still the one that failed."""

from msgspec import Struct

from pipeline.commands.consent.changes import failed_rows, require_unchanged, same_input
from pipeline.commands.consent.decide import nothing_to_retry
from pipeline.extraction.prepare import Prepared
from pipeline.output.manifest import RUNNING, idle, read_run
from pipeline.output.publish import Ended, ended_before


class NothingLeft(Struct, frozen=True):
    """`ended`: how the last run ended, which a retry of nothing leaves as it is. `why`: in words."""

    ended: Ended
    why: str


def nothing_left(prepared: Prepared, error_code: str | None) -> NothingLeft | None:
    """Why no row would be run again; None where there are some. Sends nothing, writes nothing.

    Raises:
        JobError: nothing has run here yet, or the job has changed since.
    """
    require_unchanged(prepared)
    manifest = read_run(prepared.output_folder)
    if manifest is None or manifest.state == RUNNING or not same_input(prepared):
        return None
    why = nothing_to_retry(failed_rows(prepared.output_folder), error_code)
    return NothingLeft(ended_before(idle(manifest, "retry", why)), why) if why else None
