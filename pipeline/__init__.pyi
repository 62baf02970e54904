from pipeline.api import Estimate as Estimate
from pipeline.api import check as check
from pipeline.api import estimate as estimate
from pipeline.api import extract as extract
from pipeline.api import extract_async as extract_async
from pipeline.api import results as results
from pipeline.api import retry as retry
from pipeline.api import run as run
from pipeline.api import run_async as run_async
from pipeline.errors import Finding as Finding
from pipeline.errors import JobError as JobError
from pipeline.errors import LedgerError as LedgerError
from pipeline.job.settings import Job as Job
from pipeline.output.read import Result as Result
from pipeline.output.read import ResultRow as ResultRow
from pipeline.telemetry.display import Progress as Progress

__version__: str
