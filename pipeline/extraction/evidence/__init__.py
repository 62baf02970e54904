"""Where the values of a record stand in the text that they were taken from, by meaning. Pure.

ready = prepared(schema)                        # once per job
leaves = align(ready, record, Source(text))     # a Leaf for each value that is not null
grounded_share(leaves), ungrounded(leaves)
"""

from pipeline.extraction.evidence.align import Leaf, Prepared, Source, align, prepared
from pipeline.extraction.evidence.share import grounded_share, ungrounded

__all__ = ["Leaf", "Prepared", "Source", "align", "grounded_share", "prepared", "ungrounded"]
