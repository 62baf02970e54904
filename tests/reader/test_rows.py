from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reader.rows import Word, text_of


def words(*lines, height=12.0):
    """Of (x, y, text): each character 5 points wide."""
    return [Word(text, x, x + 5.0 * len(text), float(y), height, place) for place, (x, y, text) in enumerate(lines)]


def test_a_row_is_one_line_in_whatever_order_it_was_drawn():
    drawn_by_column = words((50, 700, "Paper"), (50, 680, "Pens"), (300, 700, "10,00"), (300, 680, "7,00"))
    assert text_of(drawn_by_column) == "Paper  10,00\nPens  7,00"


def test_near_baselines_are_one_row_and_tight_lines_are_two():
    assert text_of(words((50, 700, "120"), (70, 704, "2"), (200, 699, "m"))) == "120 2  m"
    tight = words((50, 700, "first"), (50, 695, "second"), height=11.0)
    assert text_of(tight) == "first\nsecond"


def test_gaps_between_paragraphs_are_empty_lines():
    assert text_of(words((50, 700, "one"), (50, 686, "two"), (50, 640, "three"))) == "one\ntwo\n\nthree"


def test_pieces_of_a_word_are_one():
    pieces = words((50, 700, "R"), (55.2, 700, "echnung"))
    pieces[1].place = 7  # drawn elsewhere
    assert text_of(pieces) == "Rechnung"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("Rechnungs\x02", "nummer", "Rechnungsnummer"),
        ("Rechnungs\ufffe", "nummer", "Rechnungsnummer"),
        ("Rechnungs\xad", "nummer", "Rechnungsnummer"),
        ("Factur\x02", "X", "Factur-X"),
        ("2019\x02", "05", "2019-05"),
        ("Ein\x02", "und", "Ein-\nund"),
    ],
)
def test_words_that_a_line_divides_are_joined(first, second, told):
    assert text_of(words((50, 700, first), (50, 686, second))) == told


def test_a_hyphen_whose_rest_is_not_below_stays():
    assert text_of(words((50, 700, "a\x02"), (300, 700, "b"))) == "a-  b"
    assert text_of(words((50, 700, "a\x02"))) == "a-"
    assert text_of(words((50, 700, "\x02"))) == "-"


def test_lines_of_hebrew_begin_at_the_right():
    assert text_of(words((50, 700, "שלום"), (100, 700, "לכם"))) == "לכם  שלום"


PROSE = "the quick brown fox jumps over a lazy dog"


def prose(x, y, mark):
    line, at = [], x
    for word in (mark, *PROSE.split()):
        line.append((at, y, word))
        at += 5 * len(word) + 4
    return line


def column(x, mark, top=700, lines=6):
    return [word for line in range(lines) for word in prose(x, top - 14 * line, f"{mark}{'abcdefghijkl'[line]}")]


def marks(text, which):
    return [word for word in text.split() if len(word) == 2 and word[0] in which]


@pytest.mark.parametrize("shift", [0, 5], ids=["on one baseline", "on others"])
def test_columns_of_prose_are_read_one_after_the_other(shift):
    title = [(50, 740, "A" * 90)]
    two = column(50, "l") + column(310, "r", 700 - shift)
    told = text_of(words(*title, *two))
    assert told.startswith("A" * 90)
    assert marks(told, "lr") == [f"{side}{line}" for side in "lr" for line in "abcdef"]


def test_three_columns_are_read_in_turn():
    told = text_of(words(*column(40, "l"), *column(300, "m"), *column(560, "r")))
    assert marks(told, "lmr") == [f"{side}{line}" for side in "lmr" for line in "abcdef"]


def test_a_line_over_both_columns_divides_them():
    above, below = column(50, "l") + column(310, "r"), column(50, "s", 550) + column(310, "t", 550)
    told = text_of(words(*above, (50, 600, "B" * 100), *below))
    assert marks(told, "lrst") == [f"{side}{line}" for side in "lrst" for line in "abcdef"]


def test_a_table_with_long_descriptions_keeps_its_rows():
    table = [word for n in range(8) for word in [*prose(50, 700 - 14 * n, f"d{n}"), (350, 700 - 14 * n, f"{n}0,00")]]
    assert all(line.startswith("d") and line.endswith("0,00") for line in text_of(words(*table)).split("\n"))


def test_labels_and_their_values_stay_together():
    form = [
        word
        for n, label in enumerate(["Buyer of goods", "Place of delivery", "Terms of payment", "Mode of transport"] * 2)
        for word in (
            *[(50 + 45 * k, 700 - 14 * n, part) for k, part in enumerate(label.split())],
            (300, 700 - 14 * n, "X"),
        )
    ]
    assert all(line.endswith("X") for line in text_of(words(*form)).split("\n"))


LABELS = [
    "Name and place of the buyer", "Date of order", "Place of any later delivery", "Terms of payment",
    "Mode of the transport", "Name of who packed it all",
]  # fmt: skip


def spread(x, y, told):
    placed = []
    for word in told.split():
        placed.append((x, y, word))
        x += 5 * len(word) + 4
    return placed


@pytest.mark.parametrize(
    "labels",
    [LABELS, [f"{label[:17]}:" for label in LABELS], ["Alpha", "Gamma", "Delta", "Kappa", "Theta", "Omega"]],
    ids=["of any length", "with a colon", "of one word"],
)
def test_labels_and_long_values_stay_together(labels):
    rows = [
        spread(50, 700 - 14 * n, label) + spread(250, 700 - 14 * n, f"{PROSE} {PROSE}")
        for n, label in enumerate(labels)
    ]
    assert [line.partition("  ")[0] for line in text_of(words(*chain(*rows))).split("\n")] == labels


def test_amounts_written_with_blanks_are_no_prose():
    rows = [spread(50, 700 - 14 * n, PROSE) + spread(350, 700 - 14 * n, f"1 23{n} 567 EUR") for n in range(6)]
    assert all(line.endswith("567 EUR") for line in text_of(words(*chain(*rows))).split("\n"))


PLACED = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 800), st.text("abcXYZ019,-€", min_size=1, max_size=8)), max_size=60
)


@given(PLACED, st.sampled_from([6.0, 12.0, 30.0]))
def test_no_character_is_lost_or_added(placed, height):
    told = text_of(words(*placed, height=height))
    assert sorted("".join(told.split())) == sorted("".join(text for _, _, text in placed))


@given(PLACED)
def test_lines_go_down_and_words_to_the_right(placed):
    """Of words far enough from each other: one to a place of a grid."""
    grid = {(x // 50 * 60, y // 20 * 20): text for x, y, text in placed}
    told = text_of(words(*((x, y, text) for (x, y), text in grid.items())))
    rows = sorted({y for _, y in grid}, reverse=True)
    lines = [line.split() for line in told.split("\n") if line]
    assert lines == [[text for (_, at), text in sorted(grid.items()) if at == y] for y in rows]
