"""What a Converse message is made of, judged as strictly as Bedrock would: texts, images and documents.

Pure, but for `read`. What a model is shown of a PDF differs: a Claude its text alone, unless citations are asked for;
Nova its pages; other makers' models its text.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NoReturn

from pipeline.catalog.names import family_name
from pipeline.reader.read import PASSWORD, Unreadable
from pipeline.sandbox.exchange import Message
from pipeline.sandbox.files import Files, Seen, from_base64
from pipeline.sandbox.pictures import picture_of
from pipeline.sandbox.wires.bedrock.errors import Refusal, invalid, malformed, refusal

IMAGES = {"png", "jpeg", "gif", "webp"}
TEXTS = {"csv", "html", "txt", "md"}
FORMATS = {"pdf", "doc", "docx", "xls", "xlsx", *TEXTS}
NAME = re.compile(r"[A-Za-z0-9\-()\[\]]+(?:\s[A-Za-z0-9\-()\[\]]+)*")
MOST_DOCUMENTS, MOST_DOCUMENT_BYTES = 5, 4_500_000
MOST_IMAGES, MOST_IMAGE_BYTES, MOST_PX = 20, 3_750_000, 8000
NEW_CLAUDE = re.compile(r"claude-(?!3|2|v|instant)")
NAME_RULE = (
    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and "
    "square brackets. The name can't contain more than one consecutive whitespace character."
)


class Blocks:
    """The blocks of one request. `documents`: whether this API takes documents from the model at all."""

    def __init__(self, model: str, files: Files, *, documents: bool = True) -> None:
        self._files, self._takes_documents = files, documents
        self._model = model
        self._documents = self._images = 0
        self.cites = False  # whether citations are asked for; once all messages were judged

    @cached_property
    def _name(self) -> str:
        return family_name(self._model)

    def message(self, role: str, content: object, where: str) -> Message:
        """Raises Refused; what reading a PDF raises."""
        if not isinstance(content, list) or not content:
            raise invalid(f"The content field at {where} is empty. Add a content block, and try again.")
        texts, seen, documents = [], [], self._documents
        for index, block in enumerate(content):
            if isinstance(block, dict) and set(block) == {"cachePoint"}:
                continue
            if isinstance(block, dict) and set(block) == {"text"} and isinstance(block["text"], str):
                texts.append(self._text(block["text"], f"{where}.{index}"))
            elif isinstance(block, dict) and len(block) == 1 and set(block) <= {"image", "document"}:
                seen.append(self._seen(role, block, f"{where}.{index}"))
            else:
                raise invalid(f"The sandbox reads text, image and document blocks only: {where}.{index} is none.")
        if self._documents > documents and not texts:
            raise Refusal(400, b"{}", refusal(400, "ValidationException", "").headers)  # it says nothing
        said = "\n\n".join(one.text for one in seen if one.text)
        return Message(role, "".join(texts), said, sum(one.tokens for one in seen))

    def _text(self, text: str, where: str) -> str:
        if not text.strip():
            raise invalid(
                f"The text field in the ContentBlock object at {where} is blank. "
                "Add text to the text field, and try again."
            )
        return text

    def _seen(self, role: str, block: Mapping[str, Any], where: str) -> Seen:
        kind, inner = next(iter(block.items()))
        if role != "user":
            raise invalid(f"The {kind} block at {where} is only allowed in a message with the user role.")
        if self._files.text_alone:
            raise invalid(f"This model doesn't support the {kind} field. Remove {kind} and try again.")
        if kind == "document" and not self._takes_documents:
            raise malformed(f"#/{where.replace('.', '/')}: extraneous key [document] is not permitted")
        source = inner.get("source") if isinstance(inner, dict) else None
        if not isinstance(source, dict) or not isinstance(source.get("bytes"), str):
            raise invalid(f"The sandbox reads bytes only: {where}.{kind}.source has none.")
        data = from_base64(source["bytes"])
        if data is None:
            raise refusal(400, "SerializationException", f"{where}.{kind}.source.bytes is no base64")
        return self._image(inner, data, where) if kind == "image" else self._document(inner, data, where)

    def _image(self, image: Mapping[str, Any], data: bytes, where: str) -> Seen:
        self._known(image, {"format", "source"}, f"{where}.image")
        self._one_of(image.get("format"), IMAGES, f"{where}.image.format")
        self._images += 1
        nova = self._name.startswith("nova")
        if self._images > MOST_IMAGES and not nova:
            raise invalid(f"too many images: {self._images}. A request takes {MOST_IMAGES} images at the most.")
        if len(data) > MOST_IMAGE_BYTES and not nova:
            self._fail(f"{where}: image exceeds the maximum of {MOST_IMAGE_BYTES} bytes: {len(data)} bytes")
        picture = picture_of(data)
        if picture is None:
            self._fail(f"{where}.image.source.bytes: Could not process image")
        if picture.media_type != f"image/{image['format']}":
            self._fail(f"{where}: Image does not match the provided media type image/{image['format']}")
        if max(picture.width, picture.height) > MOST_PX:
            self._fail(f"{where}: At least one of the image dimensions exceed max allowed size: {MOST_PX} pixels")
        return self._files.image(picture)

    def _document(self, document: Mapping[str, Any], data: bytes, where: str) -> Seen:
        self._known(document, {"format", "name", "source", "citations", "context"}, f"{where}.document")
        kind = document.get("format")
        self._one_of(kind, FORMATS, f"{where}.document.format")
        name = document.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= 200:
            raise invalid(f"Value at '{where}.document.name' failed to satisfy constraint: Member must have 1 to 200")
        if not NAME.fullmatch(name):
            raise invalid(NAME_RULE)
        citations = document.get("citations")
        cited = isinstance(citations, dict) and citations.get("enabled") is True
        self.cites = self.cites or cited
        self._check_size(str(kind), data)
        if kind in TEXTS:
            return self._files.plain(data.decode(errors="replace"))
        if kind != "pdf":
            raise invalid(f"The sandbox reads PDF and text documents only, and no {kind}.")
        visually = cited if self._name.startswith("claude") else self._name.startswith("nova")
        try:
            return self._files.pdf(data, visually=visually)
        except Unreadable as why:
            words = "is password protected" if why.reason == PASSWORD else "was not valid"
            self._fail(f"{where}.document.source.bytes: The PDF specified {words}.")

    def _check_size(self, kind: str, data: bytes) -> None:
        self._documents += 1
        exempt = NEW_CLAUDE.match(self._name) is not None and kind == "pdf"
        exempt = exempt or (self._name.startswith("nova") and kind in {"pdf", "docx"})
        if exempt:
            return
        if self._documents > MOST_DOCUMENTS:
            raise invalid(f"The request has {self._documents} documents, and the maximum is {MOST_DOCUMENTS}.")
        if len(data) > MOST_DOCUMENT_BYTES:
            raise invalid(f"The document has {len(data)} bytes, and the maximum is {MOST_DOCUMENT_BYTES} bytes.")

    def _known(self, found: Mapping[str, Any], known: set[str], where: str) -> None:
        for name in found:
            if name not in known:
                raise malformed(f"#/{where.replace('.', '/')}: extraneous key [{name}] is not permitted")

    def _one_of(self, value: object, known: set[str], where: str) -> None:
        if value not in known:
            listed = ", ".join(sorted(known))
            told = f"Value '{value}' at '{where}' failed to satisfy constraint"
            raise invalid(f"{told}: Member must satisfy enum value set: [{listed}]")

    def _fail(self, words: str) -> NoReturn:
        raise invalid(f"The model returned the following errors: {words}")
