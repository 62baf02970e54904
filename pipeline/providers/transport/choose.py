"""Which transport carries a job's calls: our own client on the hot path, an official SDK, or instructor's client."""

from pipeline.job.instructor import name_in
from pipeline.job.settings import Job
from pipeline.providers import Credentials, Transport
from pipeline.providers.transport.http import HttpTransport


def transport_for(job: Job, credentials: Credentials) -> Transport:
    """The transport that `model.provider` and `model.transport` name.

    Raises:
        JobError: the SDK is not installed; prints the command that installs it.
    """
    if name_in(job.model.provider):
        from pipeline.providers.instructor.transport import InstructorTransport  # noqa: PLC0415 (few jobs use it)

        return InstructorTransport(job.model, job.limits, credentials)
    if job.model.transport == "sdk":
        from pipeline.providers.transport.sdk import SdkTransport  # noqa: PLC0415 (an SDK costs a second to import)

        return SdkTransport(job.model, job.limits, credentials)
    return HttpTransport(job.limits, credentials, stream=job.model.stream)
