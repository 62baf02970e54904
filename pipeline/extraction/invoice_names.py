"""What people call the terms of an invoice in their schemas, in eight languages. Data.

Of a name only what is surely meant stands here: `reference`, `company` or `id` may be anybody's. Where a name may mean
one of several facts, all of them are given. Facts are those of `pipeline.reader.einvoice`.
"""

from typing import NamedTuple


class Meaning(NamedTuple):
    """`kind`: how values are compared. `facts`: any of them may be meant."""

    kind: str
    facts: tuple[str, ...]


_SELLER = "seller supplier vendor lieferant verkaufer rechnungssteller fournisseur vendeur emetteur proveedor vendedor"
_SELLER += " emisor fornitore cedente venditore fornecedor leverancier verkoper leverantor sprzedawca dostawca"
_BUYER = "buyer customer client kunde kaufer rechnungsempfanger acheteur cliente comprador cessionario acquirente koper"
_BUYER += " klant kund nabywca destinataire bill_to billed_to"
SELLERS, BUYERS = frozenset(_SELLER.split()), frozenset(_BUYER.split())
_LINES = "lines line_items items positions invoice_lines positionen rechnungspositionen posten lignes lignes_facture"
_LINES += " lineas lineas_factura partidas righe linee voci linhas itens regels factuurregels rader fakturarader"
_LINES += " pozycje"
LINES = frozenset(_LINES.split())
ADDRESSES = frozenset({"address", "adresse", "anschrift", "direccion", "indirizzo", "endereco", "adres"})
_SAME = "invoice header document totals total amounts summary dates payment payment_details bank bank_details rechnung"
_SAME += " kopf summen betrage zahlung facture entete totaux montants paiement factura cabecera totales importes pago"
_SAME += " fattura testata totali pagamento fatura totais factuur totalen betaling faktura belopp"
SAME = frozenset(_SAME.split())  # objects that group terms and mean nothing by themselves

_HEAD: dict[tuple[str, ...], str] = {
    ("id", "number"): "number invoice_number invoice_no invoice_nr invoice_id invoice_num document_number bill_number"
    " credit_note_number rechnungsnummer rechnungs_nummer rechnungs_nr rechnungsnr rechnung_nr belegnummer"
    " numero_facture numero_de_facture no_facture num_facture numero_factura numero_de_factura num_factura"
    " numero_fattura numero_della_fattura numero_fatura numero_da_fatura factuurnummer fakturanummer numer_faktury",
    ("date", "issued_on"): "issued_on issue_date issued date_issued date_of_issue invoice_date billing_date"
    " rechnungsdatum ausstellungsdatum date_facture date_de_facture date_facturation date_emission fecha_factura"
    " fecha_de_factura fecha_emision fecha_de_emision data_fattura data_emissione data_da_fatura data_emissao"
    " factuurdatum fakturadatum data_wystawienia",
    ("date", "issued_on", "delivered_on"): "date datum fecha data document_date belegdatum",
    ("date", "due_on"): "due_on due_date due payment_due payment_due_date pay_by payable_by falligkeit falligkeitsdatum"
    " fallig fallig_am fallig_bis zahlbar_bis zahlbar_am date_echeance date_d_echeance echeance"
    " fecha_vencimiento fecha_de_vencimiento vencimiento"
    " data_scadenza scadenza data_de_vencimento vencimento vervaldatum forfallodatum termin_platnosci",
    ("date", "delivered_on"): "delivered_on delivery_date date_of_delivery supply_date lieferdatum leistungsdatum"
    " date_livraison date_de_livraison fecha_entrega fecha_de_entrega data_consegna leverdatum leveransdatum",
    ("currency", "currency"): "currency currency_code iso_currency ccy wahrung wahrungscode devise code_devise moneda"
    " divisa valuta moeda waluta",
    (
        "amount",
        "net",
    ): "net net_total total_net net_amount amount_net total_before_tax total_excl_tax total_excluding_tax"
    " total_without_tax netto nettobetrag netto_betrag nettosumme gesamt_netto netto_gesamt gesamtbetrag_netto"
    " summe_netto rechnungsbetrag_netto total_netto total_ht montant_ht ht"
    " base_imponible total_sin_iva imponibile totale_imponibile totale_netto totaal_excl totaal_exclusief_btw",
    ("amount", "line_total"): "line_total lines_total total_lines sum_of_lines positionssumme summe_der_positionen"
    " summe_positionen warenwert total_lignes total_des_lignes total_lineas totale_righe totaal_regels",
    ("amount", "net", "line_total"): "subtotal sub_total zwischensumme sous_total subtotale subtotaal",
    (
        "tax",
        "tax",
    ): "tax tax_total total_tax tax_amount amount_tax vat vat_total total_vat vat_amount sales_tax taxes mwst"
    " mwst_betrag steuer steuerbetrag umsatzsteuer ust ust_betrag mehrwertsteuer tva montant_tva total_tva iva"
    " importe_iva total_iva cuota_iva imposta totale_iva btw btw_bedrag moms momsbelopp",
    ("amount", "gross"): "gross gross_total total_gross gross_amount amount_gross total_incl_tax total_including_tax"
    " total_with_tax grand_total brutto bruttobetrag bruttosumme gesamt_brutto brutto_gesamt gesamtbetrag_brutto"
    " summe_brutto rechnungsbetrag_brutto total_brutto total_ttc montant_ttc ttc"
    " total_con_iva totaal_incl totaal_inclusief_btw",
    ("amount", "gross", "payable", "net"): "total total_amount amount invoice_total invoice_amount total_price summe"
    " gesamt gesamtbetrag gesamtsumme rechnungsbetrag endbetrag montant montant_total importe importe_total totale"
    " importo importo_totale totaal totaalbedrag summa",
    ("amount", "payable", "gross"): "amount_due total_due due_amount amount_payable payable payable_amount balance_due"
    " amount_to_pay to_pay zahlbetrag zu_zahlen zu_zahlender_betrag offener_betrag net_a_payer montant_a_payer"
    " reste_a_payer total_a_pagar importe_a_pagar totale_da_pagare da_pagare te_betalen att_betala do_zaplaty",
    ("id", "order_number"): "order_number purchase_order po po_number purchase_order_number order_no order_id"
    " bestellnummer bestell_nr auftragsnummer numero_commande numero_de_commande bon_de_commande numero_pedido"
    " numero_de_pedido numero_ordine ordernummer bestelnummer",
    ("id", "seller_iban"): "iban seller_iban supplier_iban vendor_iban payee_iban",
    ("kind", "type_code"): "kind document_type doc_type invoice_type belegart dokumenttyp type_document tipo_documento",
}
_PARTY: dict[tuple[str, str], str] = {
    ("name", "name"): "name company_name company legal_name full_name firma firmenname nom raison_sociale nombre"
    " razon_social nome ragione_sociale naam namn nazwa",
    ("id", "vat_id"): "vat_id vat_number vat_no vat_reg_no ust_id ust_idnr ustid umsatzsteuer_id numero_tva tva_id"
    " tva_intracommunautaire nif_iva vat_nif partita_iva btw_nummer momsnummer",
    ("name", "street"): "street street_address address_line1 address_line_1 line1 strasse rue calle via straat",
    ("id", "postcode"): "postcode postal_code zip zip_code plz postleitzahl code_postal codigo_postal cap postnummer",
    ("name", "city"): "city town ort stadt ville ciudad citta cidade plaats stad ort miasto",
    ("country", "country"): "country country_code land landercode pays code_pays pais paese",
}
_LINE: dict[tuple[str, ...], str] = {
    (
        "words",
        "description",
    ): "description name item product item_name product_name designation bezeichnung beschreibung"
    " artikel artikelbezeichnung libelle descripcion concepto descrizione descricao omschrijving beskrivning opis",
    (
        "quantity",
        "quantity",
    ): "quantity qty menge anzahl stuckzahl quantite cantidad quantita quantidade aantal antal ilosc",
    (
        "price",
        "unit_price",
    ): "unit_price price_per_unit price_each unit_cost einzelpreis stuckpreis preis prix_unitaire pu"
    " precio_unitario prezzo_unitario preco_unitario stukprijs eenheidsprijs a_pris cena_jednostkowa",
    ("price", "net"): "amount total line_total total_price net net_amount line_amount betrag gesamtpreis gesamt netto"
    " nettobetrag montant montant_ht total_ht importe importo totale bedrag totaal belopp wartosc",
    ("rate", "tax_rate"): "tax_rate vat_rate tax_percent vat_percent mwst_satz steuersatz ust_satz taux_tva tipo_iva"
    " aliquota aliquota_iva btw_tarief btw_percentage momssats",
}


def _by_name(table: dict[tuple[str, ...], str]) -> dict[str, Meaning]:
    return {name: Meaning(terms[0], terms[1:]) for terms, names in table.items() for name in names.split()}


def _of_party(who: str, words: frozenset[str]) -> tuple[dict[str, Meaning], dict[str, Meaning]]:
    """By name within an object that is the party; and by name beside all else: seller_name, supplier."""
    inside = {
        name: Meaning(kind, (f"{who}_{fact}", *((f"{who}_trade_name",) if fact == "name" else ())))
        for (kind, fact), names in _PARTY.items()
        for name in names.split()
    }
    beside = {f"{word}_{name}": meaning for word in words for name, meaning in inside.items()}
    return inside, beside | dict.fromkeys(words, inside["name"])


SELLER, _SELLER_BESIDE = _of_party("seller", SELLERS)
BUYER, _BUYER_BESIDE = _of_party("buyer", BUYERS)
SELLER = {**SELLER, "iban": Meaning("id", ("seller_iban",))}
HEAD = {**_SELLER_BESIDE, **_BUYER_BESIDE, **_by_name(_HEAD)}
LINE = _by_name(_LINE)
