"""Jobs of Bedrock and Vertex AI, and their buckets, as the sandbox plays them: as strict as the clouds are."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from batch_client import LENGTH_S, Batches, parsed
from batch_lines import asked, made
from clouds import BATCH, CLOUDS, LEAST, MODELS
from sandbox_client import STUB, client_of

from pipeline.job.settings import Batch, Model, Sandbox
from pipeline.providers.batches import batch_wire_for, line_model
from pipeline.providers.credentials.secret import Secret
from pipeline.sandbox.wires.bedrock import sigv4
from pipeline.types import HttpAnswer

KEYS = {"bedrock": Secret(sigv4.SECRET, "AKIASANDBOX1"), "vertex": Secret("a token", bearer=True)}
each = pytest.mark.parametrize("cloud", CLOUDS)


class Cloud(Batches):
    """What our own wire asks, sent as it is."""

    def __init__(self, client, cloud, **batch):
        super().__init__(client, {})
        model = line_model(Model(**MODELS[cloud], base_url=client.url, max_output_tokens=50))
        environ = {"AWS_ENDPOINT_URL_S3": f"{client.url}/s3", "STORAGE_EMULATOR_HOST": client.url}
        self.live, _ = made(model, batch=Batch(**BATCH[cloud]))
        self.wire = batch_wire_for(model, self.live, Batch(**{**BATCH[cloud], **batch}), environ)
        self.secret = KEYS[cloud]

    async def send(self, ask, lines=()):
        body = ask.head + (ask.between.join(lines) if ask.lines else b"") + ask.tail
        headers = {**self.wire.headers(ask, self.secret, datetime.now(UTC)), **ask.headers}
        headers |= {"Content-Type": ask.content_type} if ask.content_type else {}
        return await self.ask(ask.method, ask.url, data=body or None, headers=headers)

    def lines(self, number=LEAST):
        return [self.wire.line(f"n-{one}", self.live.body(asked(f"document {one}"))) for one in range(number)]

    async def created(self, lines, nonce="n0nce"):
        assert (await self.send(self.wire.upload(nonce), lines))[0] in {200, 204}
        status, told = await self.send(self.wire.create(nonce, ""))
        assert status == 200, told
        return told.get("jobArn") or told["name"]

    async def look(self, name):
        return (await self.send(self.wire.look(name)))[1]


@asynccontextmanager
async def at(cloud, **batch):
    async with client_of(Sandbox(batch_s=LENGTH_S), STUB) as client:
        yield Cloud(client, cloud, **batch)


def run(cloud, test, **batch):
    async def main():
        async with at(cloud, **batch) as there:
            await test(there)

    asyncio.run(main())


@each
def test_results_are_in_the_bucket_once_the_job_has_ended(cloud):
    async def test(there):
        name = await there.created(there.lines())
        told = await there.look(name)
        assert told.get("status", told.get("state")) in {"Validating", "JOB_STATE_PENDING"}
        await there.turn(LENGTH_S)
        told = await there.look(name)
        if cloud == "bedrock":
            assert {key: told[key] for key in told if key.endswith("RecordCount")} == {
                "totalRecordCount": LEAST,
                "processedRecordCount": LEAST,
                "successRecordCount": LEAST,
                "errorRecordCount": 0,
            }
            uri = f"{BATCH[cloud]['s3_url']}/n0nce/{name.rpartition('/')[2]}/n0nce.jsonl.out"
            lines = parsed((await there.send(there.wire._bucket.fetch(uri)))[1])
            assert {line["recordId"] for line in lines} == {f"n-{one}" for one in range(LEAST)}
            assert all("modelInput" in line for line in lines)
            return
        assert told["completionStats"] == {"successfulCount": str(LEAST)}
        names, _ = there.wire._bucket.names(await answer(there, told["outputInfo"]["gcsOutputDirectory"]))
        texts = [(await there.send(there.wire._bucket.fetch(uri)))[1] for uri in names]
        assert [len(parsed(text)) for text in texts] == [LEAST, 0]

    run(cloud, test)


async def answer(there, folder):
    status, body = await there.send(there.wire._bucket.contents(folder))
    return HttpAnswer(status, {}, json.dumps(body).encode())


def test_the_same_token_is_the_same_job_of_bedrock():
    async def test(there):
        first, second = await there.created(there.lines()), await there.created(there.lines())
        assert first == second != await there.created(there.lines(), "other")
        assert (await there.counters())["batches_created"] == 2

    run("bedrock", test)


def test_fewer_than_a_hundred_records_are_no_job_of_bedrock():
    async def test(there):
        name = await there.created(there.lines(LEAST - 1))
        await there.turn(LENGTH_S)
        told = await there.look(name)
        assert (told["status"], "required minimum of: 100" in told["message"]) == ("Failed", True)
        assert (await there.counters())["batch_lines_billed"] == 0

    run("bedrock", test)


def test_an_empty_object_fails_a_job_of_vertex():
    async def test(there):
        name = await there.created([*there.lines(3), b'{"request":{"contents":[],"tools":[{}]}}'])
        await there.turn(LENGTH_S)
        told = await there.look(name)
        assert (told["state"], told["error"]["code"]) == ("JOB_STATE_FAILED", 13)

    run("vertex", test)


def test_what_is_not_signed_gets_nowhere():
    async def test(there):
        for ask in (there.wire.upload("n"), there.wire.create("n", ""), there.wire.look("arn:x"), there.wire.listing()):
            there.secret = Secret("another-secret", "AKIASANDBOX1")
            assert (await there.send(ask))[0] == 403
            there.secret = KEYS["bedrock"]
            assert (await there.send(ask))[0] != 403

    run("bedrock", test)


@pytest.mark.parametrize(
    ("cloud", "batch", "status"),
    [
        ("bedrock", {"s3_url": "s3://missing-bucket"}, 404),
        ("bedrock", {"s3_url": "s3://forbidden-bucket"}, 403),
        ("bedrock", {"s3_url": "s3://elsewhere-bucket"}, 301),
        ("vertex", {"gcs_url": "gs://missing-bucket"}, 404),
        ("vertex", {"gcs_url": "gs://forbidden-bucket"}, 403),
    ],
)
def test_some_buckets_cannot_be_used(cloud, batch, status):
    async def test(there):
        assert (await there.send(there.wire.upload("n"), there.lines(1)))[0] == status

    run(cloud, test, **batch)
