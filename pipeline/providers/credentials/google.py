"""Google's application default credentials: a bearer token, renewed in a thread before it expires.

They are looked for where Google's own libraries look: the file that GOOGLE_APPLICATION_CREDENTIALS names, the file that
gcloud writes, the metadata server of a machine at Google. Nothing is asked over the network until a call needs a token.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers.credentials.keys import missing
from pipeline.providers.credentials.secret import NONE, Secret
from pipeline.providers.hints import shortened

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
GCLOUD_FILE = "application_default_credentials.json"
AT_GOOGLE = (
    "GCE_METADATA_HOST",
    "GCE_METADATA_IP",
    "K_SERVICE",
    "CLOUD_RUN_JOB",
    "GAE_SERVICE",
)  # set on Google's side
PRODUCT = Path("/sys/class/dmi/id/product_name")  # says Google on its virtual machines and in their containers
INSTALL = "pip install 'ledger-pipeline[google]'"
RENEWAL_S = 30.0  # of one request to the token's server
HOLD_OFF_S = 20.0  # between renewals that fail while the old token is still good
LOADERS = {  # type in the file → where it is read; external accounts are of three kinds, see `_external`
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info"),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials",
        "from_impersonated_service_account_info",
    ),
    "external_account_authorized_user": ("google.auth.external_account_authorized_user", "from_info"),
}


class Renewed:
    """A google-auth credential, and the token that it has now. One renewal at a time, shared by all who wait for it."""

    def __init__(self, found: Any) -> None:  # noqa: ANN401 (google-auth is optional: its types are not known here)
        self._found = found
        self._secret = NONE
        self._renewal: asyncio.Task[None] | None = None
        self._hold_off_until_s = 0.0
        transport = import_module("google.auth.transport.requests")
        self._session = import_module("requests").Session()
        self._request = partial(transport.Request(self._session), timeout=RENEWAL_S)

    async def secret(self) -> Secret:
        """The token; a new one from some minutes before the old one expires.

        Raises:
            CallFailed: AUTH: the credentials are no longer good; CONNECTION: their server cannot be reached.
        """
        clock = asyncio.get_running_loop().time
        state = self._found.token_state.name  # FRESH, STALE: expires in 3:45 or less, INVALID
        if state == "INVALID" or (state == "STALE" and clock() >= self._hold_off_until_s):
            try:
                await self._renewed()
            except CallFailed:
                if self._found.token_state.name == "INVALID":
                    raise
                self._hold_off_until_s = clock() + HOLD_OFF_S
        if self._secret.value != self._found.token:
            self._secret = Secret(self._found.token, bearer=True)
        return self._secret

    async def aclose(self) -> None:
        self._session.close()

    async def _renewed(self) -> None:
        """Shielded: who stops waiting does not stop the renewal of the others."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_seen)
        await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        errors = import_module("google.auth.exceptions")
        try:
            await asyncio.to_thread(self._found.refresh, self._request)
        except (errors.GoogleAuthError, ValueError) as error:
            raise failure(error) from error


def credentials(model: Model, environ: Mapping[str, str]) -> Renewed:
    """The credentials of a job on Vertex AI that has no API key. Reads files; opens no connection.

    Raises:
        JobError: there are none, or they cannot be used, or google-auth is not installed.
    """
    if model.api_key_env:
        raise missing(model, model.api_key_env)
    try:
        import_module("google.auth.transport.requests")
    except ImportError:
        raise JobError(f"model.provider = {model.provider!r} needs google-auth. Install it:  {INSTALL}") from None
    file = _file(environ)
    if file is not None:
        return Renewed(_loaded(file))
    if any(environ.get(name) for name in AT_GOOGLE) or _is_googles(PRODUCT):
        return Renewed(import_module("google.auth.compute_engine").Credentials(scopes=SCOPES))
    raise JobError(
        f"no Google credentials found. Set {FILE} to a key file, or run:  gcloud auth application-default login  "
        "(an API key of Vertex express mode: model.api_key_env)"
    )


def failure(error: Exception) -> CallFailed:
    """Why a token could not be renewed: out of reach, which passes, or no longer good for it."""
    errors = import_module("google.auth.exceptions")
    unreached = isinstance(error, errors.TransportError) or isinstance(error.__cause__, errors.TransportError)
    passing = unreached or getattr(error, "retryable", False) is True
    kind = Kind.CONNECTION if passing else Kind.AUTH
    said = shortened(f"the Google token cannot be renewed: {error}")
    return CallFailed(kind, said, sent=False)


def _file(environ: Mapping[str, str]) -> Path | None:
    named = environ.get(FILE, "").strip()
    if named:
        return Path(named).expanduser()
    home = environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
    windows = environ.get("APPDATA")
    folder = environ.get("CLOUDSDK_CONFIG") or (f"{windows}/gcloud" if windows else f"{home}/.config/gcloud")
    found = Path(folder) / GCLOUD_FILE
    return found if found.is_file() else None


def _loaded(file: Path) -> Any:  # noqa: ANN401 (google-auth is optional: its types are not known here)
    """The credential in a file.

    google-auth's own function for any type asks external accounts for their project, over the network; so each is
    read by its type.
    """
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"{file}: the Google credentials cannot be read: {error}. Set {FILE} to a key file") from None
    kind = info.get("type") if isinstance(info, dict) else None
    if kind == "external_account":
        module, method = _external(info)
    elif kind in LOADERS:
        module, method = LOADERS[kind]
    else:
        known = ", ".join((*LOADERS, "external_account"))
        raise JobError(f"{file}: holds no Google credentials: type is {kind!r}, and should be one of {known}")
    scopes = {} if kind == "external_account_authorized_user" else {"scopes": SCOPES}
    errors = import_module("google.auth.exceptions")
    try:
        return getattr(import_module(module).Credentials, method)(info, **scopes)
    except (errors.GoogleAuthError, ValueError, KeyError, TypeError) as error:
        said = shortened(str(error))
        raise JobError(f"{file}: the Google credentials ({kind}) are not complete or not valid: {said}") from None


def _external(info: Mapping[str, Any]) -> tuple[str, str]:
    """Which of the three kinds of workload identity a file is of."""
    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return "google.auth.aws", "from_info"
    source = info.get("credential_source")
    if isinstance(source, dict) and "executable" in source:
        return "google.auth.pluggable", "from_info"
    return "google.auth.identity_pool", "from_info"


def _is_googles(product: Path) -> bool:
    try:
        return product.read_text(encoding="utf-8", errors="replace").startswith("Google")
    except OSError:
        return False


def _seen(renewal: "asyncio.Task[None]") -> None:
    """A failed renewal that nobody waits for any more is no event."""
    if not renewal.cancelled():
        renewal.exception()
