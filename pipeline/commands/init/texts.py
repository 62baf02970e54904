"""The files of a new job, as texts. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.commands.init.guess import Guessed

IMPORTS = {"datetime.date": "import datetime", "Decimal": "from decimal import Decimal"}


class Plan(Struct, frozen=True):
    """What the job says. Columns that are "" are left out."""

    name: str
    path: str
    text: str
    id: str
    document: str  # the column that holds or names files
    keep: tuple[str, ...]
    language: str
    provider: str
    model: str
    seen: tuple[str, ...]  # what the input was seen to hold, line by line
    sampled: bool  # whether the sample can be run by itself


def schema_text(fields: Sequence[Guessed]) -> str:
    """A Python file with one class."""
    imports = [line for kind, line in IMPORTS.items() if any(kind == field.kind for field in fields)]
    lines = [f"    {one.name}: {one.kind} | None = Field(description={_quoted(one.description)})" for one in fields]
    return "\n".join(
        [
            '"""What job.toml asks for, as guessed. Edit it: names and descriptions are the question.',
            "",
            "A field that must be there loses its `| None`. Lists, choices and validators: docs/guides/schema.md",
            '"""',
            "",
            *imports,
            *([""] if imports else []),
            "from pydantic import BaseModel, Field",
            "",
            "",
            "class Record(BaseModel):",
            '    """One document."""',
            "",
            *lines,
            "",
        ]
    )


def job_text(plan: Plan) -> str:
    """The job file."""
    inputs = {"path": plan.path, "id": plan.id, "text": plan.text, "document": plan.document}
    said = [f"{key} = {_quoted(value)}" for key, value in inputs.items() if value]
    said += [f"keep = [{', '.join(map(_quoted, plan.keep))}]  # copied into the results"] if plan.keep else []
    language = f" They are mostly in {plan.language}." if plan.language else ""
    rehearsal = "  # answers by rules, for free: to rehearse. Then openai, anthropic, gemini, …"
    trial = (
        "pipeline run job.toml --input sample.jsonl    a few rows"
        if plan.sampled
        else ("pipeline run job.toml --limit 5                a few documents")
    )
    return f"""\
# pipeline check job.toml                        what would be wrong, before anything is sent
# pipeline estimate job.toml                     tokens, cost and time
# {trial}
# pipeline run job.toml                          all of it; again: goes on where it stopped
#
# Every key: docs/job-file.md. A key for the provider can stand in a file .env beside this one, as NAME=value.
{"".join(f"#{' ' if line else ''}{line}" + chr(10) for line in ("", *plan.seen)) if plan.seen else ""}
name = {_quoted(plan.name)}

[input]
{chr(10).join(said)}

[extract]
schema = "schema.py:Record"
system = {_quoted(f"You read documents and report what they say; null where they do not say it.{language}")}
prompt = "Extract the record of this document.\\n\\n{{text}}"

[model]
provider = {_quoted(plan.provider)}{rehearsal if plan.provider == "sandbox" else ""}
name = {_quoted(plan.model)}
max_output_tokens = 1024

[budget]
max_usd = 1.00  # never exceeded, not even by calls in flight

[output]
path = "out"
"""


def sample_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def _quoted(text: str) -> str:
    r"""As TOML and Python both read it. DEL is the one that JSON leaves as it is and TOML does not take."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
