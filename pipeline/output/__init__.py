"""The ledger as files: results.parquet, calls.parquet and run.json, published whole, on a disk or in a bucket."""
