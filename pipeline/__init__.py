"""Batch extraction with a durable ledger.

A job file names an input, a Pydantic schema, a model and an output folder. A run then goes one way:

    rows (sources) → chunks (chunking) → requests found by content hash (planning) → admitted (admission)
    → sent (providers) → journalled (ledger) → judged, repaired once (validating) → merged (merging)
    → concluded (ledger) → published as Parquet (results)

`engine` and `extracting` know that order; everything else is a pure decision or one edge of the world.
"""

__version__ = "0.1.0"
