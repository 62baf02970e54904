"""Of the run's environment, what its workers need for their calls: the names that the providers' chains look at."""

import contextlib
from collections.abc import Iterator, Mapping

from pipeline.errors import JobError
from pipeline.extraction.prepare import Prepared
from pipeline.providers import settled
from pipeline.providers.credentials.keys import credentials_for

OF_THE_MACHINE = {"HOME", "USERPROFILE", "APPDATA", "PATH", "TMPDIR"}
PREFIXES = {"azure": ("AZURE_",), "bedrock": ("AWS_",)}  # whose SDKs read the environment themselves
OF_BUCKET = {"s3": ("AWS_",), "gs": ("GOOGLE_", "STORAGE_EMULATOR_"), "az": ("AZURE_",), "abfss": ("AZURE_",)}
OF_BUCKETS = tuple(dict.fromkeys(name for names in OF_BUCKET.values() for name in names))  # a table may name any


class _Watched(Mapping[str, str]):
    """An environment that remembers what was looked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def needed(prepared: Prepared, environ: Mapping[str, str]) -> dict[str, str]:
    """Name → value. A chain that finds nothing here may find it there, as a node's own role."""
    models, watched = [one.job.model for one in (prepared, *prepared.models.values())], _Watched(environ)
    for model in models:
        settled(model, watched)
        with contextlib.suppress(JobError):
            credentials_for(model, watched)
    names = watched.read - OF_THE_MACHINE
    if password := prepared.job.documents.password_env:
        names.add(password)
    prefixes = tuple(start for model in models for start in PREFIXES.get(model.provider, ()))
    if prepared.source.documents:
        scheme = prepared.job.input.path.partition("://")[0]
        prefixes += OF_BUCKETS if prepared.job.input.document else OF_BUCKET.get(scheme, ())
    names |= {name for name in environ if prefixes and name.startswith(prefixes)}
    return {name: environ[name] for name in sorted(names) if name in environ}
