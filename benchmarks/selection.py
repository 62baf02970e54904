"""What `chunks.select` saves and what it loses: `python benchmarks/selection.py`, in process, with the sandbox's rules.

Two measures over the samples. Long documents, whose facts are everywhere: every chunk of a contract has dates and
duties, so that leaving some out must lose some. And a needle: each sample invoice somewhere among the pages of long
documents, where all that is asked for stands in one place.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from pydantic import BaseModel

from pipeline.documents.chunks import chunk
from pipeline.documents.select import Query, chosen
from pipeline.documents.tokens import counter_for
from pipeline.extraction.asked_words import words_asked
from pipeline.sandbox.rules.rules import extract
from pipeline.schema.shape import load_model, restore, shape_for
from pipeline.types import Chunk

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_data"
COUNTER = counter_for("openai", "gpt-4o-mini")
OVERHEAD_TOKENS = 702  # of prompt and schema in each request, as `estimate` has it of jobs/nightly_documents.toml
OVERLAP_TOKENS = 60


class Tally(Struct):
    """Of all documents together."""

    documents: int = 0
    chunks: int = 0
    asked: int = 0
    tokens: int = 0
    asked_tokens: int = 0
    fields: int = 0  # of the schema, with something in them when all chunks are asked about
    lost: Counter[str] = field(default_factory=Counter)  # with nothing in them when some are
    items: int = 0
    lost_items: int = 0
    found: int = 0

    def told(self) -> str:
        saved = 1 - self.asked_tokens / self.tokens
        return f"{self.asked:4} of {self.chunks:4} chunks, {saved:6.1%} of {self.tokens:,} input tokens saved"


def texts() -> dict[str, str]:
    found = {}
    for path in sorted(SAMPLES.glob("documents/*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found[row["id"]] = row["text"]
    return found


def cut(text: str, most_tokens: int) -> list[Chunk]:
    return chunk(text, COUNTER, most_tokens, min(OVERLAP_TOKENS, most_tokens // 4), exact=True)


def records(model: type[BaseModel], prompt: str, chunks: Sequence[Chunk]) -> list[Mapping[str, Any]]:
    shaped = shape_for(model, "openai", "auto")
    return [restore(shaped, extract(f"{prompt}\n\n{one.text}", shaped.shape.schema)) for one in chunks]


def merged(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lists joined, other fields the first that is not null."""
    whole: dict[str, Any] = {}
    for record in found:
        for name, value in record.items():
            if isinstance(value, list):
                known = whole.setdefault(name, [])
                known += [item for item in value if item not in known]
            elif whole.get(name) is None:
                whole[name] = value
    return whole


def add(tally: Tally, chunks: Sequence[Chunk], kept: Sequence[int]) -> None:
    tally.documents += 1
    tally.chunks += len(chunks)
    tally.asked += len(kept)
    tally.tokens += sum(one.tokens + OVERHEAD_TOKENS for one in chunks)
    tally.asked_tokens += sum(chunks[place].tokens + OVERHEAD_TOKENS for place in kept)


def spread(texts_of: Mapping[str, str], most_tokens: int, select: int, query: Query) -> Tally:
    """Facts are everywhere."""
    model, tally = load_model(f"{ROOT / 'schemas' / 'document.py'}:Document"), Tally()
    for text in texts_of.values():
        chunks = cut(text, most_tokens)
        if len(chunks) <= select:
            continue
        kept = chosen([one.text for one in chunks], select, query)
        add(tally, chunks, kept)
        every = records(model, "Extract the facts from this part of a document.", chunks)
        whole, part = merged(every), merged([every[place] for place in kept])
        for name, value in whole.items():
            if value not in (None, []):
                tally.fields += 1
                tally.lost[name] += part.get(name) in (None, [])
            if isinstance(value, list):
                tally.items += len(value)
                tally.lost_items += sum(item not in part[name] for item in value)
    return tally


def needles(texts_of: Mapping[str, str], most_tokens: int, select: int, query: Query) -> Tally:
    """Each sample invoice between the paragraphs of three long documents; found is one that is asked about whole."""
    tally, chance, long = Tally(), random.Random(7), list(texts_of.values())
    for invoice in invoices():
        around = "\n\n".join(chance.sample(long, 3)).split("\n\n")
        place = chance.randrange(len(around))
        before, after = "\n\n".join(around[:place]), "\n\n".join(around[place:])
        start = len(before) + 2
        chunks = cut(f"{before}\n\n{invoice}\n\n{after}", most_tokens)
        kept = chosen([one.text for one in chunks], select, query)
        add(tally, chunks, kept)
        covered = set().union(*(range(chunks[place].start, chunks[place].end) for place in kept))
        tally.found += covered >= set(range(start, start + len(invoice)))
    return tally


def invoices() -> Iterator[str]:
    expected = {json.loads(line)["id"] for line in (SAMPLES / "invoices_expected.jsonl").read_text().splitlines()}
    for line in (SAMPLES / "invoices.jsonl").read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if row.get("id") in expected:
            expected.discard(row["id"])
            yield row["text"]


def main() -> None:
    found = texts()
    of_documents = words_asked(load_model(f"{ROOT / 'schemas' / 'document.py'}:Document").model_json_schema())
    of_invoices = words_asked(load_model(f"{ROOT / 'schemas' / 'invoice.py'}:Invoice").model_json_schema())
    print("long documents: facts are everywhere")
    for most_tokens, select in ((900, 2), (900, 3), (900, 6), (300, 3), (300, 6)):
        for name, query in (("BM25", of_documents), ("the first", ())):
            one = spread(found, most_tokens, select, query)
            lost = ", ".join(f"{field} {count}" for field, count in one.lost.items() if count) or "none"
            items = f"{one.lost_items} of {one.items} list items"
            print(f"  {most_tokens} tokens, select = {select}, {name:9} {one.documents:3} documents, {one.told()}")
            print(f"     lost: {one.lost.total()} of {one.fields} fields ({lost}), {items}")
    print("one invoice in a long document")
    for most_tokens, select in ((900, 2), (900, 3), (900, 6), (300, 3), (300, 6)):
        for name, query in (("BM25", of_invoices), ("the first", ())):
            one = needles(found, most_tokens, select, query)
            told = f"{one.found} of {one.documents} invoices asked about whole"
            print(f"  {most_tokens} tokens, select = {select}, {name:9} {one.told()}; {told}")


if __name__ == "__main__":
    main()
