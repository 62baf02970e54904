"""The command line: click in, one function of the package called, text or JSON out. Decides nothing but exit codes.

Heavy modules are imported inside the commands that need them, so that `pipeline --help` answers at once.
"""

from collections.abc import Sequence
from typing import Any

import click

from pipeline import __version__
from pipeline.cli.cancel import cancel
from pipeline.cli.estimate import check, estimate
from pipeline.cli.export import export
from pipeline.cli.init import init
from pipeline.cli.inspect import costs, show, status, verify
from pipeline.cli.options import tell
from pipeline.cli.quality import diff, evaluate
from pipeline.cli.report import report
from pipeline.cli.run import retry, run
from pipeline.cli.sandbox import sandbox
from pipeline.cli.streams import in_utf8, require_utf8, writable
from pipeline.cli.tune import tune
from pipeline.console import own_stderr, speak


class _Pipeline(click.Group):
    """Every verb, on whatever terminal or pipe."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 (click's way)
        if not args and extra.get("args") is None:
            in_utf8()
        writable()
        return super().main(*args, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        require_utf8(args)
        return super().parse_args(ctx, args)


@click.group(
    cls=_Pipeline,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--version", is_flag=True, help="Show the version and exit; with --json also what it stands on.")
@click.option("--json", "as_json", is_flag=True, help="Of --version. Of a verb, it stands behind the verb.")
@click.pass_context
def main(context: click.Context, version: bool, as_json: bool) -> None:  # noqa: FBT001 (click's way)
    """Batch extraction you can trust with money.

    Documents in, typed rows out, every call on a durable ledger: a crash loses nothing that was paid for, a second run
    sends nothing twice, and every row ends in exactly one place.

    \b
    Examples:
      pipeline init mail --from inbox/           a job to start from, made of your own documents
      pipeline check jobs/invoices.toml          is everything right, before a cent is spent?
      pipeline estimate jobs/invoices.toml       what will it cost?
      pipeline run jobs/invoices.toml            run it; run it again to go on where it stopped
      pipeline retry jobs/invoices.toml          only the rows that failed
      pipeline show jobs/invoices.toml inv-0007  all that is known of one row
    """  # noqa: D301 (\b is click's mark for text that is not to be re-wrapped)
    own_stderr()
    speak("text")
    if version:
        from pipeline.commands.versions import versions

        tell(versions() if as_json else {}, f"pipeline, version {__version__}", as_json=as_json)
        context.exit()
    if as_json:
        raise click.UsageError("--json stands behind the verb:  pipeline status JOB --json")
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


_READING = (status, show, verify, costs, export, evaluate, diff, report)
for _verb in (init, run, retry, estimate, check, *_READING, tune, cancel, sandbox):
    main.add_command(_verb)


def commands() -> Sequence[str]:
    """The verbs, for the docs."""
    return sorted(main.commands)
