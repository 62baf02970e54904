"""The variables of a job: the environment's, and beneath them those of a file `.env` beside the job file.

Nothing of it enters the process's own environment, and no value is ever shown.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import JobError
from pipeline.job.folder import read_text

DOT_ENV = ".env"


def environ_of(job_file: str | Path, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """`environ`, and what only `.env` beside the job file has. A job of no file has none.

    Raises:
        JobError: the file cannot be read, or a line of it is no NAME=value.
    """
    file = Path(job_file).parent / DOT_ENV
    if not Path(job_file).is_absolute() or not file.exists() or file.is_dir():  # a virtual environment may be called so
        return environ
    return {**_read(file), **environ}


def _read(file: Path) -> dict[str, str]:
    from dotenv.parser import parse_stream  # noqa: PLC0415 (few jobs have such a file)

    try:
        lines = list(parse_stream(io.StringIO(read_text(file))))
    except UnicodeDecodeError:
        raise JobError(f"{file}: is no text in UTF-8. It holds one NAME=value a line") from None
    except OSError as error:
        raise JobError(
            f"{file}: cannot be read: {error.strerror}. It is read for keys, as it is beside the job file"
        ) from None
    for line in lines:
        if line.error or (line.key is not None and line.value is None):
            raise JobError(f"{file}: line {line.original.line}: is not NAME=value. Mend it, or begin it with #")
    return {line.key: line.value for line in lines if line.key is not None and line.value is not None}
