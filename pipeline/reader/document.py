"""An open PDF: pages, pictures, attachments. pdfium's own calls stand here and in the modules beside it."""

import contextlib
from collections.abc import Iterator
from ctypes import byref, c_char_p, c_void_p, cast
from typing import Any

from pipeline.reader.pdfium import pdfium
from pipeline.reader.read import (
    DAMAGED,
    EMPTY,
    NOT_A_PDF,
    PASSWORD,
    TOO_MANY_PAGES,
    UNSUPPORTED,
    Unreadable,
)

PDF = "application/pdf"
HEAD = 1024  # bytes in which a PDF says that it is one
_SHOWN_NOTES = {
    pdfium.FPDF_ANNOT_FREETEXT,
    pdfium.FPDF_ANNOT_STAMP,
    pdfium.FPDF_ANNOT_INK,
    pdfium.FPDF_ANNOT_WIDGET,
}


def looks_like_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:HEAD]


@contextlib.contextmanager
def opened(data: bytes, password: str | None) -> Iterator["Document"]:
    """The PDF in `data`, until the block ends. Raises Unreadable."""
    _check_beginning(data)
    document = Document(_load(data, password))
    try:
        _check_whole(data)
        yield document
    finally:
        document.close()


def _check_beginning(data: bytes) -> None:
    if not data:
        raise Unreadable(EMPTY, "it has 0 bytes")
    if looks_like_pdf(data):
        return
    start = data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    page = start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
    told = "it is a web page: was it saved from an address that asks for a login?" if page else "no %PDF- at its start"
    raise Unreadable(NOT_A_PDF, told)


def _load(data: bytes, password: str | None) -> Any:  # noqa: ANN401 (a handle of pdfium's)
    for tried in _passwords(password):
        handle = pdfium.FPDF_LoadMemDocument64(cast(c_char_p(data), c_void_p), len(data), tried)
        if handle:
            return handle
        error = pdfium.FPDF_GetLastError()
        if error != pdfium.FPDF_ERR_PASSWORD:
            break
    if error == pdfium.FPDF_ERR_PASSWORD:
        raise Unreadable(PASSWORD, _password_told(password), media_type=PDF)
    if error == pdfium.FPDF_ERR_SECURITY:
        told = "it is protected by something else than a password (a certificate, a rights server): save it without"
        raise Unreadable(PASSWORD, told, media_type=PDF)
    raise Unreadable(DAMAGED, "no whole PDF: it is cut off or broken; get it again", media_type=PDF)


def _passwords(password: str | None) -> list[bytes | None]:
    """None, and only where that does not do, the one that is set, in both of the ways that it may have been meant."""
    if not password:
        return [None]
    with contextlib.suppress(UnicodeEncodeError):
        return [None, *dict.fromkeys((password.encode(), password.encode("latin-1")))]
    return [None, password.encode(errors="surrogateescape")]


def _password_told(password: str | None) -> str:
    if password:
        return "the one in the variable that documents.password_env names does not open it"
    return "it needs one: put it in a variable, and the variable's name in documents.password_env"


def _check_whole(data: bytes) -> None:
    """A PDF that was cut off may open all the same, with less in it: objects come after its last mark of an end."""
    if data.rfind(b"%%EOF") < max(data.rfind(b"endobj"), data.rfind(b" 0 obj")):
        raise Unreadable(DAMAGED, "its end is missing: it is cut off; get it again", media_type=PDF)


class Document:
    """An open PDF, for one thread."""

    def __init__(self, handle: Any) -> None:  # noqa: ANN401
        self.handle = handle
        self.pages: int = pdfium.FPDF_GetPageCount(handle)
        self.is_encrypted: bool = pdfium.FPDF_GetSecurityHandlerRevision(handle) != -1
        self._form_kind: int = pdfium.FPDF_GetFormType(handle)
        self._form, self._form_calls = None, pdfium.FPDF_FORMFILLINFO(version=2)
        if self._form_kind in {pdfium.FORMTYPE_ACRO_FORM, pdfium.FORMTYPE_XFA_FOREGROUND}:
            self._form = pdfium.FPDFDOC_InitFormFillEnvironment(handle, byref(self._form_calls))

    def close(self) -> None:
        if self._form:
            pdfium.FPDFDOC_ExitFormFillEnvironment(self._form)
        pdfium.FPDF_CloseDocument(self.handle)

    def check(self, max_pages: int) -> None:
        """Refuse what cannot be read as a whole. Raises Unreadable."""
        if self.pages <= 0:
            raise Unreadable(DAMAGED, "it has no pages", media_type=PDF)
        if self.pages > max_pages:
            told = f"{self.pages:,} of at most {max_pages:,} (documents.max_pages)"
            raise Unreadable(TOO_MANY_PAGES, told, media_type=PDF, pages=self.pages)
        if self._form_kind == pdfium.FORMTYPE_XFA_FULL:
            told = "a form (XFA) whose pages Adobe's programs alone can show: print it to a PDF there"
            raise Unreadable(UNSUPPORTED, told, media_type=PDF, pages=self.pages)

    @contextlib.contextmanager
    def page(self, number: int) -> Iterator[Any]:
        """Page `number`, from 1, with what is filled in or noted on it. Raises Unreadable."""
        handle = self._loaded(number)
        try:
            if _has_notes(handle):
                self._flatten(handle)
                pdfium.FPDF_ClosePage(handle)
                handle = self._loaded(number)
            yield handle
        finally:
            if handle:
                pdfium.FPDF_ClosePage(handle)

    def _flatten(self, page: Any) -> None:  # noqa: ANN401
        """Make notes and fields part of the page's content; a field without a look of its own is given one first."""
        if self._form:
            pdfium.FORM_OnAfterLoadPage(page, self._form)
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        if self._form:
            pdfium.FORM_OnBeforeClosePage(page, self._form)

    def _loaded(self, number: int) -> Any:  # noqa: ANN401
        handle = pdfium.FPDF_LoadPage(self.handle, number - 1)
        if not handle:
            told = f"page {number} of {self.pages} cannot be read"
            raise Unreadable(DAMAGED, told, media_type=PDF, pages=self.pages)
        return handle


def _has_notes(page: Any) -> bool:  # noqa: ANN401
    """Whether fields of a form, or notes that can be seen, are on the page: they are no part of its content."""
    return any(_note_kind(page, index) in _SHOWN_NOTES for index in range(pdfium.FPDFPage_GetAnnotCount(page)))


def _note_kind(page: Any, index: int) -> int:  # noqa: ANN401
    note = pdfium.FPDFPage_GetAnnot(page, index)
    kind: int = pdfium.FPDFAnnot_GetSubtype(note)
    pdfium.FPDFPage_CloseAnnot(note)
    return kind
