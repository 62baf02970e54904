"""Which transport carries a job's calls: our own client on the hot path, or the provider's official SDK."""

from pipeline.job.settings import Job
from pipeline.providers import Credentials, Transport
from pipeline.providers.transport.http import HttpTransport


def transport_for(job: Job, credentials: Credentials) -> Transport:
    """The transport that `model.transport` names.

    Raises:
        JobError: the SDK is not installed; prints the command that installs it.
    """
    if job.model.transport == "sdk":
        from pipeline.providers.transport.sdk import SdkTransport  # noqa: PLC0415 (an SDK costs a second to import)

        return SdkTransport(job.model, job.limits, credentials)
    return HttpTransport(job.limits, credentials, stream=job.model.stream)
