"""The same kind of invoice as other files that arrive: a mail with a PDF, a text document and a spreadsheet.

Both office files are written here, part by part: the least that Word and Excel open.
"""

import io
import zipfile
from email.message import EmailMessage
from email.policy import SMTP
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
KINDS = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def mail(paper, pdf):
    message = EmailMessage(policy=SMTP.clone(max_line_length=78))
    message["From"] = "fatture@gattoselvatico.example"
    message["To"] = "contabilita@volperossa.example"
    message["Subject"] = f"Fattura {paper.number}"
    message["Date"] = "Fri, 26 Jun 2026 09:12:00 +0200"
    message["Message-ID"] = "<163a@gattoselvatico.example>"
    message.set_content("Buongiorno,\n\nin allegato la nostra fattura.\n\nCordiali saluti\nOfficina Gatto Selvatico\n")
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename="fattura-163-A.pdf")
    message.set_boundary("=====part-of-163-A=====")
    return message.as_bytes()


def rows_of(paper):
    """The invoice as rows of cells, as printed."""
    words = paper.words
    yield from ([one] for one in (*paper.sender, "", *paper.receiver, ""))
    yield [words.invoice, paper.number]
    yield [words.issued, words.day(paper.issued)]
    yield [words.due, words.day(paper.due)]
    yield [words.item, words.quantity, words.price, words.amount]
    for line in paper.lines:
        cells = words.how_many(line.quantity), words.figure(line.price), words.figure(paper.amount(line))
        yield [line.description, *cells]
    yield [words.net, "", "", words.figure(paper.net)]
    for rate, tax in paper.taxes.items():
        yield [words.tax.format(words.how_many(rate)), "", "", words.figure(tax)]
    yield [words.gross, "", "", words.cash(paper.gross)]
    yield from ([note] for note in paper.notes)


def docx(paper):
    """Paragraphs, and the rows of several cells as a table."""
    body = []
    for row in rows_of(paper):
        cells = [f'<w:p><w:r><w:t xml:space="preserve">{escape(cell)}</w:t></w:r></w:p>' for cell in row]
        if len(row) == 1:
            body.append(cells[0])
            continue
        grid = "".join(f"<w:tc><w:tcPr/>{cell}</w:tc>" for cell in cells)
        body.append(f"<w:tbl><w:tblPr/><w:tblGrid/><w:tr>{grid}</w:tr></w:tbl>")
    document = f'{XML}<w:document xmlns:w="{MAIN}"><w:body>{"".join(body)}<w:p/></w:body></w:document>'
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return _package({"word/document.xml": (document, kind)}, "word/document.xml")


def xlsx(paper):
    """One sheet of texts, as people type them."""
    rows = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{"ABCD"[at]}{number}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
            for at, cell in enumerate(row)
            if cell
        )
        + "</row>"
        for number, row in enumerate(rows_of(paper), 1)
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    named = f'<sheet name="{escape(paper.words.invoice)}" sheetId="1" r:id="rId1"/>'
    book = f'{XML}<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>{named}</sheets></workbook>'
    parts = {
        "xl/workbook.xml": (book, f"{kind}.sheet.main+xml"),
        "xl/worksheets/sheet1.xml": (
            f'{XML}<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>',
            f"{kind}.worksheet+xml",
        ),
    }
    sheet = f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    extra = {"xl/_rels/workbook.xml.rels": f'{XML}<Relationships xmlns="{RELATIONS}">{sheet}</Relationships>'}
    return _package(parts, "xl/workbook.xml", extra)


def _package(parts, first, extra=None):
    """A zip of parts, all of one fixed time."""
    kinds = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, (_, kind) in parts.items())
    rels = f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="{first}"/>'
    default = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    default += '<Default Extension="xml" ContentType="application/xml"/>'
    files = {
        "[Content_Types].xml": f'{XML}<Types xmlns="{KINDS}">{default}{kinds}</Types>',
        "_rels/.rels": f'{XML}<Relationships xmlns="{RELATIONS}">{rels}</Relationships>',
        **{name: text for name, (text, _) in parts.items()},
        **(extra or {}),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.create_system = 3
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
