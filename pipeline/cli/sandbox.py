"""The local provider, by itself."""

from typing import Any

import click

from pipeline.cli.options import errors_to_exit_code


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free port.")
@click.option("--requests-per-minute", type=click.IntRange(min=0), default=0, help="0: no limit.")
@click.option("--tokens-per-minute", type=click.IntRange(min=0), default=0, help="0: no limit.")
@click.option(
    "--burst-s", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Bucket size, in seconds."
)
@click.option("--latency-ms", type=click.FloatRange(min=0), default=0.0)
@click.option("--seed", type=int, default=0)
@click.option("--throttled", type=click.FloatRange(0, 1), default=0.0, help="Share of answers that are a 429.")
@click.option("--server-error", type=click.FloatRange(0, 1), default=0.0, help="Share of 500s and 503s.")
@click.option("--timeout", type=click.FloatRange(0, 1), default=0.0, help="Share of requests that are never answered.")
@click.option(
    "--invalid-output", type=click.FloatRange(0, 1), default=0.0, help="Share of answers that break the schema."
)
@click.option("--truncated", type=click.FloatRange(0, 1), default=0.0, help="Share of answers cut off at the cap.")
@click.option("--refused", type=click.FloatRange(0, 1), default=0.0, help="Share of refusals.")
@click.option("--disconnect", type=click.FloatRange(0, 1), default=0.0, help="Share of connections cut in the middle.")
@click.option("--batch-s", type=click.FloatRange(min=0), default=2.0, show_default=True, help="How long a batch takes.")
@click.option("--batch-expired", type=click.FloatRange(0, 1), default=0.0, help="Share of a batch's lines not run.")
@click.option("--batch-refused", type=click.FloatRange(0, 1), default=0.0, help="Share of a batch's lines with errors.")
@errors_to_exit_code
def sandbox(port: int, **settings: Any) -> None:  # noqa: ANN401 (click passes what it parsed)
    """A local provider that answers by rules, to rehearse a job for free.

    \b
    Examples:
      pipeline sandbox --port 8765 --latency-ms 200 --throttled 0.05
      pipeline run jobs/invoices.toml --set model.base_url=http://127.0.0.1:8765/v1
    """  # noqa: D301
    from pipeline.job.settings import Sandbox
    from pipeline.sandbox import run_forever

    run_forever(Sandbox(**settings), port)
