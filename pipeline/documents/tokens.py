"""Token counters by provider and model, from vocabularies that come with the package: nothing is ever fetched.

The ranks go straight into `tiktoken.Encoding`. tiktoken's own loader looks in a cache folder and, when the file there
is missing or not the one it wants, downloads it; this way no such path exists, no file is written, no environment
variable set, and a later tiktoken that expects another file changes nothing. `encode_ordinary` only: a document may
contain the text of a special token.
"""

import functools
import hashlib
import json
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from itertools import accumulate, chain, pairwise
from typing import cast

import tiktoken
from msgspec import Struct

from pipeline.catalog.names import family_name, longest_prefix
from pipeline.catalog.providers import PROVIDERS
from pipeline.catalog.token_factors import FACTORS
from pipeline.documents.chunks import Counter
from pipeline.text import repaired

DEFAULT_ENCODING = "o200k_base"
# A run of about 1,000,000 blanks overflows the stack of tiktoken's regular expressions, and the panic is no Exception.
# A power of two, so that runs of one character are cut where their longest tokens end and count the same.
MAX_BLANKS = 1 << 19
LONG_BLANKS = re.compile(rf"(?<!\s)\s{{{MAX_BLANKS},}}")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """One encoding: what turns text into ids, and how many bytes each id stands for."""

    name: str
    encoding: tiktoken.Encoding = field(repr=False)
    lengths: tuple[int, ...] = field(repr=False)

    def ids(self, text: str) -> Iterator[list[int]]:
        for piece in _without_long_blanks(repaired(text)):
            yield self.encoding.encode_ordinary(piece)


class VocabularyCounter(Struct, frozen=True):
    """Counts by a vocabulary; `exact` when it is known to be the model's own."""

    name: str
    exact: bool
    vocabulary: Vocabulary
    additive: bool = True

    def count(self, text: str) -> int:
        return sum(map(len, self.vocabulary.ids(text)))

    def ends(self, text: str) -> Sequence[int]:
        ids = chain.from_iterable(self.vocabulary.ids(text))
        return array("q", accumulate(map(self.vocabulary.lengths.__getitem__, ids)))


class ScaledCounter(Struct, frozen=True):
    """Another vocabulary's count times a factor of 1 or more, but never more than one token for each byte."""

    name: str
    inner: VocabularyCounter
    factor: Fraction
    exact: bool = False
    additive: bool = False

    def count(self, text: str) -> int:
        inner = self.inner.count(text)
        return min(self._scaled(inner), len(repaired(text).encode())) if inner else 0

    def ends(self, text: str) -> Sequence[int]:
        inner = self.inner.ends(text)
        if not inner:
            return inner
        tokens = min(self._scaled(len(inner)), inner[-1])
        if tokens == inner[-1]:
            return range(1, tokens + 1)
        return array("q", (inner[number * len(inner) // tokens] for number in range(tokens)))

    def _scaled(self, tokens: int) -> int:
        return -(-tokens * self.factor.numerator // self.factor.denominator)


def counter_for(provider: str, model: str) -> Counter:
    """The best counter there is offline for a model.

    OpenAI's names go by tiktoken's own table. Other makers' models, on whatever provider, are estimates: o200k_base
    times a factor. A name that nobody knows counts as o200k_base at OpenAI, Azure and compatible servers.
    """
    name = family_name(model)
    factor = longest_prefix(FACTORS, name)
    if factor is None and not name.startswith("gpt-"):
        factor = PROVIDERS[provider].token_factor
    if factor is not None:
        inner = VocabularyCounter(DEFAULT_ENCODING, exact=False, vocabulary=vocabulary(DEFAULT_ENCODING))
        return ScaledCounter(f"{DEFAULT_ENCODING} x {float(factor)}", inner, factor)
    encoding = _openai_encoding(name)
    chosen = vocabulary(encoding or DEFAULT_ENCODING)
    return VocabularyCounter(chosen.name, exact=encoding is not None, vocabulary=chosen)


def _openai_encoding(name: str) -> str | None:
    try:
        encoding = tiktoken.encoding_name_for_model(name)
    except KeyError:
        return None
    encoding = DEFAULT_ENCODING if encoding == "o200k_harmony" else encoding  # the same ranks, more special tokens
    return encoding if encoding in _encodings() else None


@functools.cache
def vocabulary(name: str) -> Vocabulary:
    """Load an encoding, once in a process: about 0.15 s and 75 MB for o200k_base.

    Raises:
        RuntimeError: the package's own file is damaged.
    """
    about = _encodings()[name]
    data = zlib.decompress(files("pipeline.documents").joinpath("vocabulary", f"{name}.zlib").read_bytes())
    found = hashlib.sha256(data).hexdigest()
    if found != about["sha256"]:
        raise RuntimeError(
            f"pipeline/documents/vocabulary/{name}.zlib is damaged (SHA-256 {found}, should be {about['sha256']}): "
            "install the package again"
        )
    count = cast("int", about["tokens"])
    lengths = tuple(data[:count])
    bounds = pairwise(accumulate(lengths, initial=count))
    ranks = {data[start:end]: rank for rank, (start, end) in enumerate(bounds)}
    pattern = cast("str", about["pattern"])
    return Vocabulary(name, tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={}), lengths)


@functools.cache
def _encodings() -> Mapping[str, Mapping[str, int | str]]:
    text = files("pipeline.documents").joinpath("vocabulary", "encodings.json").read_text(encoding="utf-8")
    return cast("Mapping[str, Mapping[str, int | str]]", json.loads(text))


def _without_long_blanks(text: str) -> Iterator[str]:
    """`text` in pieces, none with more than MAX_BLANKS blanks in a row; a cut may cost or save a token or two."""
    half = MAX_BLANKS // 2  # a run that is too long fills one of these slices whole
    if len(text) < MAX_BLANKS or not any(text[at : at + half].isspace() for at in range(0, len(text), half)):
        yield text
        return
    start = 0
    for run in LONG_BLANKS.finditer(text):
        for cut in range(run.start() + MAX_BLANKS, run.end(), MAX_BLANKS):
            yield text[start:cut]
            start = cut
    yield text[start:]
