"""What a content is made of, judged as strictly as Google would: texts, images and PDFs. Pure, but for `read`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.reader.read import TOO_MANY_PAGES, Unreadable
from pipeline.sandbox.exchange import Message
from pipeline.sandbox.files import PDF, Files, Seen, from_base64
from pipeline.sandbox.pictures import Picture, picture_of
from pipeline.sandbox.wires.gemini.errors import bad_fields, refusal

MOST_BYTES = 20 * 1024 * 1024  # of a request with files in it
MOST_PDF_BYTES, MOST_PAGES = 50 * 1024 * 1024, 1000
IMAGES = {"image/png", "image/jpeg", "image/webp"}
UNREAD_IMAGES = {"image/heic", "image/heif"}  # their sizes are not looked up here
NOT_DATA = {"thought", "thoughtSignature", "mediaResolution", "documentMetadata"}


class Parts:
    """The parts of one request, which has `size` bytes."""

    def __init__(self, files: Files, size: int) -> None:
        self._files, self._size = files, size

    def message(self, role: str, parts: Sequence[Mapping[str, Any]], place: str) -> Message:
        """Raises Refused; what reading a PDF raises."""
        texts, seen = [], []
        for number, part in enumerate(parts):
            where = f"{place}.parts[{number}]"
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
            elif "inlineData" in part:
                seen.append(self._seen(part["inlineData"], where))
            elif "fileData" in part:
                text = "You do not have permission to access the File or it may not exist: the sandbox keeps no files."
                raise refusal(403, text)
            elif set(part) - NOT_DATA:
                raise refusal(400, f"The sandbox reads text and inlineData parts only; '{where}' is none.")
            else:
                raise refusal(400, f"* GenerateContentRequest.{where}.data: required oneof field 'data' must be set\n")
        said = "\n\n".join(one.text for one in seen if one.text)
        return Message(role, "".join(texts), said, sum(one.tokens for one in seen))

    def _seen(self, blob: Mapping[str, Any], where: str) -> Seen:
        kind, at = blob.get("mimeType"), f"{where}.inline_data.data"
        if self._size > MOST_BYTES:
            raise refusal(400, f"Request payload size exceeds the limit: {MOST_BYTES} bytes.")
        data = from_base64(blob.get("data"))
        if data is None:
            start = str(blob.get("data"))[:40]
            raise bad_fields([(at, f"Invalid value at '{at}' (TYPE_BYTES), Base64 decoding failed for \"{start}\"")])
        if not data:
            raise refusal(400, f"* GenerateContentRequest.{where}.inline_data.data: must not be empty\n")
        if self._files.text_alone:
            raise refusal(400, "Image input modality is not enabled for this model")
        if kind == PDF:
            return self._pdf(data)
        if kind == "text/plain":
            return self._files.plain(data.decode(errors="replace"))
        if kind in IMAGES:
            picture = picture_of(data)
            if picture is None:
                raise refusal(400, "Unable to process input image. Please retry or report the problem.")
            return self._files.image(picture)
        if kind in UNREAD_IMAGES:
            return self._files.image(Picture(str(kind), 0, 0))
        raise refusal(400, f"Unsupported MIME type: {kind}")

    def _pdf(self, data: bytes) -> Seen:
        if len(data) > MOST_PDF_BYTES:
            raise refusal(400, f"The document has {len(data)} bytes, which exceeds the limit of {MOST_PDF_BYTES}.")
        try:
            seen = self._files.pdf(data)
        except Unreadable as why:
            if why.reason == TOO_MANY_PAGES:
                raise _too_many(why.pages) from None
            raise refusal(400, "The document has no pages.") from None  # whatever is wrong with it
        if seen.pages > MOST_PAGES:
            raise _too_many(seen.pages)
        return seen


def _too_many(pages: int) -> Exception:
    text = f"The document contains {pages} pages which exceeds the supported page limit of {MOST_PAGES}."
    return refusal(400, text)
