"""What is drawn on a PDF page beside its text: pictures and shapes, counted and measured."""

from ctypes import byref, c_float
from typing import Any

from msgspec import Struct

from pipeline.reader.pdfium import pdfium

_DEPTH_MOST = 8  # of forms within forms
_HIDDEN = {pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP}

Matrix = tuple[float, float, float, float, float, float]
Box = tuple[float, float, float, float]  # left, bottom, right, top
_STRAIGHT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Drawn(Struct):
    """What a page has."""

    image_area: float = 0.0  # square points, of each picture as far as it is on the page
    shapes: int = 0
    hidden_text: bool = False  # whether some text is drawn so that it cannot be seen


def drawn_on(page: Any, box: Box) -> Drawn:  # noqa: ANN401 (a handle of pdfium's)
    """What is drawn on the page, whose borders are `box`."""
    drawn, corners = Drawn(), [c_float() for _ in range(4)]
    _Walk(drawn, box, corners).page(page)
    return drawn


class _Walk:
    def __init__(self, drawn: Drawn, box: Box, corners: list[c_float]) -> None:
        self._drawn, self._box, self._corners = drawn, box, corners
        self._corners_at = [byref(corner) for corner in corners]

    def page(self, page: Any) -> None:  # noqa: ANN401
        for index in range(pdfium.FPDFPage_CountObjects(page)):
            self._look(pdfium.FPDFPage_GetObject(page, index), _STRAIGHT, 0)

    def _look(self, thing: Any, matrix: Matrix, depth: int) -> None:  # noqa: ANN401
        kind = pdfium.FPDFPageObj_GetType(thing)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            if not self._drawn.hidden_text:
                self._drawn.hidden_text = pdfium.FPDFTextObj_GetTextRenderMode(thing) in _HIDDEN
        elif kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            self._drawn.image_area += self._area(thing, matrix)
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEPTH_MOST:
            inner = _times(_matrix_of(thing), matrix)
            for index in range(pdfium.FPDFFormObj_CountObjects(thing)):
                self._look(pdfium.FPDFFormObj_GetObject(thing, index), inner, depth + 1)
        else:
            self._drawn.shapes += 1

    def _area(self, thing: Any, matrix: Matrix) -> float:  # noqa: ANN401
        if not pdfium.FPDFPageObj_GetBounds(thing, *self._corners_at):
            return 0.0
        left, bottom, right, top = (corner.value for corner in self._corners)
        points = [_moved(x, y, matrix) for x in (left, right) for y in (bottom, top)]
        box = self._box
        width = min(box[2], max(x for x, _ in points)) - max(box[0], min(x for x, _ in points))
        height = min(box[3], max(y for _, y in points)) - max(box[1], min(y for _, y in points))
        return max(0.0, width) * max(0.0, height)


def _matrix_of(form: Any) -> Matrix:  # noqa: ANN401
    found = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(form, byref(found)):
        return _STRAIGHT
    return found.a, found.b, found.c, found.d, found.e, found.f


def _moved(x: float, y: float, by: Matrix) -> tuple[float, float]:
    return x * by[0] + y * by[2] + by[4], x * by[1] + y * by[3] + by[5]


def _times(one: Matrix, other: Matrix) -> Matrix:
    """First `one`, then `other`."""
    a, b = _moved(one[0], one[1], (*other[:4], 0.0, 0.0))
    c, d = _moved(one[2], one[3], (*other[:4], 0.0, 0.0))
    return (a, b, c, d, *_moved(one[4], one[5], other))
