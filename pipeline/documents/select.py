"""Which chunks of a long document a question points at: BM25 over its chunks, by words. Pure, and nothing is asked.

Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009), with an idf that is never
negative. Words are compared without case and accents; in scripts without blanks, pairs of characters.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from pipeline.text import folded, repaired

K1, B = 1.5, 0.75  # how soon more of a word says no more, and how much a long chunk has to have more of it
WORD = re.compile(r"[^\W_]+")
WITHOUT_BLANKS = "\u3040"  # from here on: kana, Chinese characters
DIGITS = 9  # of a score: what differs by less is a tie on any machine

Query = Sequence[tuple[str, float]]  # words, and what each weighs


def chosen(texts: Sequence[str], most: int, query: Query) -> list[int]:
    """The places of at most `most` chunks, in order: the first, and those that have most of the query; 0: all.

    Of equal ones the earlier. A document of no more chunks than that is not looked into.

    >>> chosen(["Contract", "of the weather", "rent: 5 EUR", "and more"], 2, [("rent", 1.0)])
    [0, 2]
    """
    if not 0 < most < len(texts):
        return list(range(len(texts)))
    told = _scores(texts, query)
    best = sorted(range(1, len(texts)), key=lambda place: (-told[place], place))
    return sorted([0, *best[: most - 1]])


def words_of(text: str) -> Iterator[str]:
    """As they are compared."""
    for word in WORD.findall(folded(repaired(text))):
        if word[0] >= WITHOUT_BLANKS and len(word) > 1:
            yield from (first + second for first, second in pairwise(word))
        else:
            yield word


def _scores(texts: Sequence[str], query: Query) -> list[float]:
    counts = [Counter(words_of(text)) for text in texts]
    lengths = [max(1, one.total()) for one in counts]
    mean = sum(lengths) / len(lengths)
    idf = {word: _idf(len(texts), sum(word in one for one in counts)) for word, _ in query}
    return [_score(one, length / mean, query, idf) for one, length in zip(counts, lengths, strict=True)]


def _idf(chunks: int, having: int) -> float:
    return math.log(1 + (chunks - having + 0.5) / (having + 0.5))


def _score(counts: Counter[str], length: float, query: Query, idf: Mapping[str, float]) -> float:
    """`length` over the mean of all chunks."""
    norm = K1 * (1 - B + B * length)
    return round(
        sum(weight * idf[word] * many * (K1 + 1) / (many + norm) for word, weight in query if (many := counts[word])),
        DIGITS,
    )
