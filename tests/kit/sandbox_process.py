"""The sandbox as a user would start it, and keys of every provider for it."""

import json
import subprocess
import urllib.request
from contextlib import contextmanager

from warm_start import launcher

KEYS = {
    "OPENAI_API_KEY": "sk-end-to-end-key",
    "AZURE_OPENAI_API_KEY": "azure-end-to-end-key",
    "ANTHROPIC_API_KEY": "sk-ant-end-to-end-key",
    "GEMINI_API_KEY": "gemini-end-to-end-key",
    "AWS_BEARER_TOKEN_BEDROCK": "bedrock-end-to-end-token",
    "VERTEX_KEY": "vertex-end-to-end-key",
}


@contextmanager
def sandbox(*flags):
    command = [launcher(), "-m", "pipeline", "sandbox", "--port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def counters(url):
    with urllib.request.urlopen(url + "/_sandbox/counters") as answer:
        return json.load(answer)


def turn(url, seconds):
    """The sandbox's clock for batches, forward."""
    body = json.dumps({"advance_s": seconds}).encode()
    with urllib.request.urlopen(urllib.request.Request(url + "/_sandbox/clock", body, method="POST")):
        pass
