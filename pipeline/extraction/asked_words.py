"""A schema → the words of its question: which chunks of a long document it points at. Pure."""

from collections.abc import Iterator, Mapping

from pipeline.documents.select import Query, words_of
from pipeline.extraction.evidence.leaves import Field, fields_of
from pipeline.extraction.field_names import Schema, name_of, names_of
from pipeline.extraction.invoice_names import HEAD, LINE, Meaning

NAMED, TOLD = 1.0, 0.2  # what a word of a name weighs, and one of a description: benchmarks/selection.py
TITLE_WORDS = 3  # what is longer describes
IN_LISTS = HEAD | LINE  # a list is one of lines, or of invoices
LEAST_CHARS = 3  # of a word that is more than grammar


def words_asked(schema: Schema) -> Query:
    """The words of all fields' names, titles and descriptions, and what other languages call them.

    A word that several of them have weighs what it does where it says most.

    >>> words_asked({"properties": {"tenantName": {"description": "Who rents it all"}}})
    (('all', 0.2), ('name', 1.0), ('rents', 0.2), ('tenant', 1.0), ('who', 0.2))
    """
    weights: dict[str, float] = {}
    whole = schema if "properties" in schema else {"properties": {"": schema}, "$defs": schema.get("$defs", {})}
    for place, field in fields_of(whole).items():
        for word, weight in _words(field, IN_LISTS if "[]" in place else HEAD):
            weights[word] = max(weight, weights.get(word, 0.0))
    return tuple(sorted(weights.items()))


def _words(field: Field, known: Mapping[str, Meaning]) -> Iterator[tuple[str, float]]:
    for said in (field.name, *_others(field, known), *field.said):
        weight = NAMED if said.count(" ") < TITLE_WORDS else TOLD
        for word in words_of(name_of(said)):
            if len(word) >= LEAST_CHARS or not word.isascii():
                yield word, weight


def _others(field: Field, known: Mapping[str, Meaning]) -> Iterator[str]:
    """What else people call the same term of an invoice."""
    facts = {known[name].facts[0] for name in names_of(field.name, {}) if name in known}
    return (name for name, meaning in known.items() if meaning.facts[0] in facts)
