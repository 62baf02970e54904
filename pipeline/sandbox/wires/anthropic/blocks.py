"""What a message to a Claude is made of, judged as strictly as Anthropic would: texts, images and documents.

Pure, but for `read`. The same blocks go to Bedrock's InvokeModel, which puts the words into an error of its own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from msgspec import Struct

from pipeline.catalog.windows import limits_of
from pipeline.reader.read import Unreadable
from pipeline.sandbox.exchange import Message, Refused
from pipeline.sandbox.files import PDF, Files, Seen, from_base64
from pipeline.sandbox.pictures import GIF, JPEG, PNG, WEBP, Picture, picture_of

Refuse = Callable[[str], Refused]

IMAGES = f"'{JPEG}', '{PNG}', '{GIF}' or '{WEBP}'"
IMAGE_TYPES = {JPEG, PNG, GIF, WEBP}
MOST_PX, MANY_IMAGES, MOST_PX_OF_MANY = 8000, 20, 2000
MILLION = 1_000_000
ENCRYPTED = re.compile(rb"/Encrypt(?:\s+\d+\s+\d+\s+R|\s*<<)")  # with no password to open it, too
TEXT_FIELDS = {"type", "text", "cache_control", "citations"}
IMAGE_FIELDS = {"type", "source", "cache_control", "transformations"}
DOCUMENT_FIELDS = {"type", "source", "cache_control", "citations", "title", "context"}


class Bounds(Struct, frozen=True):
    """What a host of these models takes."""

    image_mb: int = 10  # of base64


class Blocks:
    """The blocks of one request. `refuse` makes the host's error of some words."""

    def __init__(self, model: str, files: Files, refuse: Refuse, bounds: Bounds = Bounds()) -> None:  # noqa: B008 (frozen)
        self._model, self._files, self._refuse, self._bounds = model, files, refuse, bounds
        self._pictures: list[tuple[str, Picture]] = []
        self._pages = 0
        self._cites: set[bool] = set()

    @property
    def cites(self) -> bool:
        """Whether citations are asked for; to be asked when all messages were judged."""
        return True in self._cites

    def message(self, role: str, content: list[Any], where: str) -> Message:
        """Raises Refused; what reading a PDF raises."""
        texts, seen = [], []
        for index, block in enumerate(content):
            place = f"{where}.{index}"
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                texts.append(self._text(block, f"{place}.text"))
            elif kind in {"image", "document"}:
                seen.append(self._seen(role, block, place))
            else:
                self._fail(
                    f"{place}: Input tag {str(kind)!r} found using 'type' does not match any of the expected tags"
                )
        said = "\n\n".join(one.text for one in seen if one.text)
        return Message(role, "".join(texts), said, sum(one.tokens for one in seen))

    def check(self) -> None:
        """What holds for all files of a request together. Raises Refused."""
        images = len(self._pictures)
        if not images and not self._pages:
            return
        most = 600 if limits_of(self._model).context_tokens >= MILLION else 100
        if self._pages > most:
            self._fail(f"A maximum of {most} PDF pages may be provided.")
        if self._pages + images > most:
            self._fail(f"Too much media: {self._pages} document pages + {images} images > {most}")
        if len(self._cites) > 1:
            self._fail("citations: must be enabled for all documents of a request, or for none")
        self._check_sizes(many=images > MANY_IMAGES)

    def _check_sizes(self, *, many: bool) -> None:
        most, of_many = (MOST_PX_OF_MANY, " for many-image requests") if many else (MOST_PX, "")
        for place, picture in self._pictures:
            if max(picture.width, picture.height) > most:
                words = "At least one of the image dimensions exceed max allowed size"
                self._fail(f"{place}: {words}{of_many}: {most} pixels")

    def _text(self, block: Mapping[str, Any], place: str) -> str:
        self._only(block, TEXT_FIELDS, place)
        self._check_cache_control(block.get("cache_control"), f"{place}.cache_control")
        text = block.get("text")
        if not isinstance(text, str):
            self._fail(f"{place}.text: Field required")
        if not text.strip():
            self._fail("messages: text content blocks must contain non-whitespace text")
        return text

    def _seen(self, role: str, block: Mapping[str, Any], place: str) -> Seen:
        kind = str(block["type"])
        if role != "user":
            self._fail(f"{place}: `{kind}` blocks are only permitted in `user` messages")
        if self._files.text_alone:
            self._fail(f"{place}: this model does not support {kind} input")
        self._only(block, IMAGE_FIELDS if kind == "image" else DOCUMENT_FIELDS, f"{place}.{kind}")
        self._check_cache_control(block.get("cache_control"), f"{place}.{kind}.cache_control")
        source = block.get("source")
        if not isinstance(source, dict):
            self._fail(f"{place}.{kind}.source: Field required")
        at = f"{place}.{kind}.source"
        return self._image(source, at) if kind == "image" else self._document(block, source, at)

    def _image(self, source: Mapping[str, Any], at: str) -> Seen:
        data = self._bytes(source, at, IMAGE_TYPES, IMAGES)
        most, size = self._bounds.image_mb * 1024 * 1024, len(source["data"])
        if size > most:
            self._fail(f"{at}.base64: image exceeds {self._bounds.image_mb} MB maximum: {size} bytes > {most} bytes")
        picture = picture_of(data)
        at = f"{at}.base64.data"
        if picture is None:
            self._fail(f"{at}: Could not process image")
        if picture.media_type != source["media_type"]:
            self._fail(f"{at}: Image does not match the provided media type {source['media_type']}")
        self._pictures.append((at, picture))
        return self._files.image(picture)

    def _document(self, block: Mapping[str, Any], source: Mapping[str, Any], at: str) -> Seen:
        citations = block.get("citations")
        self._cites.add(isinstance(citations, dict) and citations.get("enabled") is True)
        if source.get("type") == "text":
            if source.get("media_type") != "text/plain" or not isinstance(source.get("data"), str):
                self._fail(f"{at}.text.media_type: Input should be 'text/plain'")
            return self._files.plain(source["data"])
        data = self._bytes(source, at, {PDF}, f"'{PDF}'")
        at = f"{at}.base64.data"
        if not data:
            self._fail(f"{at}: PDF cannot be empty")
        if ENCRYPTED.search(data):
            self._fail(f"{at}: The PDF specified is password protected.")
        try:
            seen = self._files.pdf(data)
        except Unreadable:
            self._fail(f"{at}: The PDF specified was not valid.")
        self._pages += seen.pages
        return seen

    def _bytes(self, source: Mapping[str, Any], at: str, kinds: set[str], listed: str) -> bytes:
        if source.get("type") in {"url", "file"}:
            self._fail(f"{at}: the sandbox keeps and fetches no files: send base64")
        if source.get("type") != "base64":
            self._fail(f"{at}: Input tag {str(source.get('type'))!r} found using 'type' does not match 'base64'")
        self._only(source, {"type", "media_type", "data"}, f"{at}.base64")
        if source.get("media_type") not in kinds:
            self._fail(f"{at}.base64.media_type: Input should be {listed}")
        data = from_base64(source.get("data"))
        if data is None:
            self._fail(f"{at}.base64: invalid base64 data")
        return data

    def _only(self, found: Mapping[str, Any], known: set[str], place: str) -> None:
        for name in found.keys() - known:
            self._fail(f"{place}.{name}: Extra inputs are not permitted")

    def _check_cache_control(self, control: object, where: str) -> None:
        if control is None:
            return
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            self._fail(f"{where}.type: Input should be 'ephemeral'")
        self._only(control, {"type", "ttl"}, where)
        if control.get("ttl", "5m") not in {"5m", "1h"}:
            self._fail(f"{where}.ttl: Input should be '5m' or '1h'")

    def _fail(self, words: str) -> NoReturn:
        raise self._refuse(words)
