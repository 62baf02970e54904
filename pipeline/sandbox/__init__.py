"""The local provider: the wire protocols over one rule-based extractor, to rehearse a job for free.

Importing it loads no server: a run that starts the sandbox as a process of its own pays for none of it.
"""

from pipeline.job.settings import Sandbox

__all__ = ["run_forever"]


def run_forever(config: Sandbox, port: int) -> None:
    """Serve on loopback until SIGINT or SIGTERM; 0 takes any free port. The first line on standard output says where.

    Raises:
        JobError: the settings cannot be, or the port is taken.
    """
    from pipeline.sandbox.process import run  # noqa: PLC0415 (the server's imports, see above)

    run(config, port)
