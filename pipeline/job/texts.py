"""Texts of a job that stand in files of their own: `extract.prompt_file` and `extract.system_file`.

A text means the same, and is hashed the same, in the job file and in a file beside it.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.job.settings import REMOTE
from pipeline.job.values import WrongValue

FILES: Mapping[str, str] = {"prompt": "prompt_file", "system": "system_file"}  # by the key whose text they hold
MOST_BYTES = 1 << 24  # no window holds as much


def with_texts(values: Mapping[str, Any], folder: Path, wrong: list[str]) -> dict[str, Any]:
    """The values of [extract] with what its files hold in place of the texts, and with the files' absolute paths.

    `folder` is the job file's. What is wrong with a file is added to `wrong`; a path that is no string is left to
    whoever checks types.
    """
    read = dict(values)
    for key, file_key in FILES.items():
        given = values.get(file_key)
        if not isinstance(given, str) or not given:
            continue
        read[file_key] = os.path.normpath((folder / os.path.expanduser(given)).absolute())  # noqa: PTH111 (never raises)
        if key in values:
            wrong.append(f"extract.{key} and extract.{file_key} are both given: leave out one of them")
            continue
        try:
            read[key] = _text(given, read[file_key], f"extract.{file_key}")
        except WrongValue as error:
            wrong.append(str(error))
            continue
        if key == "prompt" and not read[key].strip():
            wrong.append(f"extract.{file_key} = {given!r} is empty. Write the prompt in it, with {{text}}")
    return read


def drop_replaced(values: dict[str, Any], overridden: Collection[str]) -> None:
    """A text that the command line gives goes before the job file's, in whichever of both keys that stands."""
    for key, file_key in FILES.items():
        text, file = (f"extract.{one}" in overridden for one in (key, file_key))
        if text and not file:
            values.pop(file_key, None)
        if file and not text and values.get(file_key) != "":
            values.pop(key, None)


def _text(given: str, path: str, key: str) -> str:
    """What the file holds, without the line break at its end: an editor's, and not of the text."""
    file, told = Path(path), f"{key} = {given!r}"
    if given.startswith(REMOTE):
        raise WrongValue(f"{told} should be a file on this machine")
    try:
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "is no plain file" if file.exists() else "there is no such file"
            raise WrongValue(f"{told}: {what}: {path}. It should be a text file, from the job file's folder")
        if (size := file.stat().st_size) > MOST_BYTES:
            raise WrongValue(f"{told}: has {size:,} bytes, more than any model takes: {path}")
        text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise WrongValue(f"{told}: is no text in UTF-8: {error.reason} at byte {error.start}: {path}") from None
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        raise WrongValue(f"{told}: cannot be read: {error}") from None
    return text.removesuffix("\n")
