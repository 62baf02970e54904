"""What a message is made of, judged as strictly as the provider would: texts, images and PDFs. Pure, but for `read`.

Words are the provider's where they are known: of images and their URLs, of roles, of Azure's chat completions. What it
says of PDFs that are damaged, locked or too many is not published.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from pipeline.reader.read import Unreadable
from pipeline.sandbox.exchange import Message
from pipeline.sandbox.files import PDF, Files, Seen, from_base64
from pipeline.sandbox.pictures import picture_of
from pipeline.sandbox.wires.openai.errors import refusal

MOST_FILE_BYTES = 50_000_000  # of all files of a request
MOST_IMAGES = 1500
DETAILS = ("low", "high", "auto", "original")
FORMATS = "['png', 'jpeg', 'gif', 'webp']"
IMAGE_EXAMPLE = "data:image/png;base64,aW1nIGJ5dGVzIGhlcmU="
PDF_EXAMPLE = "data:application/pdf;base64,JVBERi0="


class Dialect(Struct, frozen=True):
    """What parts are called, and which fields those of files have."""

    image: str
    file: str
    file_fields: frozenset[str]
    nested: bool  # a part's fields stand in a member that is called as the part is


CHAT = Dialect("image_url", "file", frozenset({"filename", "file_data", "file_id"}), nested=True)
RESPONSES = Dialect(
    "input_image", "input_file", frozenset({"filename", "file_data", "file_id", "file_url", "detail"}), nested=False
)


class Parts:
    """The parts of one request."""

    def __init__(self, files: Files, dialect: Dialect, *, takes_files: bool = True) -> None:
        self._files, self._dialect, self._takes_files = files, dialect, takes_files
        self._bytes = self._images = 0

    def message(self, role: str, content: Sequence[Mapping[str, Any]], where: str) -> Message:
        """Raises Refused; what reading a PDF raises."""
        texts, seen = [], []
        for number, part in enumerate(content):
            place = f"{where}[{number}]"
            if part.get("type") == "text" and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                seen.append(self._seen(role, part, place))
        said = "\n\n".join(one.text for one in seen if one.text)
        return Message(role, "".join(texts), said, sum(one.tokens for one in seen))

    def _seen(self, role: str, part: Mapping[str, Any], place: str) -> Seen:
        kind = part.get("type")
        if kind == self._dialect.file and not self._takes_files:
            message = f"Invalid Value: '{kind}'. This model does not support file content types."
            raise refusal(400, message, f"{place}.type", "invalid_value")
        if kind not in {self._dialect.image, self._dialect.file}:
            listed = f"'{self._dialect.image}' and '{self._dialect.file}'"
            message = f"Invalid value: {kind!r}. Supported values are: 'text', {listed}."
            raise refusal(400, message, place, "invalid_value")
        if role != "user":
            message = f"Image URLs are only allowed for messages with role 'user', but this message with role '{role}'"
            what = "an image URL" if kind == self._dialect.image else "a file"
            raise refusal(400, f"{message} contains {what}.", place, "invalid_value")
        if self._files.text_alone:
            message = f"Invalid content type. {kind} is only supported by certain models."
            raise refusal(400, message, f"{place}.type")
        return self._image(part, place) if kind == self._dialect.image else self._file(part, place)

    def _image(self, part: Mapping[str, Any], place: str) -> Seen:
        inner, url_at = part.get("image_url"), f"{place}.image_url"
        detail, url = part.get("detail"), inner
        if self._dialect.nested:
            if not isinstance(inner, dict):
                message = f"Invalid type for '{url_at}': expected an object."
                raise refusal(400, message, url_at, "invalid_type")
            detail, url, url_at = inner.get("detail"), inner.get("url"), f"{url_at}.url"
        if detail is not None and detail not in DETAILS:
            listed = ", ".join(map(repr, DETAILS))
            at = f"{place}.image_url.detail" if self._dialect.nested else f"{place}.detail"
            raise refusal(400, f"Invalid value: {detail!r}. Supported values are: {listed}.", at, "invalid_value")
        data = _from_url(url, url_at, "image/", f"an image MIME type (e.g. '{IMAGE_EXAMPLE}')")
        self._count(len(data), url_at, images=1)
        if not data:
            raise refusal(400, "The image file is empty.", url_at, "empty_image_file")
        picture = picture_of(data)
        if picture is None:
            message = (
                "You uploaded an unsupported image. Please make sure your image has of one the following formats: "
                f"{FORMATS}."
            )
            raise refusal(400, message, url_at, "invalid_image_format")
        return self._files.image(picture)

    def _file(self, part: Mapping[str, Any], place: str) -> Seen:
        inner: object = part
        if self._dialect.nested:
            inner, place = part.get("file"), f"{place}.file"
        if not isinstance(inner, dict):
            raise refusal(400, f"Missing required parameter: '{place}'.", place, "missing_required_parameter")
        for name in sorted(set(inner) - self._dialect.file_fields - ({"type"} if inner is part else set())):
            raise refusal(400, f"Unknown parameter: '{place}.{name}'.", f"{place}.{name}", "unknown_parameter")
        if "file_id" in inner or "file_url" in inner:
            raise refusal(400, "The sandbox keeps and fetches no files: send file_data.", place, "invalid_value")
        for name in ("file_data", "filename"):
            if not isinstance(inner.get(name), str) or not inner[name]:
                at = f"{place}.{name}"
                raise refusal(400, f"Missing required parameter: '{at}'.", at, "missing_required_parameter")
        if inner.get("detail") not in {None, "auto", "low", "high"}:
            message = f"Invalid value: {inner['detail']!r}. Supported values are: 'auto', 'low', 'high'."
            raise refusal(400, message, f"{place}.detail", "invalid_value")
        at = f"{place}.file_data"
        data = _from_url(inner["file_data"], at, PDF, f"an application/pdf MIME type (e.g. '{PDF_EXAMPLE}')")
        self._count(len(data), at)
        return self._pdf(data, at)

    def _pdf(self, data: bytes, at: str) -> Seen:
        try:
            return self._files.pdf(data)
        except Unreadable as why:
            raise refusal(
                400, f"The file at '{at}' cannot be read as a PDF: {why.reason}.", at, "invalid_file"
            ) from None

    def _count(self, size: int, at: str, *, images: int = 0) -> None:
        self._bytes, self._images = self._bytes + size, self._images + images
        if self._bytes > MOST_FILE_BYTES:
            message = f"The files of a request may have {MOST_FILE_BYTES} bytes in all, and have {self._bytes}."
            raise refusal(400, message, at, "image_file_too_large" if images else "file_too_large")
        if self._images > MOST_IMAGES:
            raise refusal(400, f"Too many images. The maximum is {MOST_IMAGES}.", at, "invalid_value")


def _from_url(url: object, at: str, kind: str, expected: str) -> bytes:
    """The bytes of a data URL whose media type begins with `kind`."""
    if not isinstance(url, str):
        raise refusal(400, f"Missing required parameter: '{at}'.", at, "missing_required_parameter")
    if url.startswith(("http://", "https://")):
        raise refusal(400, f"Error while downloading {at}: the sandbox fetches nothing.", at, "invalid_image_url")
    media_type, base64_mark, text = url.removeprefix("data:").partition(";base64,")
    wanted = f"Invalid '{at}'. Expected a base64-encoded data URL with {expected}"
    if not url.startswith("data:") or not base64_mark:
        raise refusal(400, f"{wanted}, but got a value without the 'data:' prefix.", at, "invalid_value")
    if not media_type.startswith(kind):
        raise refusal(400, f"{wanted}, but got unsupported MIME type '{media_type}'.", at, "invalid_value")
    data = from_base64(text)
    if data is None:
        raise refusal(400, f"{wanted}, but got an invalid base64-encoded value.", at, "invalid_base64_image")
    return data
