"""What the golden job asks for. Its source is part of the outcomes' hash: nothing here may change."""

from decimal import Decimal

from pydantic import BaseModel, Field


class Line(BaseModel):
    what: str
    amount: Decimal


class Thing(BaseModel):
    name: str | None = Field(None, description="Who it is of.")
    total: Decimal | None = None
    lines: list[Line] = []
