"""A folder of documents for a job, and what of them a scripted server was sent: bytes and pages, as it got them."""

import base64
from collections import Counter

import pypdfium2
from pdf_makers import text_pages


def pages(count, name="Acorn"):
    """A PDF of so many pages, each with a text of its own."""
    return text_pages(*(f"Invoice of {name}, page {number} of {count}\nTotal: {number}.50" for number in range(count)))


def write(job, url, files, **sections):
    """A job over a folder of these files, by name: bytes or text."""
    folder = job.folder / "inbox"
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    sections["input"] = {"path": "inbox", "id": "", **sections.get("input", {})}
    return job.write(url, **sections)


def sent_files(body):
    """The bytes of the files in a body of chat completions, in order."""
    parts = [part for message in body["messages"] for part in _parts(message["content"]) if part["type"] != "text"]
    urls = [part["file"]["file_data"] if part["type"] == "file" else part["image_url"]["url"] for part in parts]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def sent_pages(body):
    """The first lines of the pages of all PDFs in a body."""
    return [text.split("\r\n")[0] for data in sent_files(body) for text in _texts(data)]


def paid_twice(server):
    """Requests of the same files that were answered more than once, by the server's journal."""
    seen = Counter(b"".join(sent_files(body)) for _, body, _ in server.requests)
    return [count for count in seen.values() if count > 1]


def _parts(content):
    return content if isinstance(content, list) else []


def _texts(data):
    if not data.startswith(b"%PDF"):
        return [""]
    found = pypdfium2.PdfDocument(data)
    try:
        return [page.get_textpage().get_text_range() for page in found]
    finally:
        found.close()
