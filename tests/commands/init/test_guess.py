"""Guesses: the language of texts, and the fields that they are likely to have. Whatever they hold, names are names."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pipeline.commands.init.guess import PLAIN, field_name, fields_of, kind_of, language_of
from pipeline.commands.init.texts import schema_text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The order is for the kitchen and it was sent to you", "English"),
        ("Die Rechnung ist für den Kunden und wird nicht mit der Post versandt", "German"),
        ("La facture est pour le client et les frais sont dans le total", "French"),
        ("請求書をお送りします。よろしくお願いします", "Japanese"),
        ("Счёт за поставку оборудования", "Russian"),
        ("12 34 56", ""),
        ("", ""),
    ],
)
def test_a_language_is_told_by_its_small_words_or_its_script(text, language):
    """And none where nothing speaks for one."""
    assert language_of([text]) == language


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["2026-01-02", "3. März 2026", "May 4, 2026", "03/04/26"], "datetime.date"),
        (["1", "20"], "int"),
        (["1", "2.50 EUR", "$1,240.00", "USD -1'000"], "Decimal"),
        (["007", "12"], "str"),
        (["12345678"], "str"),
        (["A-1", "2"], "str"),
    ],
)
def test_a_field_is_of_the_type_that_all_its_values_have(values, kind):
    """Of none in common it is text."""
    assert kind_of(values) == kind


def test_labels_that_few_documents_have_are_no_fields():
    """Where there are fewer than two fields, a title and a summary are asked for."""
    texts = [f"Name: n{number}\nOrt: Berlin\n{'Extra: 1' if number == 0 else ''}" for number in range(10)]
    assert [field.name for field in fields_of(texts)] == ["name", "ort"]
    assert fields_of(["just words"] * 5) == PLAIN
    assert fields_of([]) == PLAIN


@given(st.lists(st.text(max_size=200), max_size=5))
def test_what_is_guessed_is_a_class_whatever_the_texts_hold(texts):
    """Its file is Python, with no name twice."""
    fields = fields_of([f"{text}: 1\n{text}" for text in texts])
    names = [field.name for field in fields]
    assert len({*names}) == len(names) > 0
    space = {"__name__": "guessed"}
    exec(schema_text(fields), space)
    assert [*space["Record"].model_fields] == names


@given(st.text(max_size=40))
def test_a_label_becomes_a_name_or_nothing(label):
    """Never a word of Python's, nor one that Pydantic has for itself."""
    name = field_name(label)
    assert name == "" or (name.isidentifier() and not keyword.iskeyword(name) and not hasattr(BaseModel, name))
