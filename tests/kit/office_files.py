"""DOCX and XLSX as bytes, of as little as they can be made of; and a mail."""

import io
import zipfile
from email.message import EmailMessage

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(name, text)
    return out.getvalue()


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def table(*rows):
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def docx(body, *, before="", **parts):
    """`parts`: header1="...", footnotes="...": their inner XML."""
    document = f"{before}<w:document {W}><w:body>{body}</w:body></w:document>"
    others = {f"word/{name}.xml": f"<w:{name.rstrip('0123456789')} {W}>{xml}</w:x>" for name, xml in parts.items()}
    others = {name: text.replace("</w:x>", f"</w:{name[5:-4].rstrip('0123456789')}>") for name, text in others.items()}
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document, **others})


def xlsx(sheets, *, texts=(), formats=(), states=None, before="", properties=""):
    """`sheets`: name → what is in its sheetData, or all of it from <cols on. `formats`: codes of styles 1, 2 and on."""
    names = list(sheets)
    states = states or {}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{i}" state="{states.get(name, "visible")}" r:id="rId{i}"/>'
        for i, name in enumerate(names, 1)
    )
    relations = "".join(
        f'<Relationship Id="rId{i}" Type="{RELATION}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(names) + 1)
    )
    codes = "".join(f'<numFmt numFmtId="{170 + i}" formatCode="{code}"/>' for i, code in enumerate(formats))
    styles = '<xf numFmtId="0"/>' + "".join(f'<xf numFmtId="{170 + i}"/>' for i in range(len(formats)))
    parts = {
        "xl/workbook.xml": f'{before}<workbook xmlns="{SHEET}" xmlns:r="{RELATION}"><workbookPr {properties}/>'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relations}</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{SHEET}">' + "".join(f"<si>{text}</si>" for text in texts) + "</sst>",
        "xl/styles.xml": f'<styleSheet xmlns="{SHEET}"><numFmts>{codes}</numFmts><cellStyleXfs><xf numFmtId="9"/>'
        f"</cellStyleXfs><cellXfs>{styles}</cellXfs></styleSheet>",
    }
    for i, name in enumerate(names, 1):
        inner = sheets[name] if sheets[name].startswith("<cols") else f"<sheetData>{sheets[name]}</sheetData>"
        parts[f"xl/worksheets/sheet{i}.xml"] = f'<worksheet xmlns="{SHEET}">{inner}</worksheet>'
    return zipped(parts)


def mail(text="See attached.", *attached, html=None, subject="Your invoice"):
    """`attached`: (name, media type, bytes), or another mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@x.example>", "bob@y.example", subject
    message["Date"] = "Mon, 30 Nov 2026 10:00:00 +0000"
    if text is not None:
        message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for one in attached:
        if isinstance(one, EmailMessage):
            message.add_attachment(one)
            continue
        name, kind, data = one
        main, _, sub = kind.partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message
