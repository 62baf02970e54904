"""What is told at the end of a run or a retry, and what to do next."""

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pipeline.cli.command import Command
from pipeline.cli.options import tell
from pipeline.console import emit, in_json, say

if TYPE_CHECKING:  # their imports would cost what `--help` has no time for
    from pipeline.extraction.prepare import Prepared
    from pipeline.output.publish import Ended


def tell_end(ended: "Ended", prepared: "Prepared", command: Command) -> None:
    from pipeline.commands.status import causes_in
    from pipeline.telemetry.summary import summary

    next_step = _next_step(ended, prepared, command)
    if ended.unsaved is not None:
        job = prepared.job
        say("warning", f"{job.output_url} has not everything: {ended.unsaved}. It is in {job.output.path}; run again")
    if in_json():
        emit({"event": "summary", "next": next_step or None, **ended.manifest.as_json()})
    if command.as_json or not in_json():
        causes = causes_in(prepared.output_folder) if ended.manifest.rows.failed else []
        text = summary(ended.manifest, prepared.job.output_url or prepared.job.output.path, next_step, causes)
        tell(ended.manifest.as_json(), text, as_json=command.as_json, quiet=True)


def _next_step(ended: "Ended", prepared: "Prepared", command: Command) -> str:
    from pipeline.codes import ErrorCode
    from pipeline.commands.consent.decide import nothing_to_retry, unusable

    failed = ended.manifest.failed_by_code
    if ended.manifest.rows.pending or ended.park is not None:
        return _how_to_go_on(ended, prepared, command)
    if not failed:
        return ""
    if nothing_to_retry(failed, None):
        return f"{unusable(failed[ErrorCode.BAD_ROW])}, then:  {command.again('run')}"
    return f"To run only the failed rows again:  {command.again('retry')}"


def _how_to_go_on(ended: "Ended", prepared: "Prepared", command: Command) -> str:
    from pipeline.codes import ParkReason

    why = f"Stopped early: {ended.message}\n" if ended.message else ""
    cap = ended.manifest.job["budget"]["max_usd"]
    tuned = any(event["event"] == "tuned" and event["after"]["max_usd"] for event in ended.manifest.events)
    if ended.park is None and command.verb == "retry":
        return f"{why}To run the rows that have no outcome yet:  {command.again('run')}"
    if ended.park is ParkReason.BUDGET and tuned:
        return f"{why}To go on under the job's own cap:  {command.again(command.verb)}"
    if ended.park is ParkReason.BUDGET and cap is None:
        return f"{why}To go on tomorrow (UTC), or with a higher cap:  {command.again(command.verb)}"
    if ended.park is ParkReason.BUDGET:
        told, usd = _dearer(ended, prepared, Decimal(cap))
        dearer = replace(command, overrides={**command.overrides, "max_usd": f"{usd.normalize():f}"})
        return f"{why}To go on with {told}:  {dearer.again(command.verb)}"
    return f"{why}To go on from here:  {command.again(command.verb)}"


def _dearer(ended: "Ended", prepared: "Prepared", cap: Decimal) -> tuple[str, Decimal]:
    """A cap with which the same command gets on: twice the last, or as much as a call could cost if that is more."""
    from pipeline.commands.least_cap import least_cap
    from pipeline.money import rounded_up

    enough = rounded_up(ended.enough_usd or Decimal(0))
    nothing_sent = not ended.manifest.calls
    if nothing_sent and (least := least_cap(prepared)) is not None:
        enough = max(enough, rounded_up(least.usd))
    if enough <= 2 * cap:
        return "twice the budget", 2 * cap
    return f"a budget that the {'dearest first' if nothing_sent else 'next'} call fits beneath", enough
