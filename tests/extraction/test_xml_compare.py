"""A record against its XML: each difference of meaning is named, and nothing else."""

import importlib.util
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from pipeline.extraction.xml_compare import conflicts

FACTS = {
    "number": "RE-2026/507", "type_code": "380", "issued_on": "2026-11-30", "due_on": "2026-12-14", "currency": "EUR",
    "delivered_on": "2026-11-28", "seller_name": "Bei Spiel GmbH", "seller_vat_id": "DE136695976",
    "seller_city": "Stadthausen", "seller_postcode": "12345", "seller_country": "DE", "seller_iban": "DE8820080000",
    "buyer_name": "Théodor Est", "buyer_vat_id": "DE999999999", "order_number": "PO445", "net": "496.00",
    "line_total": "496.00", "tax": "75.04", "gross": "571.04", "payable": "470.00",
    "taxes": [{"rate": "7.00", "net": "160.00", "tax": "11.20"}, {"rate": "19.00", "net": "336.00", "tax": "63.84"}],
    "lines": [
        {"description": "Design (hours)", "quantity": "1", "unit_price": "160.00", "net": "160.00", "tax_rate": "7.0"},
        {"description": "Balloons", "quantity": "400", "unit_price": "0.8400", "net": "336.00", "tax_rate": "19.0"},
    ],
}  # fmt: skip


class Line(BaseModel):
    description: str
    quantity: Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    vat_rate: Decimal | None = None


class English(BaseModel):
    kind: str
    supplier: str | None
    customer_name: str | None
    invoice_number: str | None
    issued_on: date | None
    due_on: date | None
    currency: str
    po_number: str | None
    lines: list[Line]
    net_total: Decimal
    tax_total: Decimal
    gross_total: Decimal
    amount_due: Decimal


ENGLISH = {
    "kind": "invoice", "supplier": "Bei Spiel GmbH", "customer_name": "Théodor Est", "invoice_number": "RE-2026/507",
    "issued_on": "2026-11-30", "due_on": "2026-12-14", "currency": "EUR", "po_number": "PO445", "net_total": "496.00",
    "tax_total": "75.04", "gross_total": "571.04", "amount_due": "470.00",
    "lines": [
        {"description": "Design (hours)", "quantity": "1", "unit_price": "160", "amount": "160.00", "vat_rate": "7"},
        {"description": "Balloons", "quantity": "400", "unit_price": "0.84", "amount": "336.00", "vat_rate": "0.19"},
    ],
}  # fmt: skip


def compare(record, model=English, **facts):
    return conflicts(record, model.model_json_schema(), FACTS | facts)


def test_a_record_made_of_the_facts_has_no_conflicts():
    assert compare(ENGLISH) == ()


LEAVES = [key for key in ENGLISH if key != "lines"]
CHANGED = {
    "kind": "credit_note", "supplier": "Another AG", "customer_name": "Somebody Else", "currency": "USD",
    "description": "Something else", "issued_on": "2025-01-02", "due_on": "2025-01-02", "invoice_number": "X-1",
    "po_number": "PO-9",
}  # fmt: skip


@given(st.sets(st.sampled_from(LEAVES), min_size=1), st.decimals("0.01", "99999", places=2))
def test_each_changed_value_is_named_in_the_schemas_order(names, more):
    record = ENGLISH | {name: CHANGED.get(name) or str(Decimal(ENGLISH[name]) + more) for name in names}
    if "amount_due" in names and Decimal(record["amount_due"]) == Decimal(FACTS["gross"]):
        names = names - {"amount_due"}  # as good: nothing was paid before
    if "tax_total" in names and any(Decimal(tax["rate"]) == Decimal(record["tax_total"]) for tax in FACTS["taxes"]):
        names = names - {"tax_total"}
    assert compare(record) == tuple(name for name in English.model_fields if name in names)


@given(st.sampled_from([0, 1]), st.sampled_from(["description", "quantity", "unit_price", "amount", "vat_rate"]))
def test_a_changed_line_is_named_with_its_number(number, name):
    record = json.loads(json.dumps(ENGLISH))
    record["lines"][number][name] = CHANGED.get(name, "77.77")
    assert compare(record) == (f"lines[{number}].{name}",)


def test_lines_in_another_order_or_of_another_number_are_no_conflict():
    assert compare(ENGLISH | {"lines": ENGLISH["lines"][::-1]}) == ()
    assert compare(ENGLISH | {"lines": ENGLISH["lines"][:1]}) == ()


@given(st.sampled_from(list(ENGLISH)))
def test_only_what_both_sides_have_is_compared(name):
    changed = ENGLISH | {key: CHANGED.get(key, "1234567.89") for key in LEAVES}
    assert name not in compare(changed | {name: None})
    assert conflicts(changed, English.model_json_schema(), {}) == ()


@each_case(
    ("name", "value"),
    [
        ("supplier", "BEI SPIEL"),
        ("supplier", "bei-spiel gmbh"),
        ("supplier", "Bei Spiel GmbH, Stadthausen"),
        ("customer_name", "Theodor Est"),
        ("invoice_number", "RE 2026 507"),
        ("invoice_number", "re-2026/507"),
        ("gross_total", 571.04),
        ("gross_total", "571,04"),
        ("gross_total", "571.04 EUR"),
        ("gross_total", 571.0400001),
        ("net_total", 496),
        ("issued_on", "30.11.2026"),
        ("issued_on", "2026-11-30T00:00:00"),
        ("issued_on", "November 2026"),  # not surely read
        ("currency", "€"),
        ("currency", "eur"),
        ("gross_total", "1,234"),  # may be two numbers
        ("gross_total", True),
        ("gross_total", "nan"),
        ("gross_total", "five"),
        ("kind", "receipt"),
        ("amount_due", "571.04"),
        ("lines", [ENGLISH["lines"][0] | {"description": "Hours of design"}, ENGLISH["lines"][1]]),
    ],
)
def test_what_means_the_same_or_may_is_no_conflict(name, value):
    assert compare(ENGLISH | {name: value}) == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gross_total", 571.05), ("gross_total", "571,05"), ("gross_total", "-571.04"), ("gross_total", "1.571,04"),
        ("currency", "£"), ("issued_on", "11.12.2026"), ("invoice_number", 507), ("supplier", "Bei Spiele AG"),
        ("supplier", "株式会社"),
    ],
)  # fmt: skip
def test_what_means_another_is_one(name, value):
    assert compare(ENGLISH | {name: value}) == (name,)


def test_the_sign_of_a_credit_note_is_anybodys():
    record = ENGLISH | {"kind": "credit_note", "gross_total": "-571.04", "net_total": "-496.00", "tax_total": "-75.04"}
    assert compare(record, type_code="381") == ()
    assert compare(record | {"gross_total": "-571.05"}, type_code="381") == ("gross_total",)


def test_lines_with_tax_are_no_conflict():
    lines = [line | {"amount": amount} for line, amount in zip(ENGLISH["lines"], ("171.20", "399.84"), strict=True)]
    assert compare(ENGLISH | {"lines": lines}) == ()


class Posten(BaseModel):
    bezeichnung: str
    menge: Decimal
    betrag: Decimal


class Partei(BaseModel):
    name: str
    ust_id: str | None = None
    anschrift: dict[str, str] | None = None


class Deutsch(BaseModel):
    Rechnungsnummer: str
    Rechnungsdatum: date
    faelligkeit: date
    lieferant: Partei
    kunde: Partei | None
    Positionen: list[Posten]
    summen: "Summen"


class Summen(BaseModel):
    netto: Decimal
    mwst: Decimal
    brutto: Decimal


DEUTSCH = {
    "Rechnungsnummer": "X", "Rechnungsdatum": "2020-01-01", "faelligkeit": "2020-01-01",
    "lieferant": {"name": "Fremd AG", "ust_id": "DE1"}, "kunde": {"name": "Fremd"},
    "Positionen": [
        {"bezeichnung": "Design", "menge": 1, "betrag": 160},
        {"bezeichnung": "Balloons red", "menge": 4, "betrag": 336},
    ],
    "summen": {"netto": 1, "mwst": 2, "brutto": 3},
}  # fmt: skip


def test_objects_give_their_names_a_sense():
    assert compare(DEUTSCH, Deutsch) == (
        "Rechnungsnummer", "Rechnungsdatum", "faelligkeit", "lieferant.name", "lieferant.ust_id", "kunde.name",
        "Positionen[1].menge", "summen.netto", "summen.mwst", "summen.brutto",
    )  # fmt: skip


@each_case(
    ("name", "fact"),
    [
        ("numeroFacture", "number"), ("date_echeance", "due_on"), ("fecha_de_vencimiento", "due_on"),
        ("total_ttc", "gross"),
        ("montant_ht", "net"), ("base_imponible", "net"), ("fournisseur", "seller_name"), ("proveedor", "seller_name"),
        ("partita_iva_fornitore", ""), ("fornitore_partita_iva", "seller_vat_id"), ("vendorName", "seller_name"),
        ("Währung", "currency"), ("waehrung", "currency"), ("bestellnummer", "order_number"),
        ("factuurnummer", "number"),
        ("numero_fattura", "number"), ("moms", "tax"), ("reference", ""), ("company", ""), ("id", ""), ("notes", ""),
        ("total_count", ""), ("iban", "seller_iban"), ("Termin płatności", "due_on"), ("ordered_on", ""),
    ],
)  # fmt: skip
def test_names_in_many_languages_are_known_and_unsure_ones_are_not(name, fact):
    schema = {"properties": {name: {"type": "string"}}}
    wrong = "1999-01-01" if fact.endswith("_on") else "XXX" if fact == "currency" else "99999"
    assert conflicts({name: wrong}, schema, FACTS) == ((name,) if fact else ())
    assert conflicts({name: FACTS.get(fact, "")}, schema, FACTS) == ()


def test_titles_and_descriptions_count_where_they_are_names():
    class Odd(BaseModel):
        f1: str = Field(title="Invoice number")
        f2: str = Field(description="Due date")
        f3: str = Field(description="The due date, or the date of the invoice where there is none")

    assert compare({"f1": "X", "f2": "1999-01-01", "f3": "1999-01-01"}, Odd) == ("f1", "f2")


def test_the_example_schema_is_compared():
    path = Path(__file__).parents[2] / "schemas" / "invoice.py"
    spec = importlib.util.spec_from_file_location("example_invoice", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    keys = set(module.Invoice.model_fields)
    record = {key: value for key, value in ENGLISH.items() if key in keys}
    wrong = {"supplier": "Another AG", "due_on": "2027-01-01", "net_total": "1.00"}
    assert compare(record, module.Invoice) == ()
    assert compare(record | wrong, module.Invoice) == ("supplier", "due_on", "net_total")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["1,2,3", "--", "1.1.1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(list(ENGLISH)), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(ENGLISH)), JSON))
def test_no_value_whatsoever_is_an_error(record):
    assert {path.partition("[")[0] for path in compare(record)} <= set(record)


class German(BaseModel):
    rechnungsnummer: str
    rechnungsdatum: date
    faellig_am: date
    waehrung: str
    gesamtbetrag_netto: Decimal
    summe_brutto: Decimal
    zahlbetrag: Decimal


def test_german_names_say_what_they_mean():
    record = {
        "rechnungsnummer": "RE-2026/507", "rechnungsdatum": "2026-11-30", "faellig_am": "2026-12-14",
        "waehrung": "EUR", "gesamtbetrag_netto": "496.00", "summe_brutto": "571.04", "zahlbetrag": "470.00",
    }  # fmt: skip
    assert compare(record, German) == ()
    assert compare(record, German, net="1.00", gross="2.00", payable="3.00", currency="CHF", due_on="2027-01-01") == (
        "faellig_am", "waehrung", "gesamtbetrag_netto", "summe_brutto", "zahlbetrag",
    )  # fmt: skip
