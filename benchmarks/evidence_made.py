"""Made-up invoices whose values stand where we put them: several times each, in six languages and three layouts."""

import random
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple


class Words(NamedTuple):
    """What stands before a value; `columns`: of description, quantity, price, rate and amount."""

    title: str
    issued: str
    due: str
    delivered: str
    order: str
    reference: str
    columns: tuple[str, str, str, str, str]
    net: str
    tax: str
    gross: str
    pay: str
    day: str
    mark: str
    thousands: str


LANGUAGES = [
    Words("Invoice No.", "Invoice date", "Payment due by", "Delivered on", "Your order", "Please quote", ("Description", "Qty", "Unit price", "VAT", "Amount"),
          "Subtotal", "VAT total", "Total incl. VAT", "Amount due", "%d %B %Y", ".", ","),
    Words("Rechnung Nr.", "Rechnungsdatum", "Zahlbar bis", "Lieferdatum", "Bestellnummer", "Verwendungszweck", ("Bezeichnung", "Menge", "Einzelpreis", "USt", "Gesamt"),
          "Zwischensumme netto", "zzgl. MwSt.", "Rechnungsbetrag brutto", "Zu zahlen", "%d.%m.%Y", ",", "."),
    Words("Facture n°", "Date de facture", "Échéance", "Date de livraison", "Bon de commande", "Référence à rappeler", ("Désignation", "Qté", "PU HT", "TVA", "Montant"),
          "Total HT", "TVA", "Total TTC", "Net à payer", "%d/%m/%Y", ",", " "),
    Words("Factura nº", "Fecha de factura", "Vencimiento", "Fecha de entrega", "Numero de pedido", "Concepto", ("Descripción", "Cantidad", "Precio", "IVA", "Importe"),
          "Base imponible", "Cuota IVA", "Total con IVA", "Total a pagar", "%d/%m/%Y", ",", "."),
    Words("Fattura n.", "Data fattura", "Scadenza", "Data consegna", "Numero ordine", "Causale", ("Descrizione", "Quantità", "Prezzo", "IVA", "Importo"),
          "Imponibile", "Imposta IVA", "Totale IVA inclusa", "Netto a pagare", "%d/%m/%Y", ",", "."),
    Words("Factuurnummer", "Factuurdatum", "Vervaldatum", "Leverdatum", "Ordernummer", "Betalingskenmerk", ("Omschrijving", "Aantal", "Stukprijs", "Btw", "Bedrag"),
          "Subtotaal excl. btw", "Btw", "Totaal incl. btw", "Te betalen", "%d-%m-%Y", ",", "."),
]  # fmt: skip
GOODS = [
    "Copper kettle",
    "Desk lamp 20 W",
    "Paper A4 80 g",
    "Cable 5 m",
    "Service",
    "Toner 2-pack",
    "Pallet",
    "Screws M4",
    "Chair",
    "Support",
]
RATES = ["19", "20", "21", "7"]
NAMES = ["Marsh Heron Supplies Ltd", "Blauwal Logistik GmbH", "Atelier Lunebleue SARL", "Fornitura Tartaruga S.r.l."]
CENT = Decimal("0.01")


class Sheet:
    """A text in the making: what is put with a path is remembered with its place."""

    def __init__(self) -> None:
        self.text = ""
        self.places: dict[str, tuple[int, int]] = {}

    def put(self, text: str, path: str = "") -> None:
        if path:
            self.places[path] = (len(self.text), len(self.text) + len(text))
        self.text += text


def made(number: int) -> tuple[str, Mapping[str, Any], Mapping[str, tuple[int, int]]]:
    """(the text, its record, path → where the right place of its value is)."""
    chance = random.Random(number)
    words, layout = LANGUAGES[number % len(LANGUAGES)], number % 3
    record = _record(chance)
    sheet = Sheet()
    _head(sheet, record, words, layout)
    _lines(sheet, record, words, layout)
    _totals(sheet, record, words, layout)
    sheet.put(
        f"\n{words.reference} {record['number']}\n{record['seller']['name']} · {_money(record['gross'], words)} EUR\n"
    )
    return sheet.text, record, sheet.places


def _record(chance: random.Random) -> dict[str, Any]:
    rate = chance.choice(RATES)
    lines = []
    for _ in range(chance.randint(1, 7)):
        quantity = chance.choice([1, 1, 2, 3, 5, 10, 12, 20])
        price = Decimal(chance.choice([450, 999, 1250, 2000, 12000, 123450])).scaleb(-2)
        lines.append(
            {
                "description": chance.choice(GOODS),
                "quantity": str(quantity),
                "unit_price": str(price),
                "net": str(price * quantity),
                "tax_rate": rate,
            }
        )
    net = sum(Decimal(line["net"]) for line in lines)
    tax = (net * int(rate) / 100).quantize(CENT)
    issued = date(2026, chance.randint(1, 12), chance.randint(1, 28))
    seller, buyer = chance.sample(NAMES, 2)
    return {
        "number": f"{chance.choice(['', 'R-', 'INV/'])}{chance.randint(10000, 99999)}", "issued_on": str(issued),
        "due_on": str(issued + timedelta(days=chance.choice([0, 14, 30]))), "delivered_on": str(issued - timedelta(days=chance.choice([0, 0, 3]))),
        "order_number": str(chance.randint(100000, 999999)), "seller": {"name": seller}, "buyer": {"name": buyer},
        "net": str(net), "tax": str(tax), "gross": str(net + tax), "payable": str(net + tax), "lines": lines,
    }  # fmt: skip


def _head(sheet: Sheet, record: Mapping[str, Any], words: Words, layout: int) -> None:
    sheet.put(record["seller"]["name"], "seller.name")
    sheet.put("\n12345 Nowhere\n\n")
    sheet.put(record["buyer"]["name"], "buyer.name")
    sheet.put(f"\n\n{words.title} ")
    sheet.put(record["number"], "number")
    sheet.put("\n")
    dated = [(words.issued, "issued_on"), (words.delivered, "delivered_on"), (words.due, "due_on")]
    rows = [(label, path, date.fromisoformat(record[path]).strftime(words.day)) for label, path in dated]
    rows.append((words.order, "order_number", record["order_number"]))
    if layout == 2:  # a row of labels, and the values under them
        sheet.put("".join(label.ljust(24) for label, _, _ in rows).rstrip() + "\n")
    for label, path, said in rows:
        sheet.put("" if layout == 2 else f"{label}: " if layout else f"{label}  ")
        sheet.put(said, path)
        sheet.put(" " * (24 - len(said)) if layout == 2 else "\n")
    sheet.put("\n\n")


def _lines(sheet: Sheet, record: Mapping[str, Any], words: Words, layout: int) -> None:
    sheet.put("  ".join(("Pos", *words.columns)) + "\n")
    for number, line in enumerate(record["lines"]):
        at = f"lines[{number}]."
        sheet.put(f"{number + 1}  " if layout != 1 else "")
        cells = [
            ("description", line["description"]),
            ("quantity", line["quantity"]),
            ("unit_price", _money(line["unit_price"], words)),
        ]
        cells += [("tax_rate", f"{line['tax_rate']}%"), ("net", _money(line["net"], words))]
        if layout == 1:  # the quantity stands first
            cells.insert(0, cells.pop(1))
        for name, said in cells:
            sheet.put(said.removesuffix("%"), at + name)
            sheet.put(("%" if said.endswith("%") else "") + ("  " if layout else "   "))
        sheet.put("\n" + ("    colour as agreed\n" if number % 2 and layout == 2 else ""))
    sheet.put("\n")


def _totals(sheet: Sheet, record: Mapping[str, Any], words: Words, layout: int) -> None:
    rate = record["lines"][0]["tax_rate"]
    rows = [(words.net, "net"), (f"{words.tax} {rate} %", "tax"), (words.gross, "gross"), (words.pay, "payable")]
    for label, path in rows:
        sheet.put(label + (": EUR " if layout == 1 else "  "))
        sheet.put(_money(record[path], words), path)
        sheet.put("\n")


def _money(value: str, words: Words) -> str:
    return f"{Decimal(value):,.2f}".replace(",", "|").replace(".", words.mark).replace("|", words.thousands)
