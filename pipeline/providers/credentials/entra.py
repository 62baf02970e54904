"""Entra ID for Azure: a given token, or the chain of azure-identity, renewed before it expires.

The chain's order is its own: environment, workload or managed identity, Azure CLI, and so on. It reads the process's
environment. It is synchronous, so it is asked in a thread.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from pipeline.catalog.providers import key_variable
from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers import Credentials, settled
from pipeline.providers.credentials.keys import FixedKey, missing
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened

TOKEN_VARIABLE = "AZURE_OPENAI_AD_TOKEN"  # noqa: S105 (a name, no token)
SCOPE = "https://cognitiveservices.azure.com/.default"
SCOPES = {
    ".azure.us": "https://cognitiveservices.azure.us/.default",
    ".azure.cn": "https://cognitiveservices.azure.cn/.default",
}
RENEW_BEFORE_S = 300.0
INSTALL = "pip install 'ledger-pipeline[azure]'"


class Token(Protocol):
    @property
    def token(self) -> str: ...
    @property
    def expires_on(self) -> int: ...  # Unix time


class EntraChain(Protocol):
    """What azure-identity calls a credential."""

    def get_token(self, *scopes: str) -> Token: ...
    def close(self) -> None: ...


class EntraCredentials:
    """`variable` is where a key would be; `clock` gives Unix time."""

    def __init__(self, chain: EntraChain, scope: str, variable: str, clock: Callable[[], float] = time.time) -> None:
        self._chain = chain
        self._scope = scope
        self._variable = variable
        self._clock = clock
        self._secret = Secret("", bearer=True)
        self._expires_s = 0.0
        self._renewing = asyncio.Lock()

    async def secret(self) -> Secret:
        """The token; one call renews it for all.

        Raises:
            CallFailed: AUTH: nobody is signed in; CONNECTION: Entra cannot be reached. Not while the old token is good.
        """
        if self._clock() < self._expires_s - RENEW_BEFORE_S:
            return self._secret
        async with self._renewing:
            if self._clock() >= self._expires_s - RENEW_BEFORE_S:
                await self._renew()
        return self._secret

    async def _renew(self) -> None:
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 (an extra)

        try:
            token = await asyncio.to_thread(self._chain.get_token, self._scope)
        except AzureError as error:
            if self._clock() < self._expires_s:
                return
            kind = Kind.AUTH if isinstance(error, ClientAuthenticationError) else Kind.CONNECTION
            raise CallFailed(
                kind, shortened(f"no key in {self._variable}, and no Entra token: {error}"), sent=False
            ) from error
        self._secret = Secret(token.token, bearer=True)
        self._expires_s = float(token.expires_on)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._chain.close)


def credentials(model: Model, environ: Mapping[str, str]) -> Credentials:
    """The token that the environment gives, or the chain. Opens no connection.

    Raises:
        JobError: there is no key and no token, and azure-identity is not installed.
    """
    given = environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        return FixedKey(Secret(given, bearer=True))
    try:
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (an extra)
    except ImportError:
        raise no_key(model, f"{INSTALL}  and sign in (az login, or a managed identity)") from None
    return EntraCredentials(DefaultAzureCredential(), scope_of(settled(model, environ).base_url), key_variable(model))


def no_key(model: Model, how: str) -> JobError:
    """Names the key's variable, and the way without a key."""
    return missing(model, key_variable(model), f". Or use Entra ID instead of a key: set {TOKEN_VARIABLE}, or  {how}")


def scope_of(base_url: str) -> str:
    """What the token is for: Azure OpenAI, of the cloud that the endpoint is in."""
    host = urlsplit(base_url).hostname or ""
    return next((scope for end, scope in SCOPES.items() if host.endswith(end)), SCOPE)
