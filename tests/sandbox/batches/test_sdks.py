"""The vendors' own SDKs against the sandbox's batches: create, poll, results, cancel; the clock is turned."""

import asyncio
import io
import json
from urllib.request import urlopen

import pytest
from batch_client import LENGTH_S, jsonl, line, message, question
from sandbox_client import client_of

from pipeline.job.settings import Sandbox


def served(use):
    """`use(url, turn)` in a thread, as these SDKs block."""

    async def main():
        async with client_of(Sandbox(batch_s=LENGTH_S)) as client:

            def turn(advance_s=LENGTH_S):
                urlopen(f"{client.url}/_sandbox/clock", json.dumps({"advance_s": advance_s}).encode()).close()

            return await asyncio.to_thread(use, client.url, turn)

    return asyncio.run(main())


def test_openais():
    openai = pytest.importorskip("openai")

    def use(url, turn):
        with openai.OpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0) as client:
            lines = jsonl([line(f"n-{number}", str(number)) for number in range(3)])
            file = client.files.create(file=("lines.jsonl", lines), purpose="batch")
            wanted = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
            one, other = (client.batches.create(**wanted, metadata={"nonce": name}) for name in ("a", "b"))
            assert client.batches.cancel(other.id).status == "cancelling"
            turn()
            batch = client.batches.retrieve(one.id)
            assert (batch.status, batch.request_counts.completed) == ("completed", 3)
            found = client.files.content(batch.output_file_id).text
            assert [one.metadata["nonce"] for one in client.batches.list(limit=1)] == ["b", "a"]
            assert client.batches.retrieve(other.id).status == "cancelled"
            assert client.files.delete(file.id).deleted
            return found.count("chat.completion")

    assert served(use) == 3


def test_anthropics():
    anthropic = pytest.importorskip("anthropic")

    def use(url, turn):
        with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0) as client:
            requests = [message(f"n-{number}", str(number)) for number in range(3)]
            one, other = (client.messages.batches.create(requests=requests) for _ in range(2))
            assert client.messages.batches.cancel(other.id).processing_status == "canceling"
            turn()
            batch = client.messages.batches.retrieve(one.id)
            assert (batch.processing_status, batch.request_counts.succeeded) == ("ended", 3)
            assert [one.id for one in client.messages.batches.list(limit=1)] == [other.id, one.id]
            client.messages.batches.delete(other.id)
            return [entry.result.message.content[0].text for entry in client.messages.batches.results(one.id)]

    assert served(use) == ["0", "1", "2"]


def test_googles():
    genai = pytest.importorskip("google.genai")

    def use(url, turn):
        client = genai.Client(api_key="any", http_options={"base_url": url, "api_version": "v1beta"})
        lines = io.BytesIO(jsonl([question(f"n-{number}", str(number)) for number in range(3)]))
        file = client.files.upload(file=lines, config={"name": "mine", "mime_type": "application/jsonl"})
        model, name = "gemini-2.5-flash", "nonce-1"
        one = client.batches.create(model=model, src=file.name, config={"display_name": name})
        inline = [{"contents": [{"role": "user", "parts": [{"text": "x"}]}], "metadata": {"id": "n-0"}}]
        two, three = (client.batches.create(model=model, src=inline) for _ in range(2))
        client.batches.cancel(name=three.name)
        turn()
        batch = client.batches.get(name=one.name)
        assert (batch.state.name, batch.display_name) == ("JOB_STATE_SUCCEEDED", name)
        found = client.batches.get(name=two.name).dest.inlined_responses
        assert [(one.metadata, one.response.text) for one in found] == [({"id": "n-0"}, "x")]
        assert client.batches.get(name=three.name).state.name == "JOB_STATE_CANCELLED"
        assert len(list(client.batches.list(config={"page_size": 2}))) == 3
        client.batches.delete(name=three.name)
        text = client.files.download(file=batch.dest.file_name).decode()
        client.close()
        return text.count('"key"')

    assert served(use) == 3
