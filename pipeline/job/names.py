"""A model in one word, as a program or a flag names it. Pure."""

from typing import get_args

from pipeline.errors import JobError
from pipeline.job.instructor import PREFIX
from pipeline.job.settings import Provider
from pipeline.text import did_you_mean


def provider_and_model(text: str, called: str) -> tuple[str, str]:
    """PROVIDER:NAME in two; `called` is what stands before it in a message.

    Raises:
        JobError: it is none, or of no provider that there is.
    """
    head = PREFIX if text.startswith(PREFIX) else ""
    provider, colon, name = text.removeprefix(head).partition(":")
    known = get_args(Provider)
    if not colon or not provider or not name:
        told = f'should be PROVIDER:NAME, such as "openai:gpt-4o-mini". Providers: {", ".join(known)}'
        raise JobError(f"{called}{text!r} {told}")
    if not head and provider not in known:
        told = did_you_mean(provider, known, f" Providers: {', '.join(known)}")
        raise JobError(f"{called}{text!r}: there is no provider {provider!r}.{told}")
    return head + provider, name
