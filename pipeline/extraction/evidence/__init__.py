"""Where the values of a record stand in the text that they were taken from, by meaning. Pure.

ready = prepared(schema)                        # once per job
leaves = align(ready, record, Source(text))     # a Leaf for each value that is not null
grounded_share(leaves), ungrounded(leaves), ungrounded(leaves, required=True)
page = number_at(page_starts, leaf.start) + 1
"""

from pipeline.extraction.evidence.align import Leaf, Prepared, Source, align, prepared
from pipeline.extraction.evidence.measure import grounded_share, number_at, ungrounded

__all__ = ["Leaf", "Prepared", "Source", "align", "grounded_share", "number_at", "prepared", "ungrounded"]
