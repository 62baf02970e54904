"""What is wrong between the settings of one section, each of them right by itself. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.job.instructor import refused
from pipeline.job.settings import (
    MOST_PACK,
    MOST_PAGES,
    MOST_PX,
    Chunks,
    Documents,
    Engine,
    Extract,
    Limits,
    Model,
    Prices,
    Telemetry,
)
from pipeline.platforms import workers_problem

VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)?")
HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):\d{1,5}")
DEAREST_PER_MTOK = 1_000_000  # USD: a dollar a token; what is more is a slip, and no cost of it fits its column


def told_within(section: object) -> list[str]:
    return WITHIN.get(type(section), _nothing)(section)


def _extract(extract: Extract) -> list[str]:
    _, colon, name = extract.schema.rpartition(":")
    right = colon and name.isidentifier()
    wrong = [] if right else [f"extract.schema = {extract.schema!r} should be FILE.py:Class or module:Class"]
    for tool in extract.tools:
        place, _, name = tool.rpartition(":")
        if not (place and name.isidentifier()):
            wrong.append(f"extract.tools: {tool!r} should be FILE.py:function or module:function")
    blank = [number for number, one in enumerate(extract.examples, 1) if not one.text.strip()]
    return wrong + [f"[[extract.examples]] number {number}: text is empty. Write a document" for number in blank[:3]]


def _limits(limits: Limits) -> list[str]:
    return [told] if (told := workers_problem(limits.workers)) else []


def _engine(engine: Engine) -> list[str]:
    if engine.address == "auto" or HOST_AND_PORT.fullmatch(engine.address):
        return []
    told = f"engine.address = {engine.address!r} should be HOST:PORT of the cluster's head, such as 10.0.0.5:6379"
    other = " (ray:// and http:// lead to other doors of a cluster)" if "://" in engine.address else ""
    return [f"{told}, or auto{other}"]


def _chunks(chunks: Chunks) -> list[str]:
    wrong = []
    if chunks.max_tokens and chunks.overlap_tokens * 2 >= chunks.max_tokens:
        told = f"less than half of chunks.max_tokens = {chunks.max_tokens}"
        wrong.append(f"chunks.overlap_tokens = {chunks.overlap_tokens} should be {told}")
    if chunks.select and chunks.context == "rolling":
        told = (
            f"chunks.select = {chunks.select} does not go together with chunks.context = 'rolling': a running summary"
        )
        wrong.append(f"{told} is of all chunks before, and needs each to be read. Set select = 0 or context = 'none'")
    if chunks.pack > MOST_PACK:
        wrong.append(f"chunks.pack = {chunks.pack} should be at most {MOST_PACK}")
    return wrong


def _documents(documents: Documents) -> list[str]:
    wrong = []
    if not VARIABLE.fullmatch(documents.password_env):
        wrong.append("documents.password_env should be the name of a variable, such as PDF_PASSWORD, not the password")
    if documents.overlap_pages * 2 > (most := documents.pages_per_call or MOST_PAGES):
        told = f"at most half of documents.pages_per_call = {documents.pages_per_call}"
        told += "" if documents.pages_per_call else f", which is {most} at the most"
        wrong.append(f"documents.overlap_pages = {documents.overlap_pages} should be {told}")
    if documents.image_px > MOST_PX:
        wrong.append(f"documents.image_px = {documents.image_px} should be at most {MOST_PX}")
    return wrong


def _model(model: Model) -> list[str]:
    wrong = [told] if (told := refused(model.provider)) else []
    if model.base_url and not model.base_url.startswith(("http://", "https://")):
        wrong.append(f"model.base_url = {model.base_url!r} should start with http:// or https://")
    if "@" in model.base_url.partition("://")[2].partition("/")[0]:
        wrong.append("model.base_url should hold no user or password: it is written to run.json")
    if not VARIABLE.fullmatch(model.api_key_env):
        wrong.append("model.api_key_env should be the name of a variable, such as OPENAI_API_KEY, not the key")
    return wrong


def _prices(prices: Prices) -> list[str]:
    both = (prices.input_usd_per_mtok is None) == (prices.output_usd_per_mtok is None)
    wrong = [] if both else ["[prices] needs both input_usd_per_mtok and output_usd_per_mtok"]
    for name in ("input", "output", "cached_input", "cache_write"):
        key = f"{name}_usd_per_mtok"
        if (getattr(prices, key) or 0) > DEAREST_PER_MTOK:
            told = f"{getattr(prices, key)} should be at most {DEAREST_PER_MTOK:,}: it is USD for a million tokens"
            wrong.append(f"prices.{key} = {told}")
    return wrong


def _telemetry(telemetry: Telemetry) -> list[str]:
    path = telemetry.prometheus_file
    if not path or path.endswith(".prom"):
        return []
    return [f"telemetry.prometheus_file = {path!r} should end in .prom: the node exporter reads no other file"]


def _nothing(section: object) -> list[str]:  # noqa: ARG001 (as the others)
    return []


WITHIN: Mapping[type, Callable[[Any], list[str]]] = {
    Extract: _extract,
    Chunks: _chunks,
    Engine: _engine,
    Limits: _limits,
    Documents: _documents,
    Model: _model,
    Prices: _prices,
    Telemetry: _telemetry,
}
