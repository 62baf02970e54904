"""Pictures → text with RapidOCR, of the extra `ocr`: models in the wheel, no network, some 12 CPU seconds a page."""

from functools import cache
from typing import Any

from pipeline.reader.read import ONLY_SCANS, Unreadable

EXTRA = "pip install 'ledger-pipeline[ocr]'"


def text_of_picture(png: bytes) -> str:
    """The lines that can be read, from the top; "" where there are none.

    Raises:
        Unreadable: the extra is not there.
    """
    found = _engine()(png)
    lines = found.txts or ()
    boxes = found.boxes if lines else ()
    return "\n".join(_rows([(_place(box), text) for box, text in zip(boxes, lines, strict=True)]))


Placed = tuple[tuple[float, float, float], str]  # top, bottom and left of a text


def _rows(placed: list[Placed]) -> list[str]:
    """Texts that stand beside each other on one line, from the left."""
    rows: list[list[Placed]] = []
    for one in sorted(placed, key=lambda one: one[0][0] + one[0][1]):
        middle = (one[0][0] + one[0][1]) / 2
        if rows and rows[-1][0][0][0] <= middle <= rows[-1][0][0][1]:
            rows[-1].append(one)
        else:
            rows.append([one])
    return ["  ".join(text for _, text in sorted(row, key=lambda one: one[0][2])) for row in rows]


def _place(box: Any) -> tuple[float, float, float]:  # noqa: ANN401 (four points, of numpy)
    tops = [float(point[1]) for point in box]
    return min(tops), max(tops), min(float(point[0]) for point in box)


@cache
def _engine() -> Any:  # noqa: ANN401 (it has no types)
    try:
        from rapidocr import RapidOCR  # noqa: PLC0415 (of an extra)
    except ImportError:
        raise Unreadable(ONLY_SCANS, f"reading pictures needs the extra: {EXTRA}") from None
    return RapidOCR(params={"Global.log_level": "critical"})  # it tells of its models on every start
