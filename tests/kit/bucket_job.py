"""A job whose output is in a bucket, on a machine that may be another one."""

import json

from s3_server import AWS
from scripted_server import Scripted

URL = "s3://out/night"


def in_bucket(job, s3, server, *, delay_s, **environ):
    """The job's environment; `job.machine("b")` makes it another machine's. Answers take a moment."""
    server.script = lambda document, nth, body: Scripted(
        text=json.dumps({"name": document, "total": "1"}), delay_s=delay_s
    )
    job.env |= {**AWS, "AWS_ENDPOINT_URL": s3, **environ}

    def machine(name):
        job.env["PIPELINE_WORKDIR"] = str(job.folder / name)
        return job

    job.machine = machine
    return machine("a")
