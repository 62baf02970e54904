"""Text as it comes from a document with tables → lines: each row of a table on a line of its own. Pure.

Driven by HTML and DOCX. What is said here is never in the wrong cell, however the calls are nested.
"""

import re

CELLS = " | "  # between the cells of a row
MOST_LINES, MOST_CHARS = 8, 2000  # of a cell; with more, or rows inside, a table is there for layout alone
HARD = "\x00"  # stands for a blank that is kept
BLANKS = re.compile("[ \u00a0\u2000-\u200a\u202f\u3000]+")
EDGES = re.compile(" *[\r\n][ \r\n]*")


class Flow:
    """A stack of cells in the making; at the bottom is the document."""

    def __init__(self) -> None:
        self._cells: list[list[str]] = [[]]
        self._rows: list[list[str]] = []

    def text(self, text: str) -> None:
        self._cells[-1].append(text)

    def kept(self, text: str) -> None:
        """Text whose blanks and line ends are meant."""
        self._cells[-1].append(text.replace(" ", HARD))

    def edge(self) -> None:
        """What comes next begins a line."""
        self._cells[-1].append("\r")

    def line(self) -> None:
        self._cells[-1].append("\n")

    def gap(self) -> None:
        self._cells[-1].append("\n\n")

    def begin_row(self) -> None:
        self._rows.append([])

    def begin_cell(self) -> None:
        self._cells.append([])

    def end_cell(self) -> None:
        if len(self._cells) > 1:
            cell = _settled(self._cells.pop())
            self._rows[-1].append(cell) if self._rows else self.text(cell)

    def end_row(self) -> None:
        if self._rows:
            self.text(f"\r{_row(self._rows.pop())}\r")

    def done(self) -> str:
        """All of it; what was left open is closed."""
        while self._rows or len(self._cells) > 1:
            self.end_cell()
            self.end_row()
        return _settled(self._cells[0]).replace(HARD, " ")


def _settled(said: list[str]) -> str:
    text = BLANKS.sub(" ", "".join(said))
    return EDGES.sub(lambda edge: "\n\n" if edge[0].count("\n") > 1 else "\n", text).strip(" \n")


def _row(cells: list[str]) -> str:
    full = [cell for cell in cells if cell]
    if len(full) <= 1:
        return "".join(full)
    if any(_is_layout(cell) for cell in full):
        return "\n".join(full)
    while not cells[-1]:
        cells.pop()
    return joined([" ".join(cell.split("\n")) for cell in cells])


def joined(cells: list[str]) -> str:
    """A row of cells, the empty ones at their places."""
    return cells[0] + "".join(f"{CELLS}{cell}" if cell else CELLS.rstrip() for cell in cells[1:])


def _is_layout(cell: str) -> bool:
    lines = cell.count("\n")
    return lines >= MOST_LINES or len(cell) > MOST_CHARS or (lines > 0 and CELLS in cell)
