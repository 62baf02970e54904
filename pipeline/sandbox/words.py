"""The words that stand before a fact on a document, in nine languages. Data only; matched on lower-case lines.

Order matters where one line has words of several kinds: what is read first, wins.
"""

import re

TAX_WORD = r"(?:vat|tax|taxes|btw|mwst|ust|tva|taxe|iva|moms|gst)"

# What an amount is. `none` is an amount that is neither an item nor a total.
NONE = (
    r"carried forward|brought forward|balance b/f|übertrag|à reporter|report à nouveau|riporto|suma y sigue|transport\b(?= page)"
    r"|not subject to|deposit paid|already paid|amount paid|less paid|abzüglich|bereits gezahlt|\babschlag vom|restbetrag"
    r"|noch zu zahlen|nachzahlung|balance due|acompte|acconto|ritenuta|retención|irpf|netto a pagare|słownie|index\b"
    r"|zählerstand|iban|skonto|scadenz[ae]|現金|お釣り|お預り|預り金"
    r"|^\W*(?:cash|change|card|visa|mastercard|efectivo|cambio|tarjeta|bar|rückgeld|espèces|rendu|contanti|resto|pin)\b"
)
GROSS = (
    rf"\bttc\b|\b(?:incl|inkl|including|inclusive)\w*\.?\s(?:\d+\s?%\s)?{TAX_WORD}\b|{TAX_WORD}\s(?:incl\w*\.?\)?\s*$|inclusive)"
    r"|brutto|税込合計"
)
NET = (
    rf"\b(?:excl|exkl|excluding|ohne|hors|before|senza|sin|bez)\w*\.?\s(?:de\s)?{TAX_WORD}\b|\bht\b|subtot|sub-total|sous-total"
    r"|zwischensumme|zwischentotal|\bnett?o?\b|\bnet\b|nettobetrag|warenwert|imponibile|\bbase\b|goods\b|merchandise|taxable amount"
    r"|小計|税抜|\brazem netto|suma netto|対象"
)
TAX = (
    r"\bvat\b|mwst|umsatzsteuer|\bust\b|mehrwertsteuer|\btva\b|\biva\b|imposta\b|impuesto|\bbtw\b|moms\b|\bgst\b|sales tax"
    r"|\btax\b|podatek|消費税|内税"
)
TOTAL = (
    r"\btotale?s?\b|\btotaal\b|gesamt|summe\b|rechnungsbetrag|endbetrag|zahlbetrag|zahlender betrag|gutschriftsbetrag"
    r"|amount due|total due|\bto pay\b|à payer|à régler|a pagare?\b|te betalen|te voldoen|do zapłaty|razem|att betala|balance\b"
    r"|合計|請求金額|請求額"
)
AMOUNT_LABELS = re.compile(
    "|".join(
        f"(?P<{kind}>{words})"
        for kind, words in (("none", NONE), ("gross", GROSS), ("net", NET), ("tax", TAX), ("total", TOTAL))
    )
)

DUE = re.compile(
    r"\bdue\b|payable by|payment by|payable (?:on|before)|fällig|zahlbar bis|überweisen sie bis|échéance|payable jusqu|à régler avant"
    r"|date limite|scadenz|vencimiento|vervaldatum|uiterlijk|termin płatności|förfallo|期限|buchen wir am"
)
ISSUED = re.compile(
    r"invoice date|date of issue|issue date|note date|\bissued|rechnungsdatum|belegdatum|date de facture|data documento"
    r"|fecha de emisi|factuurdatum|data wystawienia|fakturadatum|発行日|請求日|tax point"
)
DATE_WORD = re.compile(r"\bdate\b|\bdatum\b|\bdata\b|\bfecha\b|\bdel\b|\bdu\b|\bvom\b|\ble\b|日付|\bprinted\b")
NOT_ISSUED = re.compile(
    r"period|zeitraum|liefer|leistung|sprzedaży|arrivée|\barr\b|relates to|\bzu rechnung|sur facture|storno|abschlag|\bpo\b|order"
)
TERMS = re.compile(
    r"(?:net|within|innerhalb von|zahlungsziel:?|terms:?|payment terms:?|entro|przelew|betaaltermijn:?|bonifico bancario|binnen|under|sous)"
    r"\s{1,3}(\d{1,3})\s?(?:days|tagen?|giorni|gg|dni|dagen|jours|dagar)|(\d{1,3})\s?(?:days net|tage netto|days from)"
)

DOCUMENT = (
    r"credit note|debit note / invoice|commercial invoice|sales invoice|tax invoice|freight invoice|invoice / faktura|invoice|bill"
    r"|receipt|check|gutschrift|abschlagsrechnung|rechnungs?|beleg|avoir|facture|nota di credito|fattura immediata|fattura"
    r"|factura simplificada|factura|factuur|faktura vat|faktura|請求書|請求"
)
NUMBERED = re.compile(
    rf"(?<!\w)(?:{DOCUMENT})[\s-]?(?P<word>numbers?|nummer|numero|numéro|no\.?|nr\.?|n[°º.]|番号|#)?(?: is|\s+of)?\s{{0,24}}[:#]{{0,2}}\s{{0,24}}"
    r"(?:第\s?|no\.\s{1,3}|de\s(?:factura|facture):?\s{1,3})?(?P<number>[a-z]{0,6}[-/.]?[a-z]{0,4}[-/.]?\d[\w./-]{0,24}|[a-z]-[a-z0-9/-]*\d\w*)"
)
BARE_NUMBER = re.compile(
    r"(?:^|[|\s])(?:number is|nr\.|no\.|numéro|número(?: de factura)?|#)\s?:?\s{0,3}(?P<number>[a-z]{0,4}[-/.]?\d[\w./-]{1,24})"
)
OTHER_DOCUMENT = re.compile(r"relates to|zu rechnung|sur facture|della fattura|storno|order|our file|policy|account")
CREDIT = re.compile(
    r"credit note|^\W*gutschrift\b|\bavoir\b|nota di credito|nota de crédito|factura rectificativa|creditnota|kreditfaktura|korygująca|赤伝"
)
TENDERED = re.compile(
    r"^\W*(?:cash|change|card|visa|mastercard|efectivo|cambio|tarjeta|bar|rückgeld|espèces|contanti|現金|お釣り)\b.*(?:\d[.,]\d\d|¥|approved)|領 ?収 ?書"
)

COMPANY = re.compile(
    r"(?:\b(?:Ltd|LTD|Limited|Inc|INC|LLC|LLP|PLC|GmbH|AG|KG|GbR|SARL|SAS|SA|S\.A\.S|S\.A|S\.L|S\.r\.l|S\.p\.A|B\.V|V\.O\.F|AB|HB|K\.K|S\.C|OÜ)\b\.?"
    r"|e\.K\.|Sp\. z o\.o\.|株式会社|有限会社|合同会社)"
)
SELLER = re.compile(
    r"^\W*(?:seller|supplier|vendor|sprzedawca|seller / sprzedawca|leverancier|lieferant|fornitore|emisor|émetteur|de|from|invoice from)\s?(?::|(?<=invoice from)\s)\s*(.+)"
)
BUYER = re.compile(
    r"\b(?:bill to|ship to|buyer|customer|client|kunde|cliente|klant|nabywca|spett\.?le|destinatario|consignee|shipper|guest)\b|^\W*(?:an|aan|to|à)\b\s?:?|御中"
)
WHO_SUFFIX = re.compile(r"御中|様")

MARKS = {
    "eur": "EUR", "€": "EUR", "euro": "EUR", "usd": "USD", "us$": "USD", "$": "USD", "gbp": "GBP", "£": "GBP", "chf": "CHF",
    "pln": "PLN", "zł": "PLN", "jpy": "JPY", "¥": "JPY", "円": "JPY", "sek": "SEK",
}  # fmt: skip
MARK = re.compile(r"(?<![a-z])(?:eur|euro|usd|gbp|chf|pln|jpy|sek|zł)(?![a-z])|us\$|[€$£¥円]")
HINTS = (  # of a currency, where none is named
    (re.compile(r"sales tax"), "USD"),
    (re.compile(r"消費税"), "JPY"),
    (re.compile(r"\bmoms\b"), "SEK"),
    (re.compile(r"faktura vat|do zapłaty"), "PLN"),
    (re.compile(r"\bmwst\b|\btva\b|\biva\b|\bbtw\b"), "EUR"),
    (re.compile(r"\bvat\b"), "GBP"),
)

COLUMN_WORDS = re.compile(
    r"\b(?:qty|quantity|menge|anzahl|aantal|quantité|cantidad|antal|ilość|unit price|price|prijs|preis|prix|amount|bedrag|betrag|montant|importe|each|at|x|@|st|stk|pcs)\b\.?"
)
FIELD_LINE = re.compile(
    r"^\W*(?:(?P<what>description|omschrijving|bezeichnung|désignation|descripción|descrizione|item)|(?P<quantity>qty|quantity|aantal|menge|anzahl|cantidad|quantité)"
    r"|(?P<price>unit price|price|prijs|preis|einzelpreis|precio|prix)|(?P<amount>amount|bedrag|betrag|importe|montant))\s?:\s{0,8}(?P<value>.{1,200})$"
)
