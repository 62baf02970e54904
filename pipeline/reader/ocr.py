"""Pictures → text with RapidOCR, of the extra `ocr`: models in the wheel, no network, some 12 CPU seconds a page."""

from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from msgspec.structs import replace

from pipeline.reader.clean import page_of
from pipeline.reader.read import ONLY_SCANS, Page, Unreadable

EXTRA = "pip install 'ledger-pipeline[ocr]'"
THREADS: Final = 2  # the same on every machine: with its address space bounded, one for each of many cores is too much


def installed() -> bool:
    """Whether pictures can be read here. Nothing is imported for it."""
    return all(find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))


def page_seen(png: bytes) -> Page:
    """The page that a picture is of. Its size is not known. Raises Unreadable."""
    page = page_of(text_of_picture(png))
    return replace(page, facts=replace(page.facts, by_ocr=True))


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
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": THREADS for kind in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "critical", **threads})  # it tells of its models on every start
