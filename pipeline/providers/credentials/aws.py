"""What lets calls into Bedrock: its own API key, keys in the environment, or whatever else AWS's chain of them finds.

Keys that are there at the start need no SDK. What has to be fetched, and renewed while the run goes on (a profile's
role, single sign-on, web identity, a container's or a machine's role), is fetched at first use, by aiobotocore.
"""

import asyncio
from collections.abc import Mapping
from configparser import Error as UnreadableError
from configparser import RawConfigParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import CallFailed, JobError, Kind
from pipeline.job.settings import Model
from pipeline.providers import Credentials
from pipeline.providers.credentials.keys import FixedKey, key_in, missing
from pipeline.providers.credentials.secret import Secret
from pipeline.providers.hints import shortened

BEARER = "AWS_BEARER_TOKEN_BEDROCK"
KEY_ID, SECRET_KEY, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
IN_PROFILES = {  # keys of a profile that lead to credentials
    *("aws_access_key_id", "credential_process", "credential_source", "login_session", "role_arn"),
    *("source_profile", "sso_account_id", "sso_session", "sso_start_url", "web_identity_token_file"),
}
FETCHED = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
METADATA, NO_METADATA = "AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_EC2_METADATA_DISABLED"
MACHINES = {"/sys/devices/virtual/dmi/id/sys_vendor": "Amazon EC2", "/sys/hypervisor/uuid": "ec2"}
INSTALL = "pip install 'ledger-pipeline[aws]'"
TO_SET = f"Set {BEARER} (a Bedrock API key), or {KEY_ID} and {SECRET_KEY}, or AWS_PROFILE"


def credentials(model: Model, environ: Mapping[str, str]) -> Credentials:
    """Where the secret of a job's calls comes from. Reads the environment and local files; opens no connection.

    Raises:
        JobError: there is none, or half of one, or the SDK that would fetch it is not installed.
    """
    bearer = BEARER if model.lane == "live" else ""  # it opens no bucket, which batches need
    for variable in filter(None, (model.api_key_env, bearer)):
        if value := key_in(environ, variable):
            return FixedKey(Secret(value, bearer=True))
        if variable == model.api_key_env:
            raise missing(model, variable)
    key_id, secret = key_in(environ, KEY_ID), key_in(environ, SECRET_KEY)
    if key_id and secret:
        return FixedKey(Secret(secret, key_id, key_in(environ, TOKEN)))
    if key_id or secret:
        raise JobError(f"the environment has only one of {KEY_ID} and {SECRET_KEY}. Set both")
    if not _can_be_fetched(environ):
        lacking = "" if bearer else f". {BEARER} opens no bucket, and batches need one"
        raise JobError(f"no AWS credentials were found for bedrock. {TO_SET}{lacking}")
    if find_spec("aiobotocore") is None:
        raise JobError(f"AWS credentials of this kind need the AWS SDK. Install it:  {INSTALL}")
    return AwsChain(model.region)


class AwsChain:
    """AWS's own chain of credentials, renewed before they expire."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._found: Any = None
        self._frozen: Any = None
        self._secret = Secret("")
        self._finding = asyncio.Lock()

    async def secret(self) -> Secret:
        """The secret to use now.

        Raises:
            CallFailed: AUTH: none is found, or it cannot be renewed; CONNECTION: who gives it out was not reached.
        """
        try:
            found = self._found or await self._first()
            frozen = None if found is None else await found.get_frozen_credentials()
        except Exception as error:  # files, processes and services of the user's own: anything can be raised
            raise _failed(error) from error
        if frozen is None:
            raise CallFailed(Kind.AUTH, f"AWS's credential chain found nothing. {TO_SET}", sent=False)
        if frozen != self._frozen:
            self._frozen = frozen
            self._secret = Secret(frozen.secret_key, frozen.access_key, frozen.token or "")
        return self._secret

    async def aclose(self) -> None:
        pass

    async def _first(self) -> Any:  # noqa: ANN401 (the SDK has no types)
        """Asked for once, however many calls wait for it."""
        async with self._finding:
            if self._found is None:
                session = await asyncio.to_thread(_session, self._region)  # half a second of imports
                self._found = await session.get_credentials()
            return self._found


def _session(region: str) -> Any:  # noqa: ANN401 (the SDK has no types)
    session = import_module("aiobotocore.session").get_session()
    if region:
        session.set_config_variable("region", region)
    return session


def _failed(error: Exception) -> CallFailed:
    names = import_module("botocore.exceptions")
    unreached = isinstance(error, (names.HTTPClientError, names.ConnectionError))
    kind = Kind.CONNECTION if unreached else Kind.AUTH
    return CallFailed(kind, shortened(f"no AWS credentials: {type(error).__name__}: {error}"), sent=False)


def _can_be_fetched(environ: Mapping[str, str]) -> bool:
    """Whether anything on this machine leads to credentials.

    Raises:
        JobError: the profile that the environment names is in no file.
    """
    if any(environ.get(name) for name in FETCHED):
        return True
    named = next((environ[name] for name in PROFILES if environ.get(name)), "")
    profiles = _profiles(environ)
    if named and named not in profiles:
        there = f"Profiles there: {', '.join(sorted(profiles))}" if profiles else "There are none"
        raise JobError(f"AWS_PROFILE names {named!r}, which is not in AWS's config and credentials files. {there}")
    if profiles.get(named or "default"):
        return True
    return environ.get(NO_METADATA, "").lower() != "true" and (bool(environ.get(METADATA)) or _is_ec2())


def _profiles(environ: Mapping[str, str]) -> dict[str, bool]:
    """Name → whether it leads to credentials, over both of AWS's files.

    Raises:
        JobError: one of them cannot be read.
    """
    found: dict[str, bool] = {}
    for variable, place in FILES.items():
        path = environ.get(variable) or place
        parser = RawConfigParser(strict=False, default_section="", allow_no_value=True)
        try:
            parser.read(Path(path).expanduser(), encoding="utf-8")
        except (UnreadableError, OSError, UnicodeDecodeError) as error:
            raise JobError(f"{path} cannot be read: {error}") from None
        for section in parser.sections():
            name = section.removeprefix("profile ").strip().strip("\"'")
            found[name] = found.get(name, False) or not IN_PROFILES.isdisjoint(parser[section])
    return found


def _is_ec2() -> bool:
    """By what the machine says of itself, without asking over the network."""
    for path, start in MACHINES.items():
        try:
            if Path(path).read_text(encoding="ascii", errors="replace").startswith(start):
                return True
        except OSError:
            continue
    return False
