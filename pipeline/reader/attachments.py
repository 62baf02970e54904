"""The XML of an e-invoice, as ZUGFeRD, Factur-X and XRechnung attach it to a PDF."""

import re
from ctypes import byref, c_ulong, c_ushort, create_string_buffer
from typing import Any

from pipeline.reader.document import Document
from pipeline.reader.pdfium import pdfium
from pipeline.reader.read import Embedded

MOST_BYTES = 5_000_000
_NAMES = {"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"}  # in any case; ZUGFeRD 1 wrote it large
_ROOT = re.compile(r"<(?:[\w.-]+:)?(CrossIndustryInvoice|CrossIndustryDocument|Invoice|CreditNote)[\s>/]")
_NAMESPACE = ("urn:un:unece:uncefact:data:standard:", "urn:ferd:", "urn:oasis:names:specification:ubl:")
_HEAD = 4096  # bytes in which a root element is looked for


def embedded_in(document: Document) -> tuple[Embedded, ...]:
    """The attachments that are invoices, in the file's order."""
    count = pdfium.FPDFDoc_GetAttachmentCount(document.handle)
    found = (_invoice(pdfium.FPDFDoc_GetAttachment(document.handle, index)) for index in range(count))
    return tuple(invoice for invoice in found if invoice is not None)


def _invoice(attachment: Any) -> Embedded | None:  # noqa: ANN401 (a handle of pdfium's)
    name = _name(attachment)
    if not name.lower().endswith(".xml"):
        return None
    xml = _content(attachment)
    if not xml or not (name.lower() in _NAMES or is_invoice(xml)):
        return None
    return Embedded(name, xml)


def is_invoice(xml: bytes) -> bool:
    """Whether the root is that of an invoice in CII or UBL."""
    head = xml[:_HEAD].decode("utf-16" if xml[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "replace")
    return _ROOT.search(head) is not None and any(namespace in head for namespace in _NAMESPACE)


def _name(attachment: Any) -> str:  # noqa: ANN401
    size = pdfium.FPDFAttachment_GetName(attachment, None, 0)
    buffer = (c_ushort * (size // 2 + 1))()
    pdfium.FPDFAttachment_GetName(attachment, buffer, size)
    return bytes(buffer)[:size].decode("utf-16-le", "replace").rstrip("\0")


def _content(attachment: Any) -> bytes:  # noqa: ANN401
    """Its bytes; none of one that is too large, or not there."""
    size = c_ulong()
    if not pdfium.FPDFAttachment_GetFile(attachment, None, 0, byref(size)) or not 0 < size.value <= MOST_BYTES:
        return b""
    buffer = create_string_buffer(size.value)
    pdfium.FPDFAttachment_GetFile(attachment, buffer, size, byref(size))
    return buffer.raw
