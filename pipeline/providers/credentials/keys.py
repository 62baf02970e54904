"""The key of a provider, by its name in the environment; clouds have chains of their own, each in its own module."""

from collections.abc import Mapping
from importlib import import_module

from pipeline.catalog.providers import PROVIDERS, key_variable
from pipeline.errors import JobError
from pipeline.job.settings import Model
from pipeline.providers import Credentials
from pipeline.providers.credentials.secret import Secret

OTHER_NAMES = {
    "GEMINI_API_KEY": ("GOOGLE_API_KEY",),
    "CO_API_KEY": ("COHERE_API_KEY",),
    "DATABRICKS_TOKEN": ("DATABRICKS_API_KEY",),
}


class FixedKey:
    """A key that does not change while the run lasts."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def secret(self) -> Secret:
        return self._secret

    async def aclose(self) -> None:
        pass


def credentials_for(model: Model, environ: Mapping[str, str]) -> Credentials:
    """What lets the calls of a job in. Reads the environment and local files; opens no connection.

    Raises:
        JobError: there is none; says which variable to set, or which extra to install.
    """
    entry = PROVIDERS[model.provider]
    if not entry.needs_key:
        return FixedKey(Secret(entry.name, public=True))
    variable = key_variable(model)
    value = key_in(environ, variable)
    if value:
        return FixedKey(Secret(value))
    if entry.credentials:
        module, _, name = entry.credentials.partition(":")
        found: Credentials = getattr(import_module(module), name)(model, environ)
        return found
    raise missing(model, variable)


def key_in(environ: Mapping[str, str], variable: str) -> str:
    for name in (variable, *OTHER_NAMES.get(variable, ())):
        if name and environ.get(name, "").strip():
            return environ[name].strip()
    return ""


def missing(model: Model, variable: str, otherwise: str = "") -> JobError:
    """The error of a key that is not there."""
    return JobError(
        f"the environment variable {variable} holds no key for {model.provider}. Set it:  export {variable}=...  "
        f"or in a file .env beside the job file (another variable: model.api_key_env){otherwise}"
    )
