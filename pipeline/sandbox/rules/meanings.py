"""What a property of a schema means, by its name and by what it is a property of. Data, and its look-up. Pure."""

from functools import lru_cache

ROOT = "root"  # all others are lists, by their meaning
NAMES = {  # what an object is about → meaning → names for it
    ROOT: {
        "kind": "kind type document_type doc_type invoice_type category document_kind class",
        "supplier": "supplier vendor seller issuer merchant biller store shop supplier_name vendor_name seller_name"
        " merchant_name company_name company from sender payee issued_by",
        "number": "invoice_number number invoice_no invoice_id document_number receipt_number reference no id",
        "issued_on": "issued_on invoice_date issue_date issued date date_of_issue billing_date",
        "due_on": "due_on due_date payment_due due date_due pay_by payment_due_date payable_by",
        "currency": "currency currency_code ccy iso_currency",
        "includes_tax": "prices_include_tax tax_included includes_tax tax_inclusive prices_include_vat vat_included",
        "lines": "lines line_items items positions products invoice_lines entries charges articles rows",
        "net": "net_total total_net subtotal sub_total net_amount net amount_net total_before_tax total_excl_tax",
        "tax": "tax_total tax vat vat_amount total_tax vat_total tax_amount sales_tax taxes total_vat tva mwst",
        "gross": "gross_total total total_amount grand_total amount_due total_due invoice_total total_gross gross"
        " gross_amount amount",
        "title": "title subject heading headline name document_title",
        "dated": "dated signed_on document_date date_signed report_date signed effective_date",
        "dates": "dates deadlines key_dates important_dates all_dates other_dates events",
        "obligations": "obligations duties action_items tasks actions measures commitments todos requirements",
        "amounts": "amounts sums payments fees money monetary_amounts prices costs values",
        "summary": "summary description abstract overview synopsis gist",
    },
    "lines": {
        "description": "description name item product title text label article service product_name item_name what",
        "quantity": "quantity qty count units hours pieces number_of_units",
        "unit_price": "unit_price price rate unit_cost price_per_unit price_each unit_net_price hourly_rate",
        "amount": "amount total line_total total_price net_amount sum value subtotal cost line_amount net",
        "currency": "currency currency_code",
    },
    "parties": {
        "name": "name party party_name full_name legal_name company company_name person organisation organization",
        "role": "role function capacity position type kind title",
    },
    "obligations": {
        "who": "who owner responsible assignee party obligor by responsible_party person assigned_to actor",
        "what": "what task action description duty text obligation item title measure details",
        "due": "due due_on deadline due_date by_when until date due_by when",
    },
    "amounts": {
        "label": "label name description purpose what item title type kind text",
        "value": "value amount sum total number price",
        "currency": "currency currency_code ccy unit",
    },
    "dates": {"value": "date day on value when dated"},
}


@lru_cache(maxsize=4096)
def meaning_of(scope: str, words: tuple[str, ...]) -> str | None:
    """Such as supplier for vendorName in an invoice; None for a name that says nothing known."""
    name = "_".join(words)
    return next((meaning for meaning, names in NAMES.get(scope, {}).items() if name in names.split()), None)
