"""Mails: what is written first, then the attachments in order; what cannot be read is told."""

import sys
import types
from email.message import EmailMessage

import pytest
from office_files import docx, mail, paragraph
from pictures import png

from pipeline.reader import media_types as m
from pipeline.reader.clean import page_of
from pipeline.reader.kinds import read_bytes
from pipeline.reader.mail import MAX_DEPTH, piece_bytes
from pipeline.reader.one_piece import one_piece
from pipeline.reader.read import (
    DAMAGED,
    NOT_A_PDF,
    PASSWORD,
    TOO_LARGE,
    TOO_MANY_PAGES,
    UNSUPPORTED,
    ReadOptions,
    Unreadable,
)  # fmt: skip

CONTRACT = docx(paragraph("Contract"))
DOCX_FILE = ("contract.docx", m.DOCX, CONTRACT)
TEXT_FILE = ("notes.txt", "text/plain", b"Notes")
SCAN = png(1000, 1400)
E_INVOICE = b"<?xml version='1.0'?><Invoice xmlns='u'><ID>7</ID></Invoice>"


def read(message, **options):
    data = message if isinstance(message, bytes) else message.as_bytes()
    return read_bytes(data, "a.eml", ReadOptions(**options))


def texts(message):
    return [piece.pages[0].text for piece in read(message).pieces]


def refused(message, **options):
    with pytest.raises(Unreadable) as caught:
        read(message, **options)
    return caught.value


def test_headers_then_the_text():
    headers = (
        "From: Ann <ann@x.example>\nTo: bob@y.example\nSubject: Your invoice\nDate: Mon, 30 Nov 2026 10:00:00 +0000"
    )
    assert texts(mail("Hello\n\nBob")) == [f"{headers}\n\nHello\n\nBob"]


def test_attachments_are_pieces_in_order():
    found = read(mail("Hi", DOCX_FILE, ("scan.png", m.PNG, SCAN), TEXT_FILE))
    assert [(piece.name, piece.media_type) for piece in found.pieces] == [
        ("a.eml", m.MAIL), ("contract.docx", m.DOCX), ("scan.png", m.PNG), ("notes.txt", m.PLAIN),
    ]  # fmt: skip
    assert [piece.pages[0].text for piece in found.pieces[1:]] == ["Contract", "", "Notes"]
    assert (found.media_type, found.pages) == (m.MAIL, 4)


def test_the_bytes_of_a_piece_are_found_again():
    data = mail("Hi", DOCX_FILE, ("scan.png", m.PNG, SCAN)).as_bytes()
    assert [piece_bytes(data, number, ReadOptions()) for number in range(3)] == [data, CONTRACT, SCAN]


def test_a_mail_within_a_mail_is_a_piece_followed_by_its_own():
    inner = mail("Inside", TEXT_FILE, subject="Inner")
    found = read(mail("Outside", inner, DOCX_FILE))
    assert [piece.name for piece in found.pieces] == ["a.eml", "Inner.eml", "notes.txt", "contract.docx"]
    assert "Subject: Inner" in found.pieces[1].pages[0].text
    assert "Inside" not in found.pieces[0].pages[0].text


def test_a_mail_attached_as_a_file_is_one_too():
    inner = ("old.eml", "application/octet-stream", mail("Inside", TEXT_FILE).as_bytes())
    assert [piece.name for piece in read(mail("Outside", inner)).pieces] == ["a.eml", "old.eml", "notes.txt"]


@pytest.mark.parametrize(
    ("text", "html", "said"),
    [("Plain", "<p>Rich</p>", "Plain"), ("  \n", "<p>Rich</p>", "Rich"), (None, None, "")],
)
def test_plain_text_is_preferred_where_there_is_any(text, html, said):
    assert texts(mail(text, html=html))[0].partition("+0000")[2].strip() == said


def test_html_alone_becomes_text():
    message = EmailMessage()
    message["From"] = "a@b"
    message.set_content("<table><tr><td>Total<td>5</table><p style='display:none'>no</p>", subtype="html")
    assert texts(message) == ["From: a@b\n\nTotal | 5"]


def test_text_after_an_attachment_is_read():
    """As some mail programs write: text, file, text."""
    body = (
        b"From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nbefore\n"
        b"--x\nContent-Type: text/plain; name=f.txt\n\nfile\n--x\nContent-Type: text/plain\n\nafter\n--x--\n"
    )
    assert texts(body) == ["From: a@b\n\nbefore\n\nafter", "file"]


def test_logos_within_the_text_are_left_out_scans_are_not():
    message = mail("Hi")
    message.make_mixed()
    for name, data in (("logo.png", png(200, 60)), ("receipt.png", SCAN)):
        message.add_attachment(data, "image", "png", filename=name, disposition="inline", cid=f"<{name}>")
    message.add_attachment(png(40, 40), "image", "png", filename="stamp.png")
    assert [piece.name for piece in read(message).pieces] == ["a.eml", "receipt.png", "stamp.png"]


def test_what_cannot_be_read_is_told_in_the_first_piece():
    found = texts(
        mail(
            "Hi", ("invoice.pdf", m.PDF, b"<html>Login</html>"), TEXT_FILE, ("winmail.dat", "a/b", b"\x78\x9f\x3e\x22")
        )
    )
    assert found[0].endswith(
        f"Hi\n\n[invoice.pdf cannot be read: {NOT_A_PDF}]\n\n[winmail.dat cannot be read: {UNSUPPORTED}]"
    )
    assert found[1:] == ["Notes"]


def test_it_fails_the_mail_where_there_is_nothing_else():
    error = refused(mail(" ", ("invoice.pdf", m.PDF, b"<html>Login</html>")))
    assert str(error).startswith(f"{NOT_A_PDF}: invoice.pdf, and there is nothing else in the mail")


def test_an_encrypted_mail_says_so():
    message = mail(None)
    message.add_header("Content-Type", "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m")
    message.set_payload("AAAA")
    assert refused(message).reason == PASSWORD


def test_signatures_are_no_attachments():
    message = mail("Hi", ("signature.asc", "application/pgp-signature", b"-----BEGIN"))
    assert len(read(message).pieces) == 1


def test_pages_of_all_attachments_count():
    data = ("long.txt", "text/plain", b"a\f" * 60)
    assert refused(mail("Hi", data, data), max_pages=100).reason == TOO_MANY_PAGES


def test_mails_within_mails_without_end_are_refused():
    message = mail("Innermost")
    for _ in range(MAX_DEPTH + 2):
        outer = mail("Hi")
        outer.make_mixed()
        outer.attach(_octets(message))
        message = outer
    assert refused(message).reason == TOO_LARGE


def _octets(message):
    part = EmailMessage()
    part.set_content(message.as_bytes(), "application", "octet-stream", filename="a.eml", cte="7bit")
    return part


def test_multiparts_without_end_are_refused():
    head = b"From: a@b\nMIME-Version: 1.0\n"
    data = head + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000))
    assert refused(data).reason in {TOO_LARGE, DAMAGED}


def test_parts_without_number_are_refused():
    data = b"From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 600
    assert refused(data + b"--x--\n").reason == TOO_LARGE


HEADERS = [
    b"Subject: =?utf-8?B?////?=",
    b"Subject: =?no-such?Q?x?=",
    b"To: <<<>>>;:,,",
    b"Date: no date",
    b"Subject: \xff\xfe",
]


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_keep_to_no_rules_are_read_as_they_are(header):
    assert texts(b"From: a@b\nMIME-Version: 1.0\n" + header + b"\n\nbody")[0].endswith("body")


def test_the_encoding_of_a_part_counts():
    head = b"From: a@b\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-2022-jp\n\n"
    assert texts(head + "請求書".encode("iso-2022-jp"))[0].endswith("請求書")


def test_a_file_name_is_no_path():
    found = read(mail("Hi", ("../../etc/x.txt", "text/plain", b"a"), ("C:\\y.txt", "text/plain", b"b")))
    assert [piece.name for piece in found.pieces[1:]] == ["x.txt", "y.txt"]


def test_xml_beside_a_pdf_is_a_witness_alone(monkeypatch):
    def read_pdf(data, name, options):
        return one_piece(data, name, m.PDF, (page_of("Invoice"),))

    module = types.ModuleType("pipeline.reader.pdf")
    module.read_pdf = read_pdf
    monkeypatch.setitem(sys.modules, "pipeline.reader.pdf", module)
    pdf, xml = ("a.pdf", m.PDF, b"%PDF-1.7"), ("x.xml", "text/xml", E_INVOICE)
    both = mail("Hi", xml, pdf)
    assert [piece.name for piece in read(both).pieces] == ["a.eml", "a.pdf"]
    assert [one.name for one in read(both).embedded] == ["x.xml"]
    assert piece_bytes(both.as_bytes(), 1, ReadOptions()) == b"%PDF-1.7"
    assert [piece.name for piece in read(mail("Hi", xml)).pieces] == ["a.eml", "x.xml"]


@pytest.mark.parametrize(("wanted", "count"), [(True, 1), (False, 0)])
def test_an_e_invoice_among_the_attachments_is_a_witness(wanted, count):
    found = read(mail("Hi", ("xrechnung.xml", "text/xml", E_INVOICE)), embedded_xml=wanted)
    assert len(found.embedded) == count
