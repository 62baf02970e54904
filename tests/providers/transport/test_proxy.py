"""Requests go through the proxy that the environment names, as other tools on the machine do."""

import asyncio

import pytest
from listing_server import listing
from raw_server import answering

from pipeline.commands.online import online
from pipeline.job.settings import Job
from pipeline.providers.transport.connection import Times
from pipeline.providers.transport.http import proxy_of
from pipeline.providers.transport.pool import Stale
from pipeline.providers.transport.proxy import ProxiedClient
from pipeline.providers.transport.trust import MOST

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def environ(monkeypatch):
    """No proxy but those that a test sets."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    proxy_of.cache_clear()
    yield monkeypatch.setenv
    proxy_of.cache_clear()


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://api.example/v1", None),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "https://api.example/v1", "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://api.example/v1", None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".example"}, "https://api.example/v1", None),
        ({"ALL_PROXY": "http://proxy:3128"}, "https://api.example/v1", "http://proxy:3128"),
    ],
)
def test_the_environment_names_the_proxy(environ, variables, url, proxy):
    """By scheme, and not for hosts that are left out."""
    for name, value in variables.items():
        environ(name, value)
    assert proxy_of(url) == proxy


def test_a_run_goes_through_it(job, server, environ):
    """The whole URL is asked of the proxy: here the scripted server plays one for a host that does not exist."""
    job.env["HTTP_PROXY"] = server.url.removesuffix("/v1")
    job.write("http://provider.invalid/v1", rows=[{"id": "a", "text": "x"}]).run()
    assert job.reconcile()["rows"]["ok"] == 1
    assert server.sent == 1


def test_a_get_goes_through_it_too(job, environ):
    """`check --online` reaches whatever calls reach."""
    with listing({"/v1/models/gpt-4o-mini": {"id": "gpt-4o-mini"}}) as proxy:
        environ("HTTP_PROXY", proxy.url)
        job.write("http://provider.invalid/v1", rows=[{"id": "a", "text": "x"}])
        found = online(Job.load(job.file), {"OPENAI_API_KEY": "sk-any-key"})
    assert [(method, path) for method, path, _ in proxy.asked] == [
        ("GET", "http://provider.invalid/v1/models/gpt-4o-mini")
    ]
    assert {one.level for one in found} == {"ok"}


def test_a_kept_connection_that_has_ended_is_told_apart_through_a_proxy_too():
    """A fresh one is a new one, and after a few there are no others."""
    fine = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with answering(lambda nth, of_connection, body, head: fine if of_connection == 1 else None) as far:

        async def use():
            client, stale = ProxiedClient(Times(5.0, 5.0)), []
            for number in range(20):
                try:
                    await client.post("http://provider.invalid/v1", {}, b"", far.url, fresh=number == 1)
                except Stale:
                    stale.append(number)
            await client.aclose()
            return stale

        assert len(stale := asyncio.run(use())) == MOST
    assert 1 not in stale
    assert (far.requests.count(1), far.requests.count(2)) == (20 - MOST, MOST)
