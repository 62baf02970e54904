"""How a program uses us, for type checkers alone: `mypy` reads it with the package, and nothing runs it."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import assert_type

from pydantic import BaseModel

import pipeline


class Invoice(BaseModel):
    number: str
    total: Decimal


def job_file() -> pipeline.Result:
    job = pipeline.Job.load("jobs/invoices.toml", set={"limits.concurrency": 8})
    assert_type(pipeline.check(job, strict=True), list[pipeline.Finding])
    assert_type(pipeline.estimate(job).expected_usd, Decimal | None)
    result = pipeline.run(job, progress=True)
    assert_type(result, pipeline.Result[BaseModel])
    assert_type(result.rows.ok, int)
    assert_type(result.cost_usd, Decimal | None)
    assert_type(result.output, Path)
    for row in pipeline.retry(job, where={"error_code": "timeout"}):
        assert_type(row.record, BaseModel | None)
        assert_type(row.error, str | None)
    return pipeline.results(result.output)


def texts() -> Iterator[str]:
    yield "one"


def told(progress: pipeline.Progress) -> None:
    assert_type(progress.seconds_left, float | None)


def documents() -> list[Decimal]:
    model = "openai:gpt-4o-mini"
    result = pipeline.extract(texts(), schema=Invoice, model=model, output="out/x", max_usd=1.0, progress=told)
    assert_type(result, pipeline.Result[Invoice])
    return [row.record.total for row in result if row.record is not None]


async def awaited(job: pipeline.Job) -> None:
    async with asyncio.timeout(60):
        assert_type(await pipeline.run_async(job), pipeline.Result[BaseModel])
    paths = [Path("a.pdf")]
    result = await pipeline.extract_async(paths, schema=Invoice, model="sandbox:gpt-4o-mini", output=Path("out/y"))
    assert_type([row.record for row in result], list[Invoice | None])


def wrong(job: pipeline.Job) -> None:
    """What a checker has to refuse: an ignore that is not needed is an error."""
    pipeline.run(job, fresh="yes")  # type: ignore[arg-type]
    pipeline.extract([], schema=int, model="a:b", output="out")  # type: ignore[type-var]
    pipeline.Result.nothing  # type: ignore[attr-defined]  # noqa: B018
