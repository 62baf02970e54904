"""The columns of results.parquet by their names: users and other programs rely on them."""

TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
EVIDENCE_COLUMNS = ("evidence", "grounded_share", "ungrounded", "needs_review")  # where evidence is wanted
MODELS_COLUMNS = ("models_tried",)  # where a job has several
FILE_COLUMNS = ("document", "xml_conflicts")  # of results.parquet, in jobs over documents
RESULT_COLUMNS = (  # of results.parquet; `chunk` where merge = "none". The input's own come before `status`
    "row", "id", "chunk", "status", "record", "error_code", "error", "repaired", "conflicts", "chunks", "calls",
    "provider", "model", "model_version", *TOKENS, "cost_usd", "finish_reason", "latency_ms", "prompt_version",
    "answer_from", "cost_total_usd",
)  # fmt: skip
