"""The ledger's tables, by numbered, forward-only migrations.

`calls` is append-only: money spent is never overwritten. `answers` and `outcomes` are found by content hash. `rows` is
the current run's view of its input. Every record of the first three carries a CRC-32, for SQLite's file has none.
Money is an integer number of 1e-10 USD; times are microseconds since the epoch.
"""

import sqlite3
import zlib
from collections.abc import Callable
from typing import Any

from pipeline.errors import LedgerError
from pipeline.ledger.records import BESIDE, crc

VERSION_1 = {  # what its checksums are of; they were those of Python's `repr`
    "outcomes": "doc, run, session, row, status, records, error_code, error, repaired, conflicts, chunks, "
    "finish_reason, model_version, latency_ms, answer_from",
    "answers": "key, run, session, text, stop, finish_reason, model_version",
    "calls": "run, session, request_id, provider_request_id, row, id, chunk, purpose, attempt, sent_us, model_version, "
    "http_status, error_code, error, finish_reason, input_tokens, cached_input_tokens, cache_write_tokens, "
    "output_tokens, reasoning_tokens, cost_units, at_risk_units, wait_ms, ttft_ms, latency_ms, tenant",
}

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (                -- one per input and job; resumed and retried by several sessions
        run INTEGER PRIMARY KEY,
        request_hash BLOB NOT NULL,    -- all that can change an answer, but the document
        doc_hash BLOB NOT NULL,        -- request_hash and all that makes an outcome of answers
        input_fingerprint TEXT NOT NULL,
        started_us INTEGER NOT NULL
    );
    CREATE TABLE sessions (            -- one per `run` or `retry` command
        session INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        verb TEXT NOT NULL,
        who TEXT NOT NULL,
        started_us INTEGER NOT NULL,
        ended_us INTEGER,
        state TEXT NOT NULL,           -- running, finished, parked, interrupted
        reason TEXT
    );
    CREATE TABLE rows (                -- the current run's input, in order
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        doc BLOB,                      -- null for a row that cannot be used
        problem TEXT,
        tenant TEXT
    );
    CREATE TABLE outcomes (
        doc BLOB NOT NULL,
        run INTEGER NOT NULL,
        session INTEGER NOT NULL,
        row INTEGER NOT NULL,
        status TEXT NOT NULL,
        records TEXT,                  -- a JSON list of JSON texts
        error_code TEXT,
        error TEXT,
        repaired INTEGER NOT NULL,
        conflicts TEXT NOT NULL,       -- a JSON list
        chunks INTEGER NOT NULL,
        finish_reason TEXT,
        model_version TEXT,
        latency_ms INTEGER,
        answer_from TEXT,
        crc INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX outcomes_doc ON outcomes(doc);
    CREATE TABLE answers (
        key BLOB NOT NULL,
        run INTEGER NOT NULL,
        session INTEGER NOT NULL,
        text TEXT NOT NULL,
        stop TEXT NOT NULL,
        finish_reason TEXT NOT NULL,
        model_version TEXT,
        crc INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX answers_key ON answers(key);
    CREATE TABLE calls (
        call INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        session INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        provider_request_id TEXT,
        row INTEGER NOT NULL,
        id TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        sent_us INTEGER NOT NULL,
        model_version TEXT,
        http_status INTEGER,
        error_code TEXT,
        error TEXT,
        finish_reason TEXT,
        input_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        cost_units INTEGER,            -- null: the model has no price, or the call's fate is not known
        at_risk_units INTEGER NOT NULL,  -- what a call of unknown fate may have cost at the most
        wait_ms INTEGER NOT NULL,
        ttft_ms INTEGER,
        latency_ms INTEGER,
        tenant TEXT,
        crc INTEGER NOT NULL
    );
    CREATE TABLE sends (               -- calls in flight: written before the request leaves, removed with its answer
        request_id TEXT PRIMARY KEY,
        session INTEGER NOT NULL,
        row INTEGER NOT NULL,
        id TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        sent_us INTEGER NOT NULL,
        at_risk_units INTEGER NOT NULL,
        tenant TEXT
    ) WITHOUT ROWID;
    CREATE TABLE remembered (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    "\n".join(  # a record that is damaged keeps what shows it
        f"UPDATE {table} SET crc = crc_packed({names}) WHERE crc = crc_repr({names});"  # noqa: S608 (own names)
        for table, names in VERSION_1.items()
    ),
    "ALTER TABLE calls ADD COLUMN answer BLOB;",  # key of what came back; null: no answer, or a call of before
    """
    ALTER TABLE runs ADD COLUMN provider TEXT;   -- as of the job, as are the next; null in runs of before
    ALTER TABLE runs ADD COLUMN model TEXT;
    ALTER TABLE runs ADD COLUMN columns TEXT;    -- a JSON list: those that the prompt named, beside the text
    ALTER TABLE runs ADD COLUMN id_column TEXT;  -- input.id; empty where rows have no names
    ALTER TABLE rows ADD COLUMN earlier BLOB;    -- of a row without an outcome: its content under an earlier job
    CREATE TABLE seen (                -- rows of the runs before the last
        name BLOB PRIMARY KEY,         -- the id; the content of a row without one
        doc BLOB,                      -- its content when it was last there; null: it could not be used
        good BLOB                      -- its last content that had a good outcome
    ) WITHOUT ROWID;
    CREATE TABLE spent (               -- what contents have cost in the runs before the last
        doc BLOB PRIMARY KEY,
        units INTEGER NOT NULL,
        inherited INTEGER NOT NULL DEFAULT 0  -- under other jobs, whose answers it was made of
    ) WITHOUT ROWID;
    INSERT INTO spent (doc, units)
        SELECT o.doc, SUM(COALESCE(c.cost_units, 0)) FROM outcomes o JOIN calls c ON c.run = o.run AND c.row = o.row
        WHERE o.run < (SELECT MAX(run) FROM runs) GROUP BY o.doc;
    """,
    """
    ALTER TABLE rows ADD COLUMN document TEXT;           -- JSON: what is known of the file that the row is; else null
    ALTER TABLE calls ADD COLUMN pages TEXT;             -- of a file, that went along: "1-20, 25"; null: none
    ALTER TABLE outcomes ADD COLUMN xml_conflicts TEXT;  -- a JSON list: fields that an e-invoice's XML contradicts
    """,
    """
    CREATE TABLE batches (             -- at a provider's batch API
        batch INTEGER PRIMARY KEY,
        nonce TEXT NOT NULL UNIQUE,    -- our name for it
        run INTEGER NOT NULL,
        session INTEGER NOT NULL,
        provider TEXT NOT NULL,
        account TEXT NOT NULL,         -- a digest of where it is and whose it is
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        rows INTEGER NOT NULL,
        size_bytes INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        deadline_us INTEGER NOT NULL,
        file_ref TEXT NOT NULL,
        remote_id TEXT NOT NULL,
        status TEXT NOT NULL,          -- in the provider's own word
        done INTEGER,
        submitted_us INTEGER,
        cancel_us INTEGER,
        missed_us INTEGER,
        error TEXT
    );
    CREATE TABLE batch_items (         -- lines of batches, and what became of them
        name TEXT PRIMARY KEY,         -- the call's request_id
        batch INTEGER NOT NULL,
        key BLOB NOT NULL,
        row INTEGER NOT NULL,
        id TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        tenant TEXT,
        at_risk_units INTEGER NOT NULL,
        fate TEXT NOT NULL,
        error_code TEXT,
        error TEXT
    ) WITHOUT ROWID;
    CREATE INDEX batch_items_key ON batch_items(key);
    CREATE INDEX batch_items_batch ON batch_items(batch);
    ALTER TABLE calls ADD COLUMN batch INTEGER;  -- of a line; null: a live call
    """,
    """
    ALTER TABLE outcomes ADD COLUMN evidence BLOB;     -- where each value stands: zlib of MessagePack; else null
    ALTER TABLE outcomes ADD COLUMN source_text BLOB;  -- the row's text, where it is kept: zlib of UTF-8
    ALTER TABLE outcomes ADD COLUMN model TEXT;        -- NAME of the model that counted; null: the job's [model]
    ALTER TABLE outcomes ADD COLUMN models_tried TEXT; -- a JSON list: all that were asked; null: the job has one
    ALTER TABLE calls ADD COLUMN model TEXT;           -- NAME of the model that was asked; null: the job's [model]
    ALTER TABLE sends ADD COLUMN model TEXT;
    """,
    """
    ALTER TABLE outcomes ADD COLUMN chunks_skipped INTEGER;  -- that were not asked about; null: none
    ALTER TABLE outcomes ADD COLUMN chunk_numbers TEXT;      -- a JSON list: the chunk of each record; null: its place
    """,
    """
    CREATE TABLE shares (              -- of a call about several rows, what each has of it: they add up to the call
        request_id TEXT NOT NULL,
        place INTEGER NOT NULL,        -- among the rows of the call, from 0; the call itself names that of place 0
        run INTEGER NOT NULL,
        row INTEGER NOT NULL,
        id TEXT NOT NULL,
        chunk INTEGER NOT NULL,
        input_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        cache_write_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        cost_units INTEGER,            -- null as of the call
        crc INTEGER NOT NULL,
        answer BLOB,                   -- key of what came back for this row; null: nothing did
        PRIMARY KEY (request_id, place)
    ) WITHOUT ROWID;
    """,
)
SHARES_KNOWN = 9  # from which on a call may be about several rows
MODELS_KNOWN = 7
BATCHES_KNOWN = 6  # from which on there are batches
FILES_KNOWN = 5  # the version from which rows tell of their files
ANSWERS_LINKED = 3  # the version from which calls name their answers


def knows_files(db: sqlite3.Connection) -> bool:
    """Whether the file is of a format that tells of the files that rows are."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= FILES_KNOWN


def beside_outcomes(db: sqlite3.Connection, table: str = "") -> str:
    """What stands beside an outcome's record, as a list of columns for SQL: BESIDE, or null where the file is older."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    return ", ".join(f"{table}{name}" if version >= known else "NULL" for name, known in BESIDE.items())


def knows_models(db: sqlite3.Connection) -> bool:
    """Whether the file is of a format whose calls tell which of a job's models was asked."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= MODELS_KNOWN


def knows_batches(db: sqlite3.Connection) -> bool:
    """Whether the file is of a format that has batches."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= BATCHES_KNOWN


def migrate(db: sqlite3.Connection, path: str) -> None:
    """Bring the file to this program's version, or refuse one that is newer."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise LedgerError(
            f"{path} was written by a newer version of pipeline (ledger format {version}; this one knows "
            f"{len(MIGRATIONS)}). Upgrade pipeline, or give another output folder with --output"
        )
    if version < len(MIGRATIONS):
        db.create_function("crc_packed", -1, _crc_packed, deterministic=True)
        db.create_function("crc_repr", -1, _crc_repr, deterministic=True)
        steps = "".join(MIGRATIONS[version:])  # in one transaction: each commit waits for the disk
        db.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {len(MIGRATIONS)}; COMMIT;")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # whatever becomes of the log, the file is a ledger


def checksum_of(db: sqlite3.Connection) -> Callable[..., int]:
    """Of a record's values, by the version of the file, which may not be migrated yet."""
    return _crc_repr if db.execute("PRAGMA user_version").fetchone()[0] < 2 else _crc_packed


def _crc_packed(*values: Any) -> int:  # noqa: ANN401 (what SQLite holds)
    return crc(values)


def _crc_repr(*values: Any) -> int:  # noqa: ANN401 (what SQLite holds)
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))
