"""What a property of a schema means, by its name and by what it is a property of. Data, and its look-up. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Scope(StrEnum):
    """What an object is about."""

    INVOICE = "invoice"
    DOCUMENT = "document"
    LINE = "line"
    PARTY = "party"
    OBLIGATION = "obligation"
    MONEY = "money"
    DAY = "day"
    PAIR = "pair"
    OTHER = "other"


INVOICE = {
    "kind": "kind type document_type doc_type invoice_type category document_kind",
    "supplier": (
        "supplier vendor seller issuer merchant biller creditor store shop supplier_name vendor_name "
        "seller_name issuer_name merchant_name company_name company from sender payee issued_by sold_by "
        "store_name"
    ),
    "customer": (
        "customer buyer client bill_to recipient customer_name buyer_name client_name billed_to receiver payer debtor"
    ),
    "number": (
        "invoice_number number invoice_no invoice_id invoice_num document_number receipt_number bill_number "
        "invoice_ref no id document_id reference invoice_reference"
    ),
    "issued_on": (
        "issued_on invoice_date issue_date date_issued issued date document_date date_of_issue billing_date "
        "invoiced_on issued_at bill_date receipt_date transaction_date purchase_date"
    ),
    "due_on": "due_on due_date payment_due due date_due pay_by payment_due_date due_by payable_by",
    "currency": "currency currency_code ccy iso_currency",
    "includes_tax": (
        "prices_include_tax tax_included includes_tax tax_inclusive prices_include_vat vat_included gross_prices"
    ),
    "lines": ("lines line_items items positions products invoice_lines entries charges articles rows details services"),
    "net": (
        "net_total total_net subtotal sub_total net_amount net amount_net total_before_tax total_excl_tax "
        "total_excluding_tax net_sum taxable_amount total_ht"
    ),
    "tax": "tax_total tax vat vat_amount total_tax vat_total tax_amount sales_tax taxes total_vat tva mwst",
    "gross": (
        "gross_total total total_amount grand_total amount_due total_due invoice_total total_gross gross "
        "gross_amount amount_total total_incl_tax total_including_tax total_ttc amount total_payable "
        "balance_due total_price sum"
    ),
    "tax_rate": "tax_rate vat_rate vat_percent tax_percent tax_percentage vat_percentage",
}
DOCUMENT = {
    "kind": "kind type document_type doc_type category document_kind class",
    "title": "title subject heading headline name document_title",
    "parties": (
        "parties participants attendees signatories people companies persons stakeholders contracting_parties present"
    ),
    "dated": "dated date signed_on document_date date_signed report_date signed dated_on effective_date",
    "dates": "dates deadlines key_dates important_dates all_dates other_dates events",
    "obligations": (
        "obligations duties action_items tasks actions measures commitments todos requirements responsibilities"
    ),
    "amounts": "amounts sums payments fees money monetary_amounts money_amounts prices costs values",
    "summary": "summary description abstract overview synopsis gist",
    "currency": "currency currency_code",
}
LINE = {
    "description": (
        "description name item product title text label article service product_name item_name designation details what"
    ),
    "quantity": "quantity qty count units hours pieces number_of_units amount_of_units",
    "unit_price": (
        "unit_price price rate unit_cost price_per_unit price_each unit_net_price cost_per_unit hourly_rate"
    ),
    "amount": (
        "amount total line_total total_price net_amount sum value subtotal extended_price cost line_amount "
        "net total_amount net_total gross_amount"
    ),
    "currency": "currency currency_code",
}
PARTY = {
    "name": ("name party party_name full_name legal_name company company_name person organisation organization value"),
    "role": "role function capacity position type kind title",
}
OBLIGATION = {
    "who": "who owner responsible assignee party obligor by responsible_party person assigned_to actor",
    "what": "what task action description duty text obligation item title measure details",
    "due": "due due_on deadline due_date by_when until date due_by when",
}
MONEY = {
    "label": "label name description purpose what item title type kind text",
    "value": "value amount sum total number price",
    "currency": "currency currency_code ccy unit",
}
DAY = {
    "date": "date day on value when dated",
    "label": "label name description event what",
}
NAMES = {
    scope: {name: meaning for meaning, names in table.items() for name in names.split()}
    for scope, table in (
        (Scope.INVOICE, INVOICE), (Scope.DOCUMENT, DOCUMENT), (Scope.LINE, LINE), (Scope.PARTY, PARTY),
        (Scope.OBLIGATION, OBLIGATION), (Scope.MONEY, MONEY), (Scope.DAY, DAY),
        (Scope.PAIR, {"key": "key", "value": "value"}), (Scope.OTHER, {}),
    )
}  # fmt: skip
LISTS = {
    "lines": Scope.LINE,
    "parties": Scope.PARTY,
    "obligations": Scope.OBLIGATION,
    "amounts": Scope.MONEY,
    "dates": Scope.DAY,
}
PARTIES = {"supplier", "customer"}
ROOTS = {Scope.INVOICE, Scope.DOCUMENT}
OTHER_ROOT = {Scope.INVOICE: Scope.DOCUMENT, Scope.DOCUMENT: Scope.INVOICE}
OF_INVOICES = {"supplier", "number", "due_on", "includes_tax", "net", "tax", "gross", "lines"}
PARTS = {
    Scope.LINE: {"description", "quantity"},
    Scope.OBLIGATION: {"who", "what"},
    Scope.MONEY: {"value", "currency"},
    Scope.PARTY: {"name", "role"},
}


@lru_cache(maxsize=4096)
def meaning_of(scope: Scope, words: tuple[str, ...]) -> str | None:
    """Such as supplier for vendorName in an invoice; None for a name that says nothing known."""
    name = "_".join(words)
    return NAMES[scope].get(name) or (NAMES[OTHER_ROOT[scope]].get(name) if scope in OTHER_ROOT else None)


def scope_of_root(names: Iterable[tuple[str, ...]]) -> Scope:
    """Whether these properties, of all levels, are an invoice's."""
    found = {NAMES[Scope.INVOICE].get("_".join(words)) for words in names}
    return Scope.INVOICE if len(found & OF_INVOICES) > 1 else Scope.DOCUMENT


def scope_of_entries(names: Iterable[tuple[str, ...]]) -> Scope:
    """What the objects of a list with a name of its own are, by their properties."""
    listed = list(names)
    for scope, needed in PARTS.items():
        if needed <= {meaning_of(scope, words) for words in listed}:
            return scope
    return Scope.OTHER
