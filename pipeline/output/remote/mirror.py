"""The local side of a remote output: a folder where the run works as on any disk, and what is known of the far side.

Below PIPELINE_WORKDIR (else $XDG_STATE_HOME/ledger-pipeline, else ~/.local/state/ledger-pipeline) each URL has a folder
of its own. State, not cache: answers that have not been uploaded yet are there and nowhere else.
"""

import json
import re
import uuid
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.documents.sources.filesystems import s3_endpoint
from pipeline.errors import JobError, LedgerError
from pipeline.job.folder import CALLS, KEPT_LEDGER, LEDGER, RESULTS, RUN, read_text
from pipeline.job.settings import REMOTE
from pipeline.ledger.lock import require_local
from pipeline.output.remote.objects import Stamp
from pipeline.output.write import write_json

WORKDIR = "PIPELINE_WORKDIR"
NOTE = "remote.json"
OUT = "out"
NO_TERMS = (0, 0)
IN_ORDER = (RESULTS, CALLS, LEDGER, RUN)  # of upload: what speaks of the others comes last


def is_remote(url: str) -> bool:
    return url.startswith(REMOTE)


class Known(Struct, frozen=True):
    """An object that this mirror had in hand: its version there, and the file's size and time here."""

    stamp: Stamp
    size: int
    mtime_ns: int

    def is_of(self, path: Path) -> bool:
        """Whether the file is still the one that was copied."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


def known_of(stamp: Stamp, path: Path) -> Known:
    found = path.stat()
    return Known(stamp, found.st_size, found.st_mtime_ns)


class Mirror:
    """One URL's folder on this machine. `home` holds the lock and the note, `folder` the output's files."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self.home = _root(environ) / _name(self.url, environ)
        self.folder = self.home / OUT
        note = self._note()
        self.holder = str(note.get("holder") or uuid.uuid4().hex)
        self.known: dict[str, Known] = {
            name: Known(Stamp(e_tag, version), size, mtime_ns)
            for name, (e_tag, version, size, mtime_ns) in note.get("known", {}).items()
        }
        first, last = note.get("own_terms", NO_TERMS)
        self.own_terms: tuple[int, int] = (first, last)  # first and last of the sessions that wrote the ledger here

    def make(self) -> None:
        """Make the folders.

        Raises:
            JobError: they cannot be made, or the disk is not one for a ledger.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            require_local(self.folder)
            self.keep_note()
        except (OSError, LedgerError) as error:
            raise JobError(
                f"{self.url} needs a local folder to work in, and {self.folder} is none: {error}. "
                f"Name another in {WORKDIR}"
            ) from None

    def keep_known(self, name: str, known: Known) -> None:
        """This version is what the file here is, or was copied from."""
        self.known[name] = known
        self.keep_note()

    def ours(self, term: int, *, following: bool) -> None:
        """The ledger here is written by the session of this term. `following`: the one before was of here as well."""
        self.own_terms = (self.own_terms[0] if following and any(self.own_terms) else term, term)
        self.keep_note()

    def not_ours(self) -> None:
        """The ledger here is what the bucket has, which may be less than was written."""
        if self.own_terms != NO_TERMS:
            self.own_terms = NO_TERMS
            self.keep_note()

    def keep_note(self) -> None:
        known = {name: (one.stamp.e_tag, one.stamp.version, one.size, one.mtime_ns) for name, one in self.known.items()}
        note = {"url": self.url, "holder": self.holder, "known": known, "own_terms": self.own_terms}
        write_json(self.home / NOTE, note)

    def files(self) -> list[str]:
        """What there is to upload, in the order in which it is to be."""
        there = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
        kept = sorted(name for name in there if KEPT_LEDGER.fullmatch(name))
        return [*kept, *(name for name in IN_ORDER if name in there)]

    def _note(self) -> dict[str, Any]:
        try:
            note = json.loads(read_text(self.home / NOTE))
        except (OSError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}


def _root(environ: Mapping[str, str]) -> Path:
    if environ.get(WORKDIR):
        return Path(environ[WORKDIR]).expanduser().absolute()
    state = environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path("~/.local/state").expanduser()) / "ledger-pipeline"


def _name(url: str, environ: Mapping[str, str]) -> str:
    """Readable, and another for the same bucket name on another server."""
    scheme, _, rest = url.partition("://")
    digest = blake2b(f"{s3_endpoint(environ) if scheme == 's3' else ''}\x00{url}".encode(), digest_size=8)
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', rest)[-60:].strip('-.')}-{digest.hexdigest()}"
