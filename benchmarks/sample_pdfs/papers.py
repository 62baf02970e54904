"""The invoices themselves: who, when, what and how much. Every party is made up, and no tax or bank number is valid."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from words import LANGUAGES, Words


@dataclass(frozen=True)
class Line:
    description: str
    quantity: Decimal
    price: Decimal
    rate: Decimal

    def amount(self, places: int) -> Decimal:
        return _rounded(self.quantity * self.price, places)


@dataclass(frozen=True)
class Paper:
    """One invoice. What is not said here is worked out of its lines."""

    language: str
    sender: tuple[str, ...]  # name, street, town, and what else stands in the head
    receiver: tuple[str, ...]
    number: str
    issued: date
    due: date
    lines: tuple[Line, ...]
    currency: str = "EUR"
    due_as: str = ""  # how the page says it, where it is no date
    notes: tuple[str, ...] = ()
    after_total: tuple[tuple[str, str], ...] = ()  # what is printed below the total, and is no part of it
    credit: bool = False

    @property
    def words(self) -> Words:
        return LANGUAGES[self.language]

    def amount(self, line: Line) -> Decimal:
        return line.amount(self.words.places)

    @property
    def net(self) -> Decimal:
        return sum((self.amount(line) for line in self.lines), Decimal(0))

    @property
    def taxes(self) -> dict[Decimal, Decimal]:
        """Rate → tax, for rates above nothing."""
        rates = dict.fromkeys(line.rate for line in self.lines if line.rate)
        return {rate: _rounded(rate / 100 * self.base(rate), self.words.places) for rate in rates}

    def base(self, rate: Decimal) -> Decimal:
        return sum((self.amount(line) for line in self.lines if line.rate == rate), Decimal(0))

    @property
    def tax(self) -> Decimal:
        return sum(self.taxes.values(), Decimal(0))

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax

    def record(self) -> dict:
        """As schemas/invoice.py has it."""
        lines = [
            {
                "description": line.description,
                "quantity": f"{line.quantity}",
                "unit_price": f"{line.price}",
                "amount": f"{self.amount(line):.2f}",
            }
            for line in self.lines
        ]
        return {
            "kind": "credit_note" if self.credit else "invoice",
            "supplier": self.sender[0],
            "invoice_number": self.number,
            "issued_on": self.issued.isoformat(),
            "due_on": self.due.isoformat(),
            "currency": self.currency,
            "prices_include_tax": False,
            "lines": lines,
            "net_total": f"{self.net:.2f}",
            "tax_total": f"{self.tax:.2f}",
            "gross_total": f"{self.gross:.2f}",
        }


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _lines(rate: str, *lines: tuple[str, str, str]) -> tuple[Line, ...]:
    return tuple(Line(text, Decimal(many), Decimal(price), Decimal(rate)) for text, many, price in lines)


OFFICE = ("Quillwort Ltd", "9 Tarn Row", "Fernley FE0 0XX", "United Kingdom")
WERK = ("Wiesel & Dachs Werke GmbH", "Am Holzweg 12", "00000 Nirgendheim")
ATELIER = ("Ateliers du Lichen SARL", "3, passage des Brumes", "00000 Sainte-Mousse")

GERMAN = Paper(
    "de",
    ("Haubenmeise Bürotechnik GmbH", "Lindenstieg 4", "00000 Musterbach", "USt-IdNr. DE000000000", "hallo@haubenmeise.example"),
    WERK, "RE-2026-0418", date(2026, 4, 18), date(2026, 5, 2),
    _lines("19", ("Aktenvernichter AV 40", "2", "189.00"), ("Kopierpapier A4, Karton", "12", "24.90"), ("Lieferung frei Haus", "1", "0.00")),
    due_as="14 Tage netto",
    notes=("Bei Zahlung innerhalb von 7 Tagen gewähren wir 2 % Skonto.", "IBAN DE00 0000 0000 0000 0000 00"),
)  # fmt: skip
ENGLISH = Paper(
    "en",
    ("Marsh Harrier Supplies Ltd", "Unit 7, Sedge Lane", "Otterbourne OT0 0ZZ", "VAT no. GB 000 0000 00", "accounts@marshharrier.example"),
    OFFICE, "MH/26/1073", date(2026, 3, 9), date(2026, 4, 8),
    (*_lines("20", ("Desk lamp, brushed steel", "6", "34.50"), ("Extension lead 5 m", "10", "11.25"), ("Trade discount 10 % on lamps", "1", "-20.70")),
     *_lines("0", ("Safety handbook (zero-rated)", "4", "18.00"))),
    "GBP", notes=("Please quote the invoice number with your payment.", "Sort code 00-00-00, account 00000000"),
)  # fmt: skip
FRENCH = Paper(
    "fr",
    ("Imprimerie du Héron Cendré SAS", "18, quai des Roseaux", "00000 Ville-Fictive", "N° TVA FR00000000000"),
    ATELIER, "F2026-00231", date(2026, 2, 16), date(2026, 3, 18),
    _lines("20", ("Brochures A5, 32 pages", "1500", "0.84"), ("Mise en page", "6.5", "62.00"), ("Livraison", "1", "45.00")),
    notes=("Paiement à 30 jours. Pénalités de retard : trois fois le taux légal ; indemnité forfaitaire : 40 €.",),
)  # fmt: skip
SPANISH = Paper(
    "es",
    ("Lucía Ficticia Traducciones", "Calle del Olivo Azul, 22", "00000 Villanada", "NIF 00000000-"),
    ("Garza Imaginaria, S. L.", "Avenida del Cuento, 5", "00000 Villanada"), "2026/047", date(2026, 6, 1), date(2026, 7, 1),
    _lines("21", ("Traducción técnica alemán-español, por palabra", "8450", "0.09"), ("Revisión, por hora", "4", "38.00")),
    after_total=(("Retención IRPF 15 %", "-136,88 €"), ("A pagar", "967,25 €")),
    notes=("Transferencia a ES00 0000 0000 0000 0000 0000",),
)  # fmt: skip
ITALIAN = Paper(
    "it",
    ("Officina Gatto Selvatico S.r.l.", "Via dei Faggi Storti 31", "00000 Borgo Inventato", "P. IVA 00000000000"),
    ("Cantina Volpe Rossa S.n.c.", "Strada Bianca 2", "00000 Borgo Inventato"), "148/A", date(2026, 5, 29), date(2026, 6, 30),
    (*_lines("22", ("Manutenzione nastro trasportatore", "7", "55.00"), ("Cuscinetti a sfera 6204", "16", "4.35")),
     *_lines("10", ("Pezzi di ricambio, aliquota ridotta", "1", "120.00"))),
    notes=("Pagamento: bonifico bancario 30 giorni data fattura.",),
)  # fmt: skip
DUTCH = Paper(
    "nl",
    ("Rietzanger Logistiek B.V.", "Veenkade 88", "0000 ZZ Nergenshuizen", "Btw-nr. NL000000000B00"),
    ("Zwaluwnest Handel BV", "Kerkpad 1", "0000 AA Nergenshuizen"), "26-3391", date(2026, 1, 30), date(2026, 2, 13),
    _lines("0", ("Transport pallets, rit 14", "22", "17.40"), ("Wachttijd per kwartier", "3", "12.50")),
    notes=("Btw verlegd naar afnemer.", "NL00 BANK 0000 0000 00"),
)  # fmt: skip
JAPANESE = Paper(
    "ja",
    ("株式会社みなと文具架空店", "架空県架空市青葉1-2-3", "登録番号 T0000000000000"),
    ("有限会社かえで製作所 御中", "架空県架空市桜町4-5-6"), "INV-R08-0112", date(2026, 7, 10), date(2026, 8, 31),
    (*_lines("10", ("事務机", "2", "24800"), ("回転椅子", "4", "13500")), *_lines("8", ("お茶(2L) ※軽減税率対象", "24", "168"))),
    "JPY", notes=("お振込先:架空銀行 本店 普通 0000000", "※は軽減税率(8 %)対象品目です。"),
)  # fmt: skip
PARTS = (
    "Hex bolt M8",
    "Washer 8 mm",
    "Lock nut M8",
    "Threaded rod 1 m",
    "Angle bracket",
    "Wood screw 5x60",
    "Rivet 4 mm",
)
LONG = Paper(
    "en",
    ("Pine Marten Fasteners Ltd", "Forge Street 40", "Ironbeck IB0 0AA", "VAT no. GB 000 0000 01"),
    OFFICE, "PM-88213", date(2026, 8, 3), date(2026, 9, 2),
    _lines("20", *((f"{PARTS[n % 7]}, box {n + 1:02d}", str(1 + n % 9), f"{3 + n * 37 % 50}.{n * 13 % 100:02d}") for n in range(44))),
    "GBP", notes=("Goods remain ours until paid for in full.",),
)  # fmt: skip
PHONE = Paper(
    "de",
    ("Kiebitz Telekom GmbH", "Funkweg 77", "00000 Senderstadt", "USt-IdNr. DE000000001"),
    WERK, "KT-551902-08", date(2026, 8, 31), date(2026, 9, 14),
    _lines("19", *((f"Anschluss {n:02d} Grundpreis", "1", f"{14 + n % 4}.95") for n in range(1, 19)),
           *((f"Anschluss {n:02d} Verbindungen", "1", f"{n * 7 % 9}.{n * 31 % 100:02d}") for n in (2, 5, 11))),
    notes=("Der Betrag wird zum genannten Tag abgebucht.",),
)  # fmt: skip
TURNED = replace(
    FRENCH, number="F2026-00305", issued=date(2026, 4, 2), due=date(2026, 5, 2),
    lines=_lines("20", ("Affiches 60 x 80", "250", "1.95"), ("Découpe", "1", "75.00")),
)  # fmt: skip
SIDEWAYS = replace(
    ENGLISH, number="MH/26/1188", issued=date(2026, 5, 11), due=date(2026, 6, 10),
    lines=_lines("20", ("Filing cabinet, 4 drawers", "3", "148.00"), ("Assembly", "3", "15.00")),
)  # fmt: skip
LANDSCAPE = replace(
    SPANISH, number="2026/062", issued=date(2026, 8, 20), due=date(2026, 9, 19), after_total=(),
    lines=_lines("21", ("Subtitulado, por minuto", "92", "6.50")),
)  # fmt: skip
CREDIT = replace(
    GERMAN, number="GS-2026-0031", issued=date(2026, 5, 6), due=date(2026, 5, 6), credit=True, due_as="sofort",
    lines=_lines("19", ("Rücknahme Aktenvernichter AV 40", "-1", "189.00"), ("Rücknahme Kopierpapier A4, Karton", "-2", "24.90")),
    notes=("Zu unserer Rechnung RE-2026-0418. Der Betrag wird Ihrem Konto gutgeschrieben.",),
)  # fmt: skip
E_INVOICE = replace(
    GERMAN, number="RE-2026-0502", issued=date(2026, 6, 15), due=date(2026, 6, 29), due_as="",
    lines=_lines("19", ("Monitor 27 Zoll", "4", "219.00"), ("Monitorarm", "4", "64.50"), ("Versand", "1", "14.90")),
)  # fmt: skip
DIFFERS = replace(
    FRENCH, number="F2026-00412", issued=date(2026, 6, 22), due=date(2026, 7, 22),
    lines=_lines("20", ("Cartes de visite, lot de 500", "4", "39.00"), ("Enveloppes imprimées, le mille", "2", "86.50")),
)  # fmt: skip
XML_OF_DIFFERS = replace(DIFFERS, number="F2026-00421", due=date(2026, 8, 22))  # the two that differ from the page
SCAN = replace(
    ENGLISH, language="en on scans", number="MH/26/1240", issued=date(2026, 6, 4), due=date(2026, 7, 4), notes=("Thank you for your order.",),
    lines=_lines("20", ("Whiteboard 120 x 90", "2", "86.00"), ("Marker set", "5", "7.40")),
)  # fmt: skip
FAX = Paper(
    "en on scans",
    ("Curlew Cleaning Services", "2 Heather Close", "Moorside MO0 0BB", "VAT no. GB 000 0000 02"),
    OFFICE, "0917", date(2026, 9, 17), date(2026, 10, 1),
    _lines("20", ("Office cleaning, September", "4", "95.00"), ("Window cleaning", "1", "60.00")),
    "GBP",
)  # fmt: skip
OCR = replace(
    SCAN, number="MH/26/1302", issued=date(2026, 7, 21), due=date(2026, 8, 20),
    lines=_lines("20", ("Paper shredder oil", "6", "9.80"), ("Label rolls", "20", "3.15")),
)  # fmt: skip
HALF_SCANNED = replace(
    ENGLISH, language="en on scans", number="MH/26/1377", issued=date(2026, 8, 12), due=date(2026, 9, 11),
    lines=_lines("20", ("Install shelving, labour", "8", "42.00"), ("Shelving units", "5", "118.00"), ("Skip hire, see page 2", "1", "230.00")),
)  # fmt: skip
LOCKED = replace(GERMAN, number="RE-2026-0533", issued=date(2026, 7, 1), due=date(2026, 7, 15))
OWNED = replace(ENGLISH, number="MH/26/1411", issued=date(2026, 9, 2), due=date(2026, 10, 2))
CUT = replace(GERMAN, number="RE-2026-0540", issued=date(2026, 7, 6), due=date(2026, 7, 20))
BLANK_LAST = replace(DUTCH, number="26-3402", issued=date(2026, 2, 27), due=date(2026, 3, 13))
MAILED = replace(
    ITALIAN, number="163/A", issued=date(2026, 6, 26), due=date(2026, 7, 31),
    lines=_lines("22", ("Revisione compressore", "3.5", "55.00"), ("Filtro aria", "2", "23.80")),
)  # fmt: skip
WRITTEN = replace(
    ENGLISH, number="MH/26/1450", issued=date(2026, 9, 28), due=date(2026, 10, 28),
    lines=_lines("20", ("Notice boards", "3", "44.00"), ("Fitting", "1", "35.00")),
)  # fmt: skip
SHEET = replace(
    DUTCH, number="26-3466", issued=date(2026, 4, 10), due=date(2026, 4, 24),
    lines=_lines("21", ("Opslag per pallet", "40", "3.25"), ("Handling", "12", "8.10")), notes=("NL00 BANK 0000 0000 00",),
)  # fmt: skip
