"""What a request's files say and cost: read as the pipeline reads them, billed by the formulas that it estimates by."""

import base64
import binascii
from functools import cached_property
from typing import Any

from msgspec import Struct

from pipeline.catalog.page_tokens import TEXT_ALONE, image_tokens, known_rule, pdf_page_tokens, pdf_text_billed
from pipeline.job.settings import Model
from pipeline.sandbox.exchange import PageReader, tokens_of
from pipeline.sandbox.pictures import Picture

PDF = "application/pdf"


class Seen(Struct, frozen=True):
    """What a model sees of one file. `tokens`: what it is billed as, its text included where that is billed."""

    text: str
    tokens: int
    pages: int = 0  # of a PDF
    image: bool = False


class Files:
    """The files of one request to one model."""

    def __init__(self, provider: Any, name: str, read: PageReader) -> None:  # noqa: ANN401 (a literal of settings)
        self._provider, self._name, self._read = provider, name, read

    @cached_property
    def _model(self) -> Model:
        return Model(provider=self._provider, name=self._name, max_output_tokens=1)

    @property
    def text_alone(self) -> bool:
        """Whether the model is known to take no file at all."""
        return known_rule(self._model) is TEXT_ALONE

    def pdf(self, data: bytes, *, visually: bool = True) -> Seen:
        """`visually`: its pages are drawn for the model too. Raises Unreadable."""
        read = self._read(data)
        pages = [page for piece in read.pieces for page in piece.pages]
        text = "\n\n".join(page.text for page in pages)
        tokens = tokens_of(text) if pdf_text_billed(self._model) or not visually else 0
        if visually:
            sizes = ((page.facts.width_pt, page.facts.height_pt) for page in pages)
            tokens += sum(pdf_page_tokens(self._model, *size).expected for size in sizes)
        return Seen(text, tokens, pages=len(pages))

    def image(self, picture: Picture) -> Seen:
        tokens = image_tokens(self._model, picture.width, picture.height).expected
        return Seen(picture.text, tokens, image=True)

    @staticmethod
    def plain(text: str) -> Seen:
        """A file that is text."""
        return Seen(text, tokens_of(text))


def from_base64(text: object) -> bytes | None:
    """The bytes, or None where these are no base64."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        return None
