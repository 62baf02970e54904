from pipeline.api import Estimate as Estimate
from pipeline.api import check as check
from pipeline.api import estimate as estimate
from pipeline.api import results as results
from pipeline.api import retry as retry
from pipeline.api import run as run
from pipeline.errors import Finding as Finding
from pipeline.errors import JobError as JobError
from pipeline.errors import LedgerError as LedgerError
from pipeline.job.settings import Job as Job
from pipeline.output.read import Result as Result
from pipeline.output.read import ResultRow as ResultRow

__version__: str
