"""What `jobs/nightly_documents.toml` asks for: the facts of a contract, report, lease or minutes of any length.

A long document is read in chunks and the answers are merged, so everything is a list (joined) or optional (the first
that is found): a chunk that says nothing about a field leaves it empty, and another one fills it.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Value = Annotated[Decimal, Field(max_digits=16, decimal_places=2)]
Kind = Literal["contract", "lease", "inspection_report", "minutes", "incident_report", "other"]


class Party(BaseModel):
    """A company or person that the document is between, about or made by."""

    name: str
    role: str | None = Field(description="Such as landlord, supplier, inspector or chair; null when not said")


class Obligation(BaseModel):
    """One duty or action item: who has to do what by when."""

    who: str | None = Field(description="The party or person that has to do it")
    what: str = Field(description="The duty, in the document's own words, without who and when")
    due: date | None = Field(description="The date by which it is to be done; null when no date is given")


class MoneyAmount(BaseModel):
    """One sum of money, and what it is for."""

    label: str | None = Field(description="What it is for, such as rent, deposit or penalty")
    value: Value
    currency: str | None = Field(description="ISO 4217 code, such as EUR")


class Document(BaseModel):
    """The facts of one document, or of a chunk of it."""

    title: str | None = Field(default=None, description="Title or subject; null when this part of the text has none")
    kind: Kind | None = Field(default=None, description="What sort of document it is; null when this part does not say")
    parties: list[Party] = Field(default=[], description="Companies and persons named as taking part")
    dated: date | None = Field(default=None, description="Date of the document itself")
    dates: list[date] = Field(default=[], description="All other dates that matter: start, end, deadlines, events")
    obligations: list[Obligation] = Field(default=[], description="Duties, action items and corrective measures")
    amounts: list[MoneyAmount] = Field(default=[], description="Sums of money with what they are for")
    summary: str | None = Field(default=None, description="One or two sentences; null for a part from the middle")
