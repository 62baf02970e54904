"""Records of the ledger as instances of the user's model."""

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    Base64Str,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    SecretStr,
    ValidationError,
    computed_field,
    model_validator,
)

from pipeline.schema.read_back import read_back
from pipeline.schema.record_json import writer_of


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    price: int

    @computed_field
    @property
    def double(self) -> int:
        return 2 * self.price


def _german(text):
    return text.replace(".", "").replace(",", ".") if isinstance(text, str) else text


class Odd(BaseModel):
    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)
    inner: list[Inner] = []
    euros: Annotated[Decimal | None, BeforeValidator(_german), PlainSerializer(str)] = None
    taxed: int = 0
    parsed: Json[dict[str, int]] | None = None
    text: Base64Str = ""
    pin: SecretStr | None = None
    when: dt.date | None = Field(None, alias="On", exclude=True)

    @model_validator(mode="after")
    def _with_tax(self):
        object.__setattr__(self, "taxed", 2 * self.taxed)
        return self


class Money:
    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return self.text == other.text

    __hash__ = None


class Bill(BaseModel):
    total: Annotated[str, AfterValidator(Money), PlainSerializer(lambda money: money.text)]


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (Odd, {"inner": [{"price": 3}], "On": "2024-05-06", "pin": "12"}),
        (Odd, {"euros": "1.234,56"}),
        (Odd, {"taxed": 5, "text": "aGk="}),
        (Odd, {"parsed": '{"a": 1}'}),
        (Bill, {"total": "1 EUR"}),
    ],
)
def test_a_record_is_read_as_it_was_validated(model, answer: Any):
    """Computed fields, secrets, and validators that would change their own values once more."""
    record = model.model_validate(answer)
    assert read_back(model, writer_of(model).json(record)) == record


def test_a_record_of_an_earlier_version_is_read_by_its_aliases():
    assert read_back(Odd, '{"On": "2024-05-06"}').when == dt.date(2024, 5, 6)
    with pytest.raises(ValidationError):
        read_back(Odd, '{"when": "x"}')
