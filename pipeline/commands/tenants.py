"""Who is behind a tenant's hash: calls.parquet has hashes only, the ledger beside it has the names. Reads only."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import LedgerUnreadable
from pipeline.job.folder import LEDGER
from pipeline.ledger.files import reading
from pipeline.ledger.queries import tenants
from pipeline.types import tenant_hash


def names_of_tenants(folder: Path) -> Mapping[str | None, str]:
    """Hash → name, of all tenants of a folder's runs; nothing where its ledger is not there or cannot be read."""
    path = folder / LEDGER
    if not path.exists():
        return {}
    try:
        with reading(path) as db:
            return {tenant_hash(name): name for name in tenants(db)}
    except LedgerUnreadable:
        return {}
