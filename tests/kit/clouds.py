"""Jobs by batch on Bedrock and Vertex AI, whose files lie in buckets: the sandbox plays both, and the buckets."""

import json
import threading
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer

from batch_server import write

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
ROLE = "arn:aws:iam::123456789012:role/batches"
S3, GCS = "s3://mine/night", "gs://mine/night"
LEAST = 100  # requests in a job of Bedrock's
MODELS = {
    "bedrock": {"provider": "bedrock", "name": HAIKU, "region": "us-east-1", "api": "invoke"},
    "vertex": {"provider": "vertex", "name": "gemini-2.5-flash", "project": "acme", "region": "us-central1"},
}
BATCH = {"bedrock": {"role_arn": ROLE, "s3_url": S3}, "vertex": {"gcs_url": GCS}}
CLOUDS = tuple(MODELS)


def rows(number=LEAST, of="a night"):
    return [{"id": f"r{one}", "text": f"document {one} of {of}"} for one in range(number)]


def at(cloud, job, provider, lines=None, **sections):
    """A job whose requests go by batch of that cloud, with what its environment has to say."""
    job.env |= {
        "AWS_ACCESS_KEY_ID": "AKIASANDBOX1",
        "AWS_SECRET_ACCESS_KEY": "sandbox-secret",
        "AWS_ENDPOINT_URL_S3": f"{provider.root}/s3",
        "STORAGE_EMULATOR_HOST": provider.root,
    }
    sections = {
        **sections,
        "model": {**MODELS[cloud], "base_url": provider.root, **sections.get("model", {})},
        "batch": {**BATCH[cloud], **sections.get("batch", {})},
    }
    return write(job, provider, rows() if lines is None else lines, **sections)


@cache
def private_key():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


class Tokens(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"access_token": "ya29-of-tests", "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def google_account(folder):
    """The environment of a service account whose tokens come from a server here."""
    with HTTPServer(("127.0.0.1", 0), Tokens) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        account = {
            "type": "service_account",
            "client_email": "robot@example.invalid",
            "private_key": private_key(),
            "token_uri": f"http://127.0.0.1:{server.server_port}/token",
        }
        file = folder / "google-key.json"
        file.write_text(json.dumps(account))
        try:
            yield {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
        finally:
            server.shutdown()
            thread.join()
