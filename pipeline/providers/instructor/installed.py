"""Whether instructor is there, knows a provider, and has its client. It is looked at only where a job names it."""

from importlib.metadata import metadata
from importlib.util import find_spec
from typing import Any

from pipeline.errors import JobError
from pipeline.job.instructor import CLOSED, NATIVE, name_in, refused
from pipeline.text import did_you_mean

INSTALL = "pip install 'ledger-pipeline[instructor]'"


def require_client(provider: str) -> None:
    """That calls to instructor:NAME can be made here.

    Raises:
        JobError: instructor or the vendor's client is not installed (prints the command), or NAME is not known to it.
    """
    if told := refused(provider):
        raise JobError(told)
    known, name = _known(provider), name_in(provider)
    if name not in known:
        names = sorted(set(known) - {*NATIVE, *CLOSED})
        hint = did_you_mean(name, names, f" It knows {', '.join(names)}")
        raise JobError(f"model.provider = {provider!r}: instructor knows no provider {name!r}.{hint}")
    module = known[name]
    if module and not _there(module):
        told = f"model.provider = {provider!r} needs the client of {name}, the module {module}, which is not installed"
        raise JobError(f"{told}. Install it:  pip install 'instructor[{_extra(name)}]'")


def _known(provider: str) -> dict[str, str]:
    """Every name that instructor has, with the module of its client; 0.03 s of imports."""
    try:
        from instructor.v2.core.provider_specs import PROVIDER_SPECS  # noqa: PLC0415 (optional)
    except ImportError as error:
        told = "needs instructor 1.17 or newer" if _there("instructor") else "needs instructor, which is not installed"
        why = f" ({error})" if _there("instructor") else ""
        raise JobError(f"model.provider = {provider!r} {told}{why}. Install it:  {INSTALL}") from None
    specs: Any = PROVIDER_SPECS.values()
    return {alias: spec.sdk_module or "" for spec in specs for alias in spec.aliases}


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of what it stands in
        return False


def _extra(name: str) -> str:
    """What instructor calls the extra that brings a vendor's client along: `fireworks-ai` of fireworks."""
    extras = metadata("instructor").get_all("Provides-Extra") or []
    return next((extra for extra in extras if extra.partition("-")[0] == name), name)
