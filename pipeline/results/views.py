"""What the published files have in common: names, the job's constants, and sums."""

from collections import Counter

import pyarrow as pa
from msgspec import Struct, field

from pipeline.columns import RecordColumn

ROW_GROUP_ROWS = 4096  # lines in memory at once
COST = pa.decimal128(20, 10)
TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
RESULTS, CALLS, RUN = "results.parquet", "calls.parquet", "run.json"


class View(Struct, frozen=True):
    """What the views need beside the ledger: the job's constants, the typed record and the kept columns."""

    provider: str
    model: str
    prompt_version: str
    feature: str
    stream: bool
    betas: tuple[str, ...]
    priced: bool
    per_chunk: bool  # merge = "none"
    record: RecordColumn
    kept_schema: pa.Schema


class Totals(Struct):
    """Sums over the published files, for run.json. `usd_units` is in 1e-10 USD."""

    total: int = 0
    ok: int = 0
    failed: int = 0
    pending: int = 0
    failed_by_code: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    usd_units: int = 0
    calls: int = 0
    rate_limited: int = 0
    repairs: int = 0
    repaired: int = 0
    answer_from: Counter[str] = field(default_factory=Counter)
