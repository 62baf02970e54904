"""The words that stand before a fact on a document, in nine languages. Data only; matched on lower-case text.

Order matters where several kinds begin at one place: what is read first, wins.
"""

import re

TAX_WORD = r"(?:vat|tax|taxes|btw|mwst|ust|tva|taxe|iva|moms|gst)"

# What an amount is. `none`: neither an item nor a total. `left`: a total less what was paid or kept back.
AMOUNT_WORDS = {
    "none": (
        r"carried (?:forward|over)|brought forward|balance [bc]/f|übertrag|à reporter|report à nouveau|riporto|suma y sigue"
        r"|deposit paid|already paid|amount paid|less paid|paid\b|abzüglich|bereits gezahlt|abschlag vom|anzahlung|acompte|acconto"
        r"|ritenuta|retención|irpf|słownie|index\b|zählerstand|iban\b|skonto|scadenz[ae]|round(?:ing|ed)|rundung|arrondi"
        r"|cash\b|change\b|card\b|visa\b|mastercard|efectivo|cambio\b|tarjeta|rückgeld|gegeben|espèces|rendu\b|contanti|resto\b|pin\b"
    ),
    "item": r"not subject to|disbursement|insurance premium\b(?! tax)",
    "incl": rf"(?:incl|inkl|iva inclu)\w*\.?\s(?:\d+\s?%\s)?{TAX_WORD}\b|{TAX_WORD}\s(?:incl\w*\.?\)?\s*$|inclusive)",
    "gross": r"ttc\b|brutto|gross\b",
    "left": r"balance due|restbetrag|noch zu zahlen|nachzahlung|nett?o (?:a pagare|à payer|a pagar)|te ontvangen|outstanding",
    "net": (
        rf"(?:excl|exkl|ohne|hors|before|senza|sin|bez)\w*\.?\s(?:de\s)?{TAX_WORD}\b|ht\b|subtot|sub-total|sous-total"
        r"|zwischensumme|zwischentotal|nett?o?\b(?! \d+ ?(?:days|tage))|nettobetrag|warenwert|imponibile|base\b|goods\b|merchandise"
        r"|taxable amount|razem netto|suma netto"
    ),
    "tax": (
        r"vat\b|mwst|umsatzsteuer|ust\b|mehrwertsteuer|tva\b|iva\b|imposta\b|impuesto|btw\b|moms\b|gst\b|sales tax"
        r"|tax\b(?! invoice)|podatek|cuota\b|consumption tax"
    ),
    "total": (
        r"totale?s?\b|totaal\b|gesamt|summe\b|rechnungsbetrag|endbetrag|zahlbetrag|zahlender betrag|gutschriftsbetrag"
        r"|amount (?:due|payable)|to pay\b|à payer|à régler|a pagare?\b|te betalen|te voldoen|do zapłaty|razem|att betala"
        r"|balance\b|zu zahlen\b"
    ),
}  # fmt: skip
CJK_AMOUNT_WORDS = {
    "none": r"現金|お釣り|お預り|預り金",
    "gross": r"税込合計",
    "net": r"小計|税抜|対象",
    "tax": r"消費税|内税",
    "total": r"合計|請求金額|請求額",
}


def _labels(before: str, words: dict[str, str]) -> re.Pattern[str]:
    return re.compile(
        before + "(?:" + "|".join(f"(?P<{kind}>{those})" for kind, those in words.items()) + ")", re.MULTILINE
    )


AMOUNT_LABELS = _labels(r"(?<![^\W_])(?=[^\W\d_])", AMOUNT_WORDS)  # at the start of a word
CJK_AMOUNT_LABELS = _labels("", CJK_AMOUNT_WORDS)
CJK = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")

DUE = re.compile(
    r"\bdue\b|pay(?:able|ment)? (?:is due )?(?:by|before|until|on or before)\b|payable on|fällig|zahlbar bis|überweisen sie bis"
    r"|échéance|payable jusqu|à régler avant|date limite|scadenz|vencimiento|vervaldatum|uiterlijk|termin płatności|förfallo"
    r"|期限|buchen wir am|pay by"
)
ISSUED = re.compile(
    r"invoice date|date of issue|issue date|note date|\bissued|rechnungsdat|belegdatum|date de facture|data documento"
    r"|fecha de emisi|factuurdatum|data wystawienia|fakturadatum|発行日|請求日|tax point|today'?s date"
)
DATE_WORD = re.compile(
    r"\bdate\b|\bdatum\b|\bdata\b|\bfecha\b|\bdel\b|\bdu\b|\bvom\b|\ble\b|日付|\bprinted\b|\bdated\b"
)
NOT_ISSUED = re.compile(
    r"period|zeitraum|liefer|leistung|sprzedaży|arrivée|\barr\b|relates to|\bzu rechnung|sur facture|storno|abschlag vom"
    r"|\bpo\b|order|bestell|delivery|carte|card"
)
TERMS = re.compile(
    r"(?:net|within|innerhalb von|zahlungsziel:?|terms:?|entro|przelew|betaaltermijn:?|bonifico bancario|binnen|under|sous)"
    r"\s{1,3}(\d{1,3})\s?(?:days|tagen?|giorni|gg|dni|dagen|jours|dagar)|(\d{1,3})\s?(?:days net|tage netto|days from)|\bnet (\d{1,3})\b(?![.,]\d)"
)

DOCUMENT = (
    r"credit note|debit note / invoice|commercial invoice|sales invoice|tax invoice|freight invoice|invoice / faktura|invoice|bill"
    r"|receipt|check|gutschrift|abschlagsrechnung|rechnungs?|r e c h n u n g|beleg|avoir|facture|nota di credito|fattura immediata"
    r"|fattura|factura simplificada|factura|factuur|faktura vat|faktura|請求書|請求"
)
NUMBERED = re.compile(
    rf"(?<!\w)(?:{DOCUMENT})[ -]?(?P<word>numbers?|nummer|numero|numéro|no\.?|nr\.?|n[°º.]|番号|#)?(?: is| of)?[ :#]{{0,24}}(?(word)\n?|)"
    r"(?:第 ?|no\.? {1,3}|nr\.? {1,3}|de (?:factura|facture):? {1,3})?"
    r"(?P<number>(?:[a-z]{1,3} )?\d{2,}(?: \d{2,})+(?![\w./-])|[a-z]{0,6}[-/.]?[a-z]{0,4}[-/.]?\d[a-z0-9./-]{0,24}"
    r"|[a-z]-[a-z0-9/-]{0,24})"
)
BARE_NUMBER = re.compile(
    r"(?:^|[| ])(?:number is|nr\.|no\.|numéro|número(?: de factura)?|#) ?:? {0,3}(?P<number>[a-z]{0,4}[-/.]?\d[a-z0-9./-]{1,24})",
    re.MULTILINE,
)
OTHER_DOCUMENT = re.compile(r"relates to|zu rechnung|sur facture|della fattura|storno|order|our file|policy|account")
CREDIT = re.compile(
    r"credit note|^\W*gutschrift\b|\bavoir\b|nota di credito|nota de crédito|factura rectificativa|creditnota|kreditfaktura"
    r"|korygująca|赤伝",
    re.MULTILINE,
)
TENDERED = re.compile(
    r"^\W*(?:cash|change|card|visa|mastercard|efectivo|cambio|tarjeta|bar|rückgeld|espèces|contanti|現金|お釣り)\b[^\n]*"
    r"(?:\d[.,]\d\d|¥|approved)|領 ?収 ?書",
    re.MULTILINE,
)

COMPANY = re.compile(
    r"(?:\b(?:Ltd|LTD|Limited|LIMITED|Inc|INC|LLC|LLP|PLC|Plc|plc|OHG|UG|BV|NV|ApS|Oy|Srl|SRL|SpA|GmbH|GMBH|AG|KG|GbR|SARL|SAS|SA|S\.A\.S|S\.A|S\.L|S\.r\.l|S\.R\.L|S\. ?COOP|S\.p\.A|B\.V|V\.O\.F|AB|HB|K\.K|S\.C|OÜ|Corp|e\.G)\b\.?"
    r"(?: & Co\. KG)?|e\.K\.|Sp\. z o\.o\.|株式会社|有限会社|合同会社)"
)
SELLER = re.compile(
    r"^\W*(?:seller|supplier|vendor|sprzedawca|seller / sprzedawca|leverancier|lieferant|fornitore|emisor|émetteur|company|de|from|invoice from)"
    r" ?(?::|(?<=invoice from) ) *(?P<name>[^\n]+)",
    re.MULTILINE,
)
SELLER_HEADING = re.compile(
    r"^\W*(?:seller|supplier|vendor|sprzedawca|leverancier|lieferant|fornitore|emisor|émetteur|from|issued by|bill from)\W*\n"
    r"(?P<name>[^\n]+)",
    re.MULTILINE,
)
BUYER = re.compile(
    r"\b(?:bill(?:ed)? to|ship to|buyer|customer|client|kunde|cliente|klant|nabywca|spett\.?le|destinatario|consignee|shipper|guest)\b"
    r"|^\W*(?:an|aan|to|à)\b ?:?|御中"
)
SIGN_OFF = re.compile(
    r"^(?:kind |best |warm |with )?regards|^all the best|^(?:yours )?(?:sincerely|faithfully)|^(?:herzliche|freundliche|viele) gr|^mit freundlich"
    r"|^cordialement|^met vriendelijke|^cordiali saluti|^un saludo|^cheers|^thank you"
)
GREETING = re.compile(
    r"^(?:hi|hello|dear|guten tag|liebe[rs]?|sehr geehrte|beste|bonjour|madame|monsieur|gentile|estimad|hej)\b|^-{3,}|^(?:fwd?|re|aw|wg):"
    r"|^(?:from|to|van|von|aan|an|de|subject|onderwerp|betreff|sent|cc|date)\s?:"
)
TITLE = re.compile(rf"^\W*(?:\w+ ){{0,3}}(?:{DOCUMENT}|rechnung|請 ?求 ?書|領 ?収 ?書)s?\W*(?:vat|d'avoir)?\W*$")

MARKS = {
    "eur": "EUR", "€": "EUR", "euro": "EUR", "usd": "USD", "us$": "USD", "$": "USD", "gbp": "GBP", "£": "GBP", "chf": "CHF",
    "pln": "PLN", "zł": "PLN", "jpy": "JPY", "¥": "JPY", "円": "JPY", "sek": "SEK", "nok": "NOK", "dkk": "DKK", "czk": "CZK",
    "huf": "HUF", "cad": "CAD", "aud": "AUD", "inr": "INR", "₹": "INR",
}  # fmt: skip
MARK = re.compile(
    r"(?<![a-z])(?:eur|euro|usd|gbp|chf|pln|jpy|sek|nok|dkk|czk|huf|cad|aud|inr|zł)(?![a-z])|us\$|[€$£¥円₹]"
)
HINTS = (  # of a currency, where none is named
    (re.compile(r"sales tax"), "USD"),
    (re.compile(r"消費税"), "JPY"),
    (re.compile(r"\bmoms\b"), "SEK"),
    (re.compile(r"faktura vat|do zapłaty"), "PLN"),
    (re.compile(r"\bmwst\b|umsatzsteuer|\btva\b|\biva\b|\bbtw\b"), "EUR"),
    (re.compile(r"\bvat\b"), "GBP"),
)

COLUMN_WORDS = re.compile(
    r"\b(?:qty|quantity|menge|anzahl|aantal|quantité|qté|cantidad|antal|ilość|uds|unit price|price|prijs|preis|prix|amount|bedrag|betrag"
    r"|montant|importe|description|omschrijving|bezeichnung|désignation|descripción|descrizione|articolo|article|item)\b\.?"
)
FIELD_LINE = re.compile(
    r"^\W*(?:(?P<what>description|omschrijving|bezeichnung|désignation|descripción|descrizione|item)"
    r"|(?P<quantity>qty|quantity|aantal|menge|anzahl|cantidad|quantité)"
    r"|(?P<price>unit price|price|prijs|preis|einzelpreis|precio|prix)|(?P<amount>amount|bedrag|betrag|importe|montant))"
    r" ?: {0,8}(?P<value>[^\n]{1,200})$",
    re.MULTILINE,
)
