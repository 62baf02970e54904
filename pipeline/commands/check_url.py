"""What `check` says of model.base_url: what requests would not get through."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from pipeline.catalog.apis import RESPONSES, api_of
from pipeline.errors import Finding
from pipeline.job.settings import Model

ENDPOINT = re.compile(
    r"(?:(?:/openai/deployments/[^/]+)?/(?:chat/)?completions|/responses|/messages|/models/[^/]+:\w+"
    r"|/model/[^/]+/(?:converse|invoke)[\w-]*)/?$"
)
VERSION = re.compile(r"/v1(?:beta\d*|alpha)?/?$")
BARE = {"gemini": "/v1beta", "vertex": "/v1", "bedrock": None}  # whose base_url is the bare host, or ends in this


def url_findings(model: Model) -> Iterator[Finding]:
    """The wires put the path of each request behind it: a query would stand in the middle, an endpoint twice."""
    try:
        url = urlsplit(model.base_url)
    except ValueError as error:
        yield Finding("base_url", "problem", f"model.base_url = {model.base_url!r} is no URL: {error}")
        return
    version = VERSION.search(url.path) if model.provider in BARE else None
    if version is not None and version.group().rstrip("/") != BARE[model.provider]:
        plain = urlunsplit(url._replace(path=url.path[: version.start()], query="", fragment=""))
        told = f"ends in {version.group()}, which stands in the path of each request already. Write {plain}"
        yield Finding("base_url", "warning", f"model.base_url {told}")
        return
    if model.provider == "openai" and url.netloc and not url.path.strip("/") and not url.query:
        plain = urlunsplit(url._replace(path="/v1", fragment=""))
        path = "responses" if api_of(model) == RESPONSES else "chat/completions"
        told = f"has no path, so that requests go to {url.netloc}/{path}. Most servers want {plain}"
        yield Finding("base_url", "warning", f"model.base_url {told}")
        return
    wrong = ["a query (all from ? or #)"] if url.query or url.fragment else []
    endpoint = ENDPOINT.search(url.path)
    path = url.path
    if endpoint:
        wrong.append(endpoint.group())
        path = path[: endpoint.start()]
    if wrong:
        plain = urlunsplit(url._replace(path=path, query="", fragment=""))
        told = f"should not end in {' and '.join(wrong)}: the path of each request is put behind it. Write {plain}"
        yield Finding("base_url", "warning", f"model.base_url {told}")
