"""What invoices say in seven languages, and how they write figures and dates. Data, and no more."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class Words:
    """One language. `tax` and `money` have a place for the rate and the amount."""

    invoice: str
    credit_note: str
    number: str
    issued: str
    due: str
    item: str
    quantity: str
    price: str
    amount: str
    net: str
    tax: str
    gross: str
    carried: str
    separators: str  # of thousands, of decimals
    dates: str
    money: str = "{} €"
    places: int = 2

    def figure(self, value: Decimal, places: int | None = None) -> str:
        plain = f"{value:,.{self.places if places is None else places}f}"
        return plain.translate(str.maketrans(",.", self.separators))

    def cash(self, value: Decimal) -> str:
        return self.money.format(self.figure(value))

    def how_many(self, value: Decimal) -> str:
        return self.figure(value, max(0, -value.normalize().as_tuple().exponent))

    def day(self, value: date) -> str:
        return value.strftime(self.dates)


LANGUAGES = {
    "de": Words(
        *("Rechnung", "Gutschrift", "Rechnungsnummer", "Rechnungsdatum", "Zahlbar bis"),
        *("Bezeichnung", "Menge", "Einzelpreis", "Betrag", "Nettobetrag", "zzgl. {} % USt.", "Gesamtbetrag"),
        *("Übertrag", ".,", "%d.%m.%Y"),
    ),
    "en": Words(
        *("Invoice", "Credit note", "Invoice no.", "Invoice date", "Payment due"),
        *("Description", "Qty", "Unit price", "Amount", "Subtotal", "VAT at {} %", "Total due"),
        *("Carried forward", ",.", "%d/%m/%Y", "£{}"),
    ),
    "fr": Words(
        *("Facture", "Avoir", "Facture n°", "Date d'émission", "Échéance"),
        *("Désignation", "Qté", "Prix unitaire HT", "Montant HT", "Total HT", "TVA {} %", "Total TTC"),
        *("À reporter", "\xa0,", "%d/%m/%Y"),
    ),
    "es": Words(
        *("Factura", "Factura rectificativa", "Factura n.º", "Fecha de expedición", "Vencimiento"),
        *("Concepto", "Cantidad", "Precio", "Importe", "Base imponible", "IVA {} %", "Total factura"),
        *("Suma y sigue", ".,", "%d/%m/%Y"),
    ),
    "it": Words(
        *("Fattura", "Nota di credito", "Fattura n.", "Data", "Scadenza"),
        *("Descrizione", "Quantità", "Prezzo unitario", "Importo", "Imponibile", "IVA {} %", "Totale documento"),
        *("Riporto", ".,", "%d/%m/%Y"),
    ),
    "nl": Words(
        *("Factuur", "Creditnota", "Factuurnummer", "Factuurdatum", "Vervaldatum"),
        *("Omschrijving", "Aantal", "Prijs", "Bedrag", "Subtotaal", "Btw {} %", "Totaal te voldoen"),
        *("Transport", ".,", "%d-%m-%Y", "€ {}"),
    ),
    "ja": Words(
        *("請求書", "返品伝票", "請求書番号", "請求日", "お支払期限"),
        *("品名", "数量", "単価", "金額", "小計", "消費税({} %)", "ご請求金額"),
        *("繰越", ",.", "%Y年%m月%d日", "¥{}"),
        places=0,
    ),
}
LANGUAGES["en on scans"] = replace(LANGUAGES["en"], money="GBP {}")  # the font that scans are drawn in has no pound
