"""The prompt's template: cut into pieces once, and text only ever put between them. Pure.

A document's bytes are data, so that braces in it mean nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)(\?)?\}")
TEXT = "text"


class Template(Struct, frozen=True):
    """A prompt cut at its placeholders: literals[0], value of columns[0], literals[1] and so on."""

    literals: tuple[str, ...]  # one more than columns
    columns: tuple[str, ...]  # "text" is the document itself
    optional: tuple[str, ...] = ()  # columns that a row may lack: only ever written {name?}

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The input columns that the prompt names, beside the document."""
        return tuple(dict.fromkeys(name for name in self.columns if name != TEXT))


def parse_template(prompt: str, text_column: str = TEXT) -> Template:
    """Cut `prompt` at {column} or {column?}; {{ and }} stand for braces; any other brace stands for itself.

    The document, or the chunk of it, is {text} or the name of its own column.
    """
    literals, columns, needed, piece, position = [], [], {TEXT}, "", 0
    for match in PLACEHOLDER.finditer(prompt):
        piece += prompt[position : match.start()]
        position = match.end()
        if match.group(1) is None:
            piece += match.group()[0]
        else:
            name = TEXT if match.group(1) == text_column else match.group(1)
            literals.append(piece)
            columns.append(name)
            needed |= set() if match.group(2) else {name}
            piece = ""
    optional = tuple(dict.fromkeys(name for name in columns if name not in needed))
    return Template((*literals, piece + prompt[position:]), tuple(columns), optional)


def render(template: Template, text: str, values: Mapping[str, Any]) -> str:
    parts = [template.literals[0]]
    for name, literal in zip(template.columns, template.literals[1:], strict=True):
        parts.append(text if name == TEXT else as_text(values.get(name)))
        parts.append(literal)
    return "".join(parts)


def as_text(value: object) -> str:
    """A column's value in a prompt: text as it is, nothing for null, JSON for what has structure, true and false."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
