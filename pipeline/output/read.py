"""An output folder read back: how its last run ended, its rows as instances of the schema, and as tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from pipeline.codes import ErrorCode, Status
from pipeline.errors import JobError
from pipeline.job.folder import LEDGER, RESULTS, RUN
from pipeline.ledger import nights
from pipeline.ledger.files import Connection, reading
from pipeline.ledger.queries import last_run, rows_with_outcomes
from pipeline.ledger.records import OUTCOME_COLUMNS, outcome_from
from pipeline.output.manifest import Manifest, RowCounts, read_run
from pipeline.output.publish import Ended, ended_before, exit_code
from pipeline.schema.read_back import read_back
from pipeline.schema.shape import load_model

if TYPE_CHECKING:  # it knows defaults, as Python's own does from 3.13 on
    from typing_extensions import TypeVar

    M = TypeVar("M", bound=BaseModel, default=BaseModel)
else:
    from typing import TypeVar

    M = TypeVar("M", bound=BaseModel)


class ResultRow(Struct, Generic[M], frozen=True):
    """Where one row ended. `record` is an instance of the schema when `status` is ok, else None.

    A row that is pending has the last good record that it had before, if any.
    """

    id: str
    status: Status
    record: M | None
    error_code: str | None
    error: str | None


class Result(Generic[M]):
    """A run that has ended, finished or not. Iterating gives its rows in input order, one at a time."""

    def __init__(self, output: Path, ended: Ended, model: type[M] | None = None) -> None:
        self.output = output
        self.message = ended.message  # why it stopped early, in full
        self.exit_code = exit_code(ended)  # as of `pipeline run`: 0 when every row has an outcome and few enough failed
        self._manifest = ended.manifest
        self._model = model

    def __repr__(self) -> str:
        rows = self.rows
        return f"Result({self.state}: {rows.ok} ok, {rows.failed} failed, {rows.pending} pending, in {self.output})"

    @property
    def manifest(self) -> Manifest:
        """run.json."""
        return self._manifest

    @property
    def state(self) -> str:
        """finished, parked or interrupted."""
        return self._manifest.state

    @property
    def reason(self) -> str | None:
        """Why it is parked, in one word: auth, quota, outage, budget and so on."""
        return self._manifest.reason

    @property
    def rows(self) -> RowCounts:
        """How many: total, ok, failed and pending."""
        return self._manifest.rows

    @property
    def cost_usd(self) -> Decimal | None:
        """What the run has cost, over all attempts; None where the model has no price."""
        return self._manifest.cost_usd

    def table(self) -> pa.Table:
        """results.parquet.

        Raises:
            JobError: it cannot be read.
        """
        with readable(self.output / RESULTS):
            return pq.read_table(self.output / RESULTS)

    def frame(self) -> Any:  # noqa: ANN401 (polars is not ours to require)
        """The same as a polars.DataFrame.

        Raises:
            JobError: polars is not installed, or as `table`.
        """
        try:
            polars = import_module("polars")
        except ImportError:
            raise JobError("Result.frame() needs polars. Install it:  pip install 'ledger-pipeline[frames]'") from None
        return polars.from_arrow(self.table())

    def to_pandas(self) -> Any:  # noqa: ANN401 (neither is pandas)
        """The same as a pandas.DataFrame.

        Raises:
            JobError: pandas is not installed, or as `table`.
        """
        try:
            import_module("pandas")
        except ImportError:
            raise JobError("Result.to_pandas() needs pandas. Install it:  pip install pandas") from None
        return self.table().to_pandas()

    def __iter__(self) -> Iterator[ResultRow[M]]:
        model: Any = self._model or load_model(self._manifest.job["extract"]["schema"])
        with reading(self.output / LEDGER) as db:
            for row_id, problem, columns, earlier in _entries(db):
                if earlier is not None and (lines := list(_earlier(model, row_id, db, earlier))):
                    yield from lines
                else:
                    yield from _rows(model, row_id, problem, columns)


def _entries(db: Connection) -> Iterator[tuple[str, str | None, list[Any], bytes | None]]:
    """(id, problem, outcome's columns, content of an earlier record) of all rows, in order."""
    last = last_run(db)
    if last is None or not nights.remembers(db):
        yield from ((row_id, problem, columns, None) for _, row_id, problem, *columns in rows_with_outcomes(db))
        return
    for _, row_id, problem, _, *columns, _, _, earlier in nights.rows_to_publish(db, last[0]):
        yield row_id, problem, columns[: len(OUTCOME_COLUMNS)], earlier


def _earlier(model: type[BaseModel], row_id: str, db: Connection, doc: bytes) -> Iterator[ResultRow[Any]]:
    """The last good record of a row that is pending, where it is one of the schema as it is now."""
    columns = nights.good_outcome(db, doc)
    for record in outcome_from(columns).records if columns is not None else ():
        try:
            found = model.model_validate_json(record, by_alias=True, by_name=True)
        except ValidationError:
            return
        yield ResultRow(row_id, Status.PENDING, found, None, None)


def _rows(model: type[BaseModel], row_id: str, problem: str | None, columns: list[Any]) -> Iterator[ResultRow[Any]]:
    if columns[0] is None:
        code = ErrorCode.BAD_ROW if problem else None
        yield ResultRow(row_id, Status.FAILED if problem else Status.PENDING, None, code, problem)
        return
    outcome = outcome_from(columns)
    for record in outcome.records:
        yield ResultRow(row_id, outcome.status, read_back(model, record), None, None)
    if not outcome.records:
        yield ResultRow(row_id, outcome.status, None, outcome.error_code, outcome.error)


@contextmanager
def readable(path: Path, *others: type[Exception]) -> Iterator[None]:
    """What is raised as a published file is read, `others` too, as a JobError that says how to have it whole again."""
    try:
        yield
    except (OSError, pa.ArrowException, *others) as error:
        told = " ".join(str(error).split()).rstrip(" .")
        raise JobError(
            f"{path}: cannot be read: {told}. Copy it again; or run the job once more: it is written anew from the "
            f"ledger, at no cost"
        ) from None


def results_of(folder: Path) -> Result:
    """What the last run left in an output folder.

    Raises:
        JobError: none has ended there.
    """
    manifest = read_run(folder)
    if manifest is None or not (folder / RESULTS).is_file():
        raise JobError(f"{folder}: no results here ({RUN} and {RESULTS}). Start with:  pipeline run JOB")
    return Result(folder, ended_before(manifest))
