"""The words that a schema asks by."""

from pydantic import BaseModel, Field, RootModel

from pipeline.extraction.asked_words import NAMED, TOLD, words_asked


class Line(BaseModel):
    quantity: int


class Bill(BaseModel):
    dueDate: str = Field(description="When the tenant must have paid it, or null")  # noqa: N815 (as users have them)
    parking: str = Field(title="Stellplatz")
    lines: list[Line]


class Bills(RootModel[list[Bill]]):
    pass


def test_names_are_split_and_descriptions_say_less():
    words = dict(words_asked(Bill.model_json_schema()))
    assert (words["due"], words["date"], words["stellplatz"], words["tenant"]) == (NAMED, NAMED, NAMED, TOLD)
    assert "it" not in words


def test_what_other_languages_call_a_known_term_is_asked_too():
    words = dict(words_asked(Bill.model_json_schema()))
    assert {"falligkeit", "vencimiento", "echeance", "menge", "cantidad"} <= words.keys()
    assert "menge" not in dict(words_asked({"properties": {"parking": {"type": "string"}}}))


def test_a_schema_that_is_a_list_and_one_that_says_nothing():
    assert dict(words_asked(Bills.model_json_schema())).keys() >= dict(words_asked(Bill.model_json_schema())).keys()
    assert words_asked({"type": "object"}) == ()
