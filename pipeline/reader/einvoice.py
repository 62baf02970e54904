"""XML of an e-invoice → its facts in one flat vocabulary, whatever its syntax.

Read are CII (ZUGFeRD 1 and 2, Factur-X, XRechnung) and UBL (Invoice, CreditNote): the terms of EN 16931-1:2017, whose
numbers (BT) stand beside the paths. Paths are of local names, below the root. Pure.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pipeline.reader.read import Unreadable
from pipeline.reader.xml_tree import Node, tree

MAX_BYTES = 5_000_000
AMOUNT = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?")
DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?![\d])")

CII_ROOTS = frozenset({"CrossIndustryInvoice", "CrossIndustryDocument"})  # the latter of ZUGFeRD 1
UBL_ROOTS = frozenset({"Invoice", "CreditNote"})

# fact → (what it is, paths in the order they count); A|B: either name; a fact of money is in the invoice's currency
_TRADE = "SupplyChainTradeTransaction|SpecifiedSupplyChainTradeTransaction"
_AGREEMENT = f"{_TRADE}/ApplicableHeaderTradeAgreement|ApplicableSupplyChainTradeAgreement"
_DELIVERY = f"{_TRADE}/ApplicableHeaderTradeDelivery|ApplicableSupplyChainTradeDelivery"
_SETTLEMENT = f"{_TRADE}/ApplicableHeaderTradeSettlement|ApplicableSupplyChainTradeSettlement"
_SUMS = f"{_SETTLEMENT}/SpecifiedTradeSettlementHeaderMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
_DOCUMENT = "ExchangedDocument|HeaderExchangedDocument"
Terms = Mapping[str, tuple[str, tuple[str, ...]]]


def _cii_party(who: str, path: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    address = f"{path}/PostalTradeAddress"
    return {
        f"{who}_name": ("text", (f"{path}/Name",)),
        f"{who}_trade_name": ("text", (f"{path}/SpecifiedLegalOrganization/TradingBusinessName",)),
        f"{who}_vat_id": ("text", (f"{path}/SpecifiedTaxRegistration/ID@VA",)),
        f"{who}_street": ("text", (f"{address}/LineOne",)),
        f"{who}_postcode": ("text", (f"{address}/PostcodeCode",)),
        f"{who}_city": ("text", (f"{address}/CityName",)),
        f"{who}_country": ("text", (f"{address}/CountryID",)),
    }


CII: Terms = {
    "number": ("text", (f"{_DOCUMENT}/ID",)),  # BT-1
    "type_code": ("text", (f"{_DOCUMENT}/TypeCode",)),  # BT-3
    "issued_on": ("date", (f"{_DOCUMENT}/IssueDateTime/DateTimeString",)),  # BT-2
    "due_on": ("date", (f"{_SETTLEMENT}/SpecifiedTradePaymentTerms/DueDateDateTime/DateTimeString",)),  # BT-9
    "delivered_on": ("date", (f"{_DELIVERY}/ActualDeliverySupplyChainEvent/OccurrenceDateTime/DateTimeString",)),
    "currency": ("text", (f"{_SETTLEMENT}/InvoiceCurrencyCode",)),  # BT-5
    **_cii_party("seller", f"{_AGREEMENT}/SellerTradeParty"),
    **_cii_party("buyer", f"{_AGREEMENT}/BuyerTradeParty"),
    "seller_iban": (
        "iban",
        (f"{_SETTLEMENT}/SpecifiedTradeSettlementPaymentMeans/PayeePartyCreditorFinancialAccount/IBANID",),
    ),  # BT-84
    "order_number": ("text", (f"{_AGREEMENT}/BuyerOrderReferencedDocument/IssuerAssignedID|ID",)),  # BT-13
    "line_total": ("amount", (f"{_SUMS}/LineTotalAmount",)),  # BT-106
    "net": ("amount", (f"{_SUMS}/TaxBasisTotalAmount",)),  # BT-109
    "tax": ("amount", (f"{_SUMS}/TaxTotalAmount",)),  # BT-110
    "gross": ("amount", (f"{_SUMS}/GrandTotalAmount",)),  # BT-112
    "payable": ("amount", (f"{_SUMS}/DuePayableAmount",)),  # BT-115
}
CII_TAXES = f"{_SETTLEMENT}/ApplicableTradeTax"
CII_TAX: Terms = {
    "rate": ("amount", ("RateApplicablePercent|ApplicablePercent",)),  # BT-119
    "net": ("amount", ("BasisAmount",)),  # BT-116
    "tax": ("amount", ("CalculatedAmount",)),  # BT-117
    "category": ("text", ("CategoryCode",)),  # BT-118
}
CII_LINES = f"{_TRADE}/IncludedSupplyChainTradeLineItem"
_LINE_AGREEMENT = "SpecifiedLineTradeAgreement|SpecifiedSupplyChainTradeAgreement"
_LINE_DELIVERY = "SpecifiedLineTradeDelivery|SpecifiedSupplyChainTradeDelivery"
_LINE_SETTLEMENT = "SpecifiedLineTradeSettlement|SpecifiedSupplyChainTradeSettlement"
_LINE_SUM = (
    f"{_LINE_SETTLEMENT}/SpecifiedTradeSettlementLineMonetarySummation|SpecifiedTradeSettlementMonetarySummation"
)
CII_LINE: Terms = {
    "description": ("text", ("SpecifiedTradeProduct/Name", "SpecifiedTradeProduct/Description")),  # BT-153
    "quantity": ("amount", (f"{_LINE_DELIVERY}/BilledQuantity",)),  # BT-129
    "unit": ("text", (f"{_LINE_DELIVERY}/BilledQuantity@unitCode",)),  # BT-130
    "unit_price": ("amount", (f"{_LINE_AGREEMENT}/NetPriceProductTradePrice/ChargeAmount",)),  # BT-146
    "price_base": ("amount", (f"{_LINE_AGREEMENT}/NetPriceProductTradePrice/BasisQuantity",)),  # BT-149
    "net": ("amount", (f"{_LINE_SUM}/LineTotalAmount",)),  # BT-131
    "tax_rate": ("amount", (f"{_LINE_SETTLEMENT}/ApplicableTradeTax/RateApplicablePercent|ApplicablePercent",)),
}


def _ubl_party(who: str, path: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    address = f"{path}/PostalAddress"
    return {
        f"{who}_name": ("text", (f"{path}/PartyLegalEntity/RegistrationName", f"{path}/PartyName/Name")),
        f"{who}_trade_name": ("text", (f"{path}/PartyName/Name",)),
        f"{who}_vat_id": ("text", (f"{path}/PartyTaxScheme:VAT/CompanyID",)),
        f"{who}_street": ("text", (f"{address}/StreetName",)),
        f"{who}_postcode": ("text", (f"{address}/PostalZone",)),
        f"{who}_city": ("text", (f"{address}/CityName",)),
        f"{who}_country": ("text", (f"{address}/Country/IdentificationCode",)),
    }


UBL: Terms = {
    "number": ("text", ("ID",)),
    "type_code": ("text", ("InvoiceTypeCode|CreditNoteTypeCode",)),
    "issued_on": ("date", ("IssueDate",)),
    "due_on": ("date", ("DueDate", "PaymentMeans/PaymentDueDate")),
    "delivered_on": ("date", ("Delivery/ActualDeliveryDate",)),
    "currency": ("text", ("DocumentCurrencyCode",)),
    **_ubl_party("seller", "AccountingSupplierParty/Party"),
    **_ubl_party("buyer", "AccountingCustomerParty/Party"),
    "seller_iban": ("iban", ("PaymentMeans/PayeeFinancialAccount/ID",)),
    "order_number": ("text", ("OrderReference/ID",)),
    "line_total": ("amount", ("LegalMonetaryTotal/LineExtensionAmount",)),
    "net": ("amount", ("LegalMonetaryTotal/TaxExclusiveAmount",)),
    "tax": ("amount", ("TaxTotal/TaxAmount",)),
    "gross": ("amount", ("LegalMonetaryTotal/TaxInclusiveAmount",)),
    "payable": ("amount", ("LegalMonetaryTotal/PayableAmount",)),
}
UBL_TAXES = "TaxTotal/TaxSubtotal"
UBL_TAX: Terms = {
    "rate": ("amount", ("TaxCategory/Percent",)),
    "net": ("amount", ("TaxableAmount",)),
    "tax": ("amount", ("TaxAmount",)),
    "category": ("text", ("TaxCategory/ID",)),
}
UBL_LINES = "InvoiceLine|CreditNoteLine"
UBL_LINE: Terms = {
    "description": ("text", ("Item/Name", "Item/Description")),
    "quantity": ("amount", ("InvoicedQuantity|CreditedQuantity",)),
    "unit": ("text", ("InvoicedQuantity|CreditedQuantity@unitCode",)),
    "unit_price": ("amount", ("Price/PriceAmount",)),
    "price_base": ("amount", ("Price/BaseQuantity",)),
    "net": ("amount", ("LineExtensionAmount",)),
    "tax_rate": ("amount", ("Item/ClassifiedTaxCategory/Percent",)),
}
SYNTAXES = (
    (CII_ROOTS, CII, CII_TAXES, CII_TAX, CII_LINES, CII_LINE),
    (UBL_ROOTS, UBL, UBL_TAXES, UBL_TAX, UBL_LINES, UBL_LINE),
)


def facts_of(xml: bytes) -> dict[str, Any] | None:
    """What an invoice says, and nothing else: amounts and dates (ISO 8601) as text; `taxes` and `lines` as lists.

    None for what is no e-invoice, is broken, has a DTD, or is larger than MAX_BYTES.
    """
    if len(xml) > MAX_BYTES:
        return None
    try:
        root = tree(xml, "the XML of the e-invoice")
    except Unreadable:
        return None
    for roots, head, taxes, tax, lines, line in SYNTAXES:
        if root.name in roots:
            facts: dict[str, Any] = _facts(root, head)
            facts["taxes"] = [found for node in root.all(taxes) if (found := _facts(node, tax))]
            facts["lines"] = [found for node in root.all(lines) if (found := _line(node, line))]
            return facts if "number" in facts or "gross" in facts else None
    return None


def _line(node: Node, terms: Terms) -> dict[str, str]:
    facts = _facts(node, terms)
    if Decimal(facts.pop("price_base", "1")) != 1:
        facts.pop("unit_price", None)  # of a hundred, or a ton: not of one
    return facts


def _facts(node: Node, terms: Terms) -> dict[str, str]:
    return {name: said for name, (kind, paths) in terms.items() if (said := _said(node, kind, paths))}


def _said(node: Node, kind: str, paths: tuple[str, ...]) -> str:
    return next((said for path in paths for one in node.values(path) if (said := _as(kind, one))), "")


def _as(kind: str, text: str) -> str:
    text = " ".join(text.split())
    if kind == "amount":
        return text if AMOUNT.fullmatch(text) else ""
    if kind == "date":
        found = DATE.match(text)
        return "-".join(found.groups()) if found else ""
    return "".join(text.split()) if kind == "iban" else text
