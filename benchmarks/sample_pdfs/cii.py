"""An invoice as UN/CEFACT Cross Industry Invoice, the XML inside of ZUGFeRD and Factur-X (EN 16931)."""

from xml.sax.saxutils import escape

HEAD = (
    'xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" '
    'xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" '
    'xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100"'
)
XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#">
<fx:DocumentType>INVOICE</fx:DocumentType><fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>
<fx:Version>1.0</fx:Version><fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def day(value):
    return f'<udt:DateTimeString format="102">{value:%Y%m%d}</udt:DateTimeString>'


def xml_of(paper):
    """The whole file, UTF-8."""
    lines = "\n".join(_line(paper, number, line) for number, line in enumerate(paper.lines, 1))
    taxes = "\n".join(_tax(paper, rate, tax) for rate, tax in paper.taxes.items())
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<rsm:CrossIndustryInvoice {HEAD}>
<rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>urn:cen.eu:en16931:2017</ram:ID>\
</ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>
<rsm:ExchangedDocument><ram:ID>{escape(paper.number)}</ram:ID><ram:TypeCode>380</ram:TypeCode>
<ram:IssueDateTime>{day(paper.issued)}</ram:IssueDateTime></rsm:ExchangedDocument>
<rsm:SupplyChainTradeTransaction>
{lines}
<ram:ApplicableHeaderTradeAgreement>
<ram:SellerTradeParty><ram:Name>{escape(paper.sender[0])}</ram:Name></ram:SellerTradeParty>
<ram:BuyerTradeParty><ram:Name>{escape(paper.receiver[0])}</ram:Name></ram:BuyerTradeParty>
</ram:ApplicableHeaderTradeAgreement>
<ram:ApplicableHeaderTradeDelivery/>
<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>{paper.currency}</ram:InvoiceCurrencyCode>
{taxes}
<ram:SpecifiedTradePaymentTerms><ram:DueDateDateTime>{day(paper.due)}</ram:DueDateDateTime>\
</ram:SpecifiedTradePaymentTerms>
<ram:SpecifiedTradeSettlementHeaderMonetarySummation>
<ram:LineTotalAmount>{paper.net:.2f}</ram:LineTotalAmount>
<ram:TaxBasisTotalAmount>{paper.net:.2f}</ram:TaxBasisTotalAmount>
<ram:TaxTotalAmount currencyID="{paper.currency}">{paper.tax:.2f}</ram:TaxTotalAmount>
<ram:GrandTotalAmount>{paper.gross:.2f}</ram:GrandTotalAmount>
<ram:DuePayableAmount>{paper.gross:.2f}</ram:DuePayableAmount>
</ram:SpecifiedTradeSettlementHeaderMonetarySummation>
</ram:ApplicableHeaderTradeSettlement>
</rsm:SupplyChainTradeTransaction>
</rsm:CrossIndustryInvoice>
""".encode()


def _line(paper, number, line):
    return f"""<ram:IncludedSupplyChainTradeLineItem>
<ram:AssociatedDocumentLineDocument><ram:LineID>{number}</ram:LineID></ram:AssociatedDocumentLineDocument>
<ram:SpecifiedTradeProduct><ram:Name>{escape(line.description)}</ram:Name></ram:SpecifiedTradeProduct>
<ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>{line.price}</ram:ChargeAmount>\
</ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement>
<ram:SpecifiedLineTradeDelivery><ram:BilledQuantity unitCode="C62">{line.quantity}</ram:BilledQuantity>\
</ram:SpecifiedLineTradeDelivery>
<ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:TypeCode>VAT</ram:TypeCode>\
<ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>{line.rate}</ram:RateApplicablePercent>\
</ram:ApplicableTradeTax><ram:SpecifiedTradeSettlementLineMonetarySummation>\
<ram:LineTotalAmount>{paper.amount(line):.2f}</ram:LineTotalAmount>\
</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>
</ram:IncludedSupplyChainTradeLineItem>"""


def _tax(paper, rate, tax):
    return f"""<ram:ApplicableTradeTax><ram:CalculatedAmount>{tax:.2f}</ram:CalculatedAmount>\
<ram:TypeCode>VAT</ram:TypeCode><ram:BasisAmount>{paper.base(rate):.2f}</ram:BasisAmount>\
<ram:CategoryCode>S</ram:CategoryCode><ram:RateApplicablePercent>{rate}</ram:RateApplicablePercent>\
</ram:ApplicableTradeTax>"""
