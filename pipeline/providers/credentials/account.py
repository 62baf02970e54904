"""Whose account a job's calls go to, as a digest: two runs with the same one share its limits."""

import hashlib
import json
from collections.abc import Mapping

from pipeline.catalog.names import undated
from pipeline.catalog.providers import key_variable
from pipeline.job.settings import Model
from pipeline.providers.credentials.keys import key_in

PROJECT = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
IDENTITY = (  # whom the chains of the clouds come to, where there is no key
    "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "HOME",
)  # fmt: skip
PATHS = ("/chat/completions", "/responses")  # two ways to one account's model


def account_digest(model: Model, url: str, environ: Mapping[str, str]) -> str:
    """Of endpoint, credential and model, 24 hexadecimal digits: nothing of a key can be found in it."""
    for path in PATHS:
        url = url.removesuffix(path)
    key = key_in(environ, key_variable(model))
    who = [environ.get(name, "") for name in (PROJECT if key else IDENTITY)]
    words = [model.provider, url, model.region, undated(model.name), key, *who]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]
