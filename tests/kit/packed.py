"""A scripted model that is asked about one document or several, and counts what it was paid for by document."""

import json
from collections import Counter
from dataclasses import dataclass, field

from scripted_server import Scripted

from pipeline.sandbox.packs import documents_in


def listed(records, numbers=None):
    """A whole answer to several documents."""
    numbers = numbers or range(1, len(records) + 1)
    answers = [{"document": number, "record": record} for number, record in zip(numbers, records, strict=True)]
    return json.dumps({"answers": answers})


@dataclass
class Model:
    """Use as a server's script. `single` and `several` say what is special; else a record is made of the text."""

    single: object = lambda text, nth, body: None
    several: object = lambda texts: None
    record: object = lambda text: {"name": text[:40], "total": "1"}
    delay_s: float = 0.0
    packs: list = field(default_factory=list)  # the documents of each question about several
    alone: list = field(default_factory=list)
    paid: Counter = field(default_factory=Counter)  # document → answers that held its record

    def __call__(self, document, nth, body):
        texts = documents_in(document)
        if not texts:
            self.alone.append(document)
            self.paid[document] += 1
            return self.single(document, nth, body) or Scripted(
                text=json.dumps(self.record(document)), delay_s=self.delay_s
            )
        self.packs.append(texts)
        if (special := self.several(texts)) is not None:
            return special
        self.paid.update(texts)
        return Scripted(
            text=listed([self.record(text) for text in texts]), delay_s=self.delay_s, usage=(100 * len(texts), 21)
        )


def rows(count, **more):
    return [{"id": f"r{n}", "text": f"document {n}", **more} for n in range(count)]
