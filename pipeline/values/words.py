"""The words that stand before a fact on a document, in nine languages, in lower case. Data only; the first wins."""

import re

TAX_WORD = r"(?:vat|tax|taxes|btw|mwst|ust|tva|taxe|iva|moms|gst)"

# What an amount is. `none`: neither an item nor a total. `left`: a total less what was paid or kept back.
AMOUNT_WORDS = {
    "none": (
        r"carried (?:forward|over)|brought forward|balance [bc]/f|übertrag|à reporter|report à nouveau|riporto|suma y sigue"
        r"|deposit paid|already paid|amount paid|less paid|paid\b|abzüglich|bereits gezahlt|abschlag vom|anzahlung|acompte|acconto"
        r"|ritenuta|retención|irpf|słownie|index\b|zählerstand|iban\b|skonto|scadenz[ae]|round(?:ing|ed)|rundung|arrondi"
        r"|cash\b|change\b|card\b|visa\b|mastercard|efectivo|cambio\b|tarjeta|rückgeld|gegeben|espèces|rendu\b|contanti|resto\b|pin\b"
        r"|(?:unit )?pri(?:ce|js|x) ?:"
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
    "none": "現金|お釣り|預り",
    "gross": "税込合計",
    "net": "小計|税抜|対象",
    "tax": "消費税|内税",
    "total": "合計|請求金?額",
}


def _labels(before: str, words: dict[str, str]) -> re.Pattern[str]:
    return re.compile(
        before + "(?:" + "|".join(f"(?P<{kind}>{one})" for kind, one in words.items()) + ")", re.MULTILINE
    )


AMOUNT_LABELS = _labels(r"(?<![^\W_])(?=[^\W\d_])", AMOUNT_WORDS)  # at the start of a word
CJK_AMOUNT_LABELS = _labels("", CJK_AMOUNT_WORDS)

DUE = re.compile(
    r"\bdue\b|pay(?:able|ment)? (?:is due )?(?:by|before|until|on or before)\b|payable on|fällig|zahlbar bis|überweisen sie bis"
    r"|échéance|payable jusqu|à régler avant|date limite|scadenz|vencimiento|vervaldatum|uiterlijk|termin płatności|förfallo"
    r"|期限|buchen wir am|pay by|netto bis"
)
DATE_WORD = re.compile(
    r"\bdate\b|\bdatum\b|\bdata\b|\bfecha\b|\bdel\b|\bdu\b|\bvom\b|\ble\b|日付|\bprinted\b|\bdated\b|rechnungsdat|belegdatum|fakturadatum|\bissued|発行日|請求日"
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
    re.MULTILINE | re.IGNORECASE,
)
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
BUYER = re.compile(
    r"\b(?:bill(?:ed)? to|ship to|buyer|customer|client|kunde|cliente|klant|nabywca|spett\.?le|destinatario|consignee|shipper|guest)\b"
    r"|^\W*(?:an|aan|to|à)\b ?:?|御中"
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
