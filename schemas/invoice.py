"""What `jobs/invoices.toml` asks for: one supplier invoice, credit note or receipt.

The descriptions are part of the question: the model reads them beside the document. The validators are what makes an
answer trustworthy: figures that do not add up are sent back once, with the difference, before the row fails.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

TOLERANCE = Decimal("0.02")  # suppliers round each line, or the sum, or to coins that exist

Amount = Annotated[Decimal, Field(max_digits=14, decimal_places=2)]
Quantity = Annotated[Decimal, Field(max_digits=14, decimal_places=4)]
UnitPrice = Annotated[Decimal, Field(max_digits=16, decimal_places=6)]


class LineItem(BaseModel):
    """One position of the invoice, in the order printed."""

    description: str = Field(description="What was supplied, as printed, without article numbers")
    quantity: Quantity | None = Field(description="How many, without the unit; null when not printed")
    unit_price: UnitPrice | None = Field(description="Price of one unit; null when not printed")
    amount: Amount = Field(description="Total of this line as printed; negative for discounts and returned goods")


class Invoice(BaseModel):
    """A supplier's invoice, credit note or receipt, in its own currency."""

    kind: Literal["invoice", "credit_note", "receipt"] = Field(
        description="credit_note when it gives money back; receipt when it was paid at the till"
    )
    supplier: str | None = Field(description="Name of the company or person that sends the invoice, not the customer")
    invoice_number: str | None = Field(
        description="The supplier's number of this document, not an order or customer number"
    )
    issued_on: date | None = Field(description="Date of the invoice")
    due_on: date | None = Field(
        description="Date by which it must be paid; from a term such as '30 days' when no date is printed"
    )
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the amounts, such as EUR")
    prices_include_tax: bool = Field(description="True when the line amounts already include tax, as on most receipts")
    lines: list[LineItem] = Field(
        description="All lines that make up the total, with discounts, shipping and tips; no subtotals or carried sums"
    )
    net_total: Amount = Field(description="Total before tax; negative on a credit note")
    tax_total: Amount = Field(description="Sum of all taxes at all rates; 0 when no tax is charged")
    gross_total: Amount = Field(description="Total with tax, before deposits already paid and taxes withheld")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        gap = self.net_total + self.tax_total - self.gross_total
        if abs(gap) > TOLERANCE:
            raise ValueError(
                f"net_total {self.net_total} + tax_total {self.tax_total} differs from "
                f"gross_total {self.gross_total} by {gap}"
            )
        return self

    @model_validator(mode="after")
    def _lines_add_up(self) -> Self:
        if not self.lines:
            return self
        name = "gross_total" if self.prices_include_tax else "net_total"
        total = self.gross_total if self.prices_include_tax else self.net_total
        lines = sum((line.amount for line in self.lines), Decimal(0))
        if abs(lines - total) > TOLERANCE:
            raise ValueError(f"the line amounts sum to {lines}, but {name} is {total}")
        return self
