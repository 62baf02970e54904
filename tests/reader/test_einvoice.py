"""XML of e-invoices: one vocabulary for CII of three ages and UBL; bombs are refused."""

import pytest
from each_case import each_case
from hypothesis import given
from hypothesis import strategies as st
from office_files import LAUGHS

from pipeline.reader.einvoice import MAX_BYTES, facts_of

CII = """<?xml version="1.0"?>
<rsm:CrossIndustryInvoice xmlns:rsm="r" xmlns:ram="a" xmlns:udt="u">
<rsm:ExchangedDocumentContext><ram:ID>no</ram:ID></rsm:ExchangedDocumentContext>
<rsm:ExchangedDocument><ram:ID> R-7 </ram:ID><ram:TypeCode>380</ram:TypeCode>
 <ram:IssueDateTime><udt:DateTimeString format="102">20261130</udt:DateTimeString></ram:IssueDateTime>
 </rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
<ram:IncludedSupplyChainTradeLineItem><ram:SpecifiedTradeProduct><ram:Name>Desk</ram:Name></ram:SpecifiedTradeProduct>
 <ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>5.00</ram:ChargeAmount>
 <ram:BasisQuantity unitCode="C62">{base}</ram:BasisQuantity></ram:NetPriceProductTradePrice>
 </ram:SpecifiedLineTradeAgreement>
 <ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">2</ram:BilledQuantity>
 </ram:SpecifiedLineTradeDelivery>
 <ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:RateApplicablePercent>19</ram:RateApplicablePercent>
 </ram:ApplicableTradeTax><ram:SpecifiedTradeSettlementLineMonetarySummation>
 <ram:LineTotalAmount>10.00</ram:LineTotalAmount>
 </ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
 </ram:IncludedSupplyChainTradeLineItem>
<ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty><ram:Name>Ann GmbH</ram:Name>
 <ram:PostalTradeAddress><ram:PostcodeCode>10115</ram:PostcodeCode><ram:LineOne>Weg 1</ram:LineOne>
 <ram:CityName>Berlin</ram:CityName>
 <ram:CountryID>DE</ram:CountryID></ram:PostalTradeAddress>
 <ram:SpecifiedTaxRegistration><ram:ID schemeID="FC">12/34</ram:ID></ram:SpecifiedTaxRegistration>
 <ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DE123</ram:ID></ram:SpecifiedTaxRegistration>
 </ram:SellerTradeParty>
 <ram:BuyerTradeParty><ram:Name>Bob SA</ram:Name></ram:BuyerTradeParty>
 <ram:BuyerOrderReferencedDocument><ram:IssuerAssignedID>PO-1</ram:IssuerAssignedID></ram:BuyerOrderReferencedDocument>
</ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeDelivery/>
<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>
 <ram:SpecifiedTradeSettlementPaymentMeans><ram:PayeePartyCreditorFinancialAccount>
 <ram:IBANID>DE89 3704 0044</ram:IBANID>
 </ram:PayeePartyCreditorFinancialAccount></ram:SpecifiedTradeSettlementPaymentMeans>
 <ram:ApplicableTradeTax><ram:CalculatedAmount>1.90</ram:CalculatedAmount><ram:BasisAmount>10.00</ram:BasisAmount>
 <ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>19</ram:RateApplicablePercent>
 </ram:ApplicableTradeTax>
 <ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime><udt:DateTimeString format="102">20261214</udt:DateTimeString>
 </ram:DueDateDateTime></ram:SpecifiedTradePaymentTerms>
 <ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:LineTotalAmount>10.00</ram:LineTotalAmount>
 <ram:TaxBasisTotalAmount>10.00</ram:TaxBasisTotalAmount>
 <ram:TaxTotalAmount currencyID="EUR">1.90</ram:TaxTotalAmount><ram:GrandTotalAmount>11.90</ram:GrandTotalAmount>
 <ram:DuePayableAmount>11.90</ram:DuePayableAmount></ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement></rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"""
OF_ZUGFERD_1 = {  # what was renamed since
    "CrossIndustryInvoice": "CrossIndustryDocument",
    "rsm:ExchangedDocument>": "rsm:HeaderExchangedDocument>",
    "rsm:SupplyChainTradeTransaction": "rsm:SpecifiedSupplyChainTradeTransaction",
    "ApplicableHeaderTrade": "ApplicableSupplyChainTrade",
    "SpecifiedTradeSettlementHeaderMonetary": "SpecifiedTradeSettlementMonetary",
    "SpecifiedTradeSettlementLineMonetary": "SpecifiedTradeSettlementMonetary",
    "SpecifiedLineTrade": "SpecifiedSupplyChainTrade",
    "RateApplicablePercent": "ApplicablePercent",
    "IssuerAssignedID": "ID",
}
PARTY = """<cac:Party><cac:PartyName><cbc:Name>{trade}</cbc:Name></cac:PartyName>
 <cac:PostalAddress><cbc:StreetName>Weg 1</cbc:StreetName><cbc:CityName>Berlin</cbc:CityName>
 <cbc:PostalZone>10115</cbc:PostalZone>
 <cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country></cac:PostalAddress>
 <cac:PartyTaxScheme><cbc:CompanyID>12/34</cbc:CompanyID><cac:TaxScheme><cbc:ID>FC</cbc:ID></cac:TaxScheme>
 </cac:PartyTaxScheme>
 <cac:PartyTaxScheme><cbc:CompanyID>DE123</cbc:CompanyID><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>
 </cac:PartyTaxScheme>
 <cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>"""
UBL = f"""<Invoice xmlns="i" xmlns:cac="a" xmlns:cbc="b"><cbc:ID>R-7</cbc:ID><cbc:IssueDate>2026-11-30</cbc:IssueDate>
<cbc:DueDate>2026-12-14</cbc:DueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode><cac:OrderReference><cbc:ID>PO-1</cbc:ID></cac:OrderReference>
<cac:AccountingSupplierParty>{PARTY.format(trade="Ann", name="Ann GmbH")}</cac:AccountingSupplierParty>
<cac:AccountingCustomerParty><cac:Party><cac:PartyName><cbc:Name>Bob SA</cbc:Name></cac:PartyName></cac:Party>
</cac:AccountingCustomerParty><cac:PaymentMeans><cac:PayeeFinancialAccount><cbc:ID>DE8937040044</cbc:ID>
</cac:PayeeFinancialAccount></cac:PaymentMeans>
<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">1.90</cbc:TaxAmount><cac:TaxSubtotal>
 <cbc:TaxableAmount>10.00</cbc:TaxableAmount>
<cbc:TaxAmount>1.90</cbc:TaxAmount><cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>19</cbc:Percent></cac:TaxCategory>
</cac:TaxSubtotal></cac:TaxTotal><cac:LegalMonetaryTotal><cbc:LineExtensionAmount>10.00</cbc:LineExtensionAmount>
<cbc:TaxExclusiveAmount>10.00</cbc:TaxExclusiveAmount><cbc:TaxInclusiveAmount>11.90</cbc:TaxInclusiveAmount>
<cbc:PayableAmount>11.90</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:InvoiceLine><cbc:InvoicedQuantity unitCode="C62">2</cbc:InvoicedQuantity>
 <cbc:LineExtensionAmount>10.00</cbc:LineExtensionAmount>
<cac:Item><cbc:Name>Desk</cbc:Name><cac:ClassifiedTaxCategory><cbc:Percent>19</cbc:Percent>
 </cac:ClassifiedTaxCategory></cac:Item>
<cac:Price><cbc:PriceAmount>5.00</cbc:PriceAmount></cac:Price></cac:InvoiceLine></Invoice>"""
FACTS = {
    "number": "R-7", "type_code": "380", "issued_on": "2026-11-30", "due_on": "2026-12-14", "currency": "EUR",
    "seller_name": "Ann GmbH", "seller_vat_id": "DE123", "seller_street": "Weg 1", "seller_postcode": "10115",
    "seller_city": "Berlin", "seller_country": "DE", "seller_iban": "DE8937040044", "buyer_name": "Bob SA",
    "order_number": "PO-1", "line_total": "10.00", "net": "10.00", "tax": "1.90", "gross": "11.90", "payable": "11.90",
    "taxes": [{"rate": "19", "net": "10.00", "tax": "1.90", "category": "S"}],
    "lines": [
        {"description": "Desk", "quantity": "2", "unit": "C62", "unit_price": "5.00", "net": "10.00", "tax_rate": "19"}
    ],
}  # fmt: skip


def of_zugferd_1():
    xml = CII.format(base=1)
    for new, old in OF_ZUGFERD_1.items():
        xml = xml.replace(new, old)
    return xml


@pytest.mark.parametrize("xml", [CII.format(base=1), CII.format(base="1.0000"), of_zugferd_1()])
def test_cii_of_all_ages_says_the_same(xml):
    assert facts_of(xml.encode()) == FACTS


def test_ubl_says_the_same():
    trade_names = {"seller_trade_name": "Ann", "buyer_trade_name": "Bob SA"}
    assert facts_of(UBL.encode()) == FACTS | trade_names


def test_a_credit_note_of_ubl_is_read():
    xml = UBL.replace("Invoice xmlns", "CreditNote xmlns").replace("</Invoice>", "</CreditNote>")
    xml = xml.replace("InvoiceTypeCode", "CreditNoteTypeCode").replace("InvoicedQuantity", "CreditedQuantity")
    assert facts_of(xml.replace("InvoiceLine", "CreditNoteLine").encode())["lines"] == FACTS["lines"]


def test_the_price_of_a_hundred_is_not_that_of_one():
    assert "unit_price" not in facts_of(CII.format(base=100).encode())["lines"][0]


@each_case(
    "xml",
    [
        b"", b"no xml", b"<html/>", b"<Invoice/>", b"<Invoice><ID>7</ID>", f"{LAUGHS}{UBL}".encode(),
        b"<Invoice><ID>7</ID>" + b" " * MAX_BYTES + b"</Invoice>", b"<a>" * 500, b"\x00" * 50,
        b"<!DOCTYPE x SYSTEM 'file:///etc/hostname'><Invoice><ID>7</ID></Invoice>",
    ],
)  # fmt: skip
def test_what_is_none_says_nothing(xml):
    assert facts_of(xml) is None


def test_other_encodings_are_read():
    xml = "<?xml version='1.0' encoding='iso-8859-1'?><Invoice><ID>é7</ID></Invoice>"
    assert facts_of(xml.encode("iso-8859-1"))["number"] == "é7"
    assert facts_of(xml.replace("iso-8859-1", "utf-16").encode("utf-16"))["number"] == "é7"


@pytest.mark.parametrize("value", ["1,90", "NaN", "1e5", "", "-"])
def test_an_amount_that_is_none_is_left_out(value):
    assert "tax" not in facts_of(
        f"<Invoice><ID>7</ID><TaxTotal><TaxAmount>{value}</TaxAmount></TaxTotal></Invoice>".encode()
    )


@given(st.integers(0, len(UBL)), st.text(max_size=5))
def test_any_damage_says_nothing_or_something(place, more):
    found = facts_of((UBL[:place] + more + UBL[place + len(more) :]).encode("utf-8", "replace"))
    assert found is None or isinstance(found["lines"], list)
