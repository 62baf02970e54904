"""Hard documents made as tests need them, by hand and in milliseconds: no library, no committed bytes, no chance.

All return the bytes of a file. Text is in Helvetica, a line for a line, and of what cp1252 can write.
"""

import io
import zipfile
import zlib
from itertools import chain, repeat

A4 = (595, 842)
FONT = "/Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding"
SCHEMAS = "http://schemas.openxmlformats.org"
MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
PARTS = {  # of a Word document, beside its text
    "[Content_Types].xml": f'<Types xmlns="{SCHEMAS}/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{MAIN}"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{SCHEMAS}/package/2006/relationships"><Relationship Id="r1" '
    f'Type="{SCHEMAS}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
}
HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Your session has ended</h1></body></html>"


class Pdf:
    """Objects by number, written out with their table. `reserve` is for those that name each other."""

    def __init__(self):
        self._objects = []

    def reserve(self):
        self._objects.append(b"null")
        return len(self._objects)

    def put(self, number, body):
        self._objects[number - 1] = body if isinstance(body, bytes) else body.encode()
        return number

    def add(self, body):
        return self.put(self.reserve(), body)

    def stream(self, data, more="", *, packed=False):
        if packed:
            data, more = zlib.compress(data, 6), f"{more} /Filter /FlateDecode"
        return self.add(f"<< /Length {len(data)} {more} >>\nstream\n".encode() + data + b"\nendstream")

    def file(self, root, padding=0):
        """`padding`: so many bytes of a comment before the table."""
        out, places = io.BytesIO(), []
        out.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
        for number, body in enumerate(self._objects, 1):
            places.append(out.tell())
            out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        out.write(b"%" * padding)  # a comment
        out.write(b"\n")
        table = out.tell()
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
        out.write(b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, root, table))
        return out.getvalue()


def text_pages(*texts, box=A4, rotate=0, file_bytes=0):
    """A page for each text. `file_bytes`: what the file is padded to, where it needs less."""
    pdf = Pdf()
    font = pdf.add(f"<< {FONT} >>")
    pages = [(pdf.stream(_written(text, box)), f"/Font << /F {font} 0 R >>") for text in texts]
    root = _tree(pdf, pages, box, rotate)
    missing = file_bytes - len(pdf.file(root))
    return pdf.file(root, padding=max(missing, 0))


def one_page_many_times(references=1000):
    """A tree that names the same page again and again: many pages, and no bytes for them."""
    pdf = Pdf()
    font, content, tree = pdf.add(f"<< {FONT} >>"), pdf.stream(_written("Invoice 1", A4)), pdf.reserve()
    page = pdf.add(_page(tree, content, f"/Font << /F {font} 0 R >>", A4))
    pdf.put(tree, f"<< /Type /Pages /Count {references} /Kids [{f'{page} 0 R ' * references}] >>")
    return pdf.file(_catalog(pdf, tree))


def huge_page(points=30_000):
    """One page of a box that nobody should draw as it is."""
    return text_pages("Invoice 1", box=(points, points))


def looping_tree():
    """A page tree that comes back to itself, and has no page."""
    pdf = Pdf()
    tree, inner = pdf.reserve(), pdf.reserve()
    pdf.put(tree, f"<< /Type /Pages /Count 2 /Kids [{inner} 0 R] >>")
    pdf.put(inner, f"<< /Type /Pages /Count 2 /Parent {tree} 0 R /Kids [{tree} 0 R] >>")
    return pdf.file(_catalog(pdf, tree))


def image_page(width=413, height=585, *, hidden_text=""):
    """A page that is one gray picture, as a scanner leaves it. `hidden_text`: on it, unseen, as OCR leaves it."""
    pdf = Pdf()
    line = bytes(255 if x // 8 % 5 else 40 for x in range(width))
    kind = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8"
    image = pdf.stream(line * height, kind, packed=True)
    font = pdf.add(f"<< {FONT} >>")
    content = pdf.stream(b"q %d 0 0 %d 0 0 cm /I Do Q\n" % A4 + (_written(hidden_text, A4, 3) if hidden_text else b""))
    resources = f"/XObject << /I {image} 0 R >> /Font << /F {font} 0 R >>"
    return pdf.file(_tree(pdf, [(content, resources)], A4))


def invisible_text(text):
    """A page whose text is there and is not drawn: render mode 3."""
    pdf = Pdf()
    font = pdf.add(f"<< {FONT} >>")
    return pdf.file(_tree(pdf, [(pdf.stream(_written(text, A4, 3)), f"/Font << /F {font} 0 R >>")], A4))


def garbage_text(text):
    """A page that looks right, and whose ToUnicode map has a private character for every letter of it."""
    pdf = Pdf()
    pairs = "".join(f"<{code:02X}> <{0xE000 + code:04X}>\n" for code in range(32, 127))
    mapped = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Garbage def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n95 beginbfchar\n{pairs}endbfchar\nendcmap end end"
    )
    font = pdf.add(f"<< {FONT} /ToUnicode {pdf.stream(mapped.encode())} 0 R >>")
    return pdf.file(_tree(pdf, [(pdf.stream(_written(text, A4)), f"/Font << /F {font} 0 R >>")], A4))


def html():
    """What a download leaves under an invoice's name when the session has ended."""
    return HTML


def docx(*paragraphs):
    """The least that is a text document of Word."""
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    return _word([body.encode()])


def docx_bomb(megabytes=500):
    """A text document that unpacks to a thousand times its size; it is never whole in memory here."""
    blanks = repeat(b" " * 2**20, megabytes)
    return _word(chain([b'<w:p><w:r><w:t xml:space="preserve">'], blanks, [b"</w:t></w:r></w:p>"]))


def _word(body):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in PARTS.items():
            archive.writestr(zipfile.ZipInfo(name), text)
        entry = zipfile.ZipInfo("word/document.xml")
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w") as part:
            part.write(f'<w:document xmlns:w="{SCHEMAS}/wordprocessingml/2006/main"><w:body>'.encode())
            part.writelines(body)
            part.write(b"</w:body></w:document>")
    return packed.getvalue()


def _written(text, box, mode=0):
    """A content stream: the lines from the top of the page, in render mode `mode`."""
    escaped = text.encode("cp1252").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
    lines = b" T*\n".join(b"(%b) Tj" % line for line in escaped.split(b"\n"))
    return b"BT %d Tr /F 10 Tf 14 TL 56 %d Td\n%b\nET" % (mode, box[1] - 60, lines)


def _page(tree, content, resources, box, rotate=0):
    return (
        f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 {box[0]} {box[1]}] /Rotate {rotate} "
        f"/Resources << {resources} >> /Contents {content} 0 R >>"
    )


def _tree(pdf, pages, box, rotate=0):
    """The catalog's number, of pages as (contents, resources)."""
    tree = pdf.reserve()
    kids = [pdf.add(_page(tree, content, resources, box, rotate)) for content, resources in pages]
    pdf.put(tree, f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>")
    return _catalog(pdf, tree)


def _catalog(pdf, tree):
    return pdf.add(f"<< /Type /Catalog /Pages {tree} 0 R >>")
