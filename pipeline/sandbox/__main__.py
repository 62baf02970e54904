"""`python -m pipeline.sandbox`: the sandbox as a child process. People use `pipeline sandbox`."""

import argparse
import sys
from typing import Any

import orjson
from msgspec.structs import fields

from pipeline.errors import JobError
from pipeline.job.settings import Sandbox
from pipeline.sandbox.process import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipeline.sandbox", description="The local provider.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--config-json", default="{}", help="the [sandbox] section of a job, as JSON")
    parser.add_argument("--until-stdin-closes", action="store_true", help="ignore signals; end with the parent")
    arguments = parser.parse_args()
    try:
        run(settings(arguments.config_json), arguments.port, parent_pipe=arguments.until_stdin_closes)
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def settings(text: str) -> Sandbox:
    """[sandbox] from JSON.

    Raises:
        JobError: it is no JSON object, or has a wrong key or value.
    """
    try:
        values: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise JobError(f"--config-json {text!r}: is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise JobError(f'--config-json {text!r}: should be an object, such as {{"seed": 1}}')
    known = [field.name for field in fields(Sandbox)]
    for key, value in values.items():
        if key not in known:
            raise JobError(f"--config-json: unknown key {key!r}. Known keys: {', '.join(known)}")
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise JobError(f"--config-json: {key} = {value!r} should be a number")
    return Sandbox(**values)


if __name__ == "__main__":
    sys.exit(main())
