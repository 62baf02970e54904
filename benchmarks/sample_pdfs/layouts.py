"""How an invoice is laid out: head, table and sums; on one page, over two, or in three columns."""

from sheets import HEIGHT, WIDTH

LEFT, RIGHT, TOP = 56, WIDTH - 56, HEIGHT - 60
AT = (330, 420, RIGHT)  # right edges of quantity, price and amount
LINES_A_PAGE, STEP = 30, 15


def one_after_another(sheet, paper):
    """The usual page; a table that is too long goes on with what was carried forward."""
    head(sheet, paper)
    y, sum_so_far = 560, 0
    for start in range(0, len(paper.lines), LINES_A_PAGE):
        if start:
            sheet.text(AT[0] - 60, y - 6, paper.words.carried)
            sheet.text(RIGHT, y - 6, paper.words.cash(sum_so_far), right=True)
            sheet.page()
            sheet.text(LEFT, TOP, f"{paper.sender[0]}  {paper.words.number} {paper.number}  2/2")
            y = TOP - 40
            sheet.text(AT[0] - 60, y, paper.words.carried)
            sheet.text(RIGHT, y, paper.words.cash(sum_so_far), right=True)
            y -= STEP
        part = paper.lines[start : start + LINES_A_PAGE]
        y = table(sheet, paper, part, y)
        sum_so_far += sum(paper.amount(line) for line in part)
    sums(sheet, paper, y - 8)


def head(sheet, paper):
    words, title = paper.words, paper.words.credit_note if paper.credit else paper.words.invoice
    sheet.text(LEFT, TOP, paper.sender[0], size=13, bold=True)
    for number, line in enumerate(paper.sender[1:]):
        sheet.text(LEFT, TOP - 16 - 12 * number, line, size=8.5)
    for number, line in enumerate(paper.receiver):
        sheet.text(LEFT, TOP - 84 - 13 * number, line)
    sheet.text(LEFT, 622, title, size=16, bold=True)
    told = (
        (words.number, paper.number),
        (words.issued, words.day(paper.issued)),
        (words.due, paper.due_as or words.day(paper.due)),
    )
    for number, (label, value) in enumerate(told):
        sheet.text(330, TOP - 84 - 13 * number, f"{label}:")
        sheet.text(RIGHT, TOP - 84 - 13 * number, value, right=True)


def table(sheet, paper, lines, y):
    """Returns where the next thing goes."""
    words = paper.words
    sheet.text(LEFT, y, words.item, bold=True)
    for right, label in zip(AT, (words.quantity, words.price, words.amount), strict=True):
        sheet.text(right, y, label, right=True, bold=True)
    sheet.rule(LEFT, RIGHT, y - 5)
    for line in lines:
        y -= STEP
        sheet.text(LEFT, y - 4, line.description)
        cells = (words.how_many(line.quantity), words.figure(line.price), words.figure(paper.amount(line)))
        for right, cell in zip(AT, cells, strict=True):
            sheet.text(right, y - 4, cell, right=True)
    sheet.rule(LEFT, RIGHT, y - 10)
    return y - 22


def sums(sheet, paper, y):
    words = paper.words
    taxes = [(words.tax.format(words.how_many(rate)), words.cash(tax)) for rate, tax in paper.taxes.items()]
    below = [(label, value) for label, value in paper.after_total]
    lines = [(words.net, words.cash(paper.net)), *taxes, (words.gross, words.cash(paper.gross)), *below]
    for label, value in lines:
        bold = label == words.gross
        sheet.text(AT[0], y, label, bold=bold)
        sheet.text(RIGHT, y, value, right=True, bold=bold)
        y -= STEP
    for note in paper.notes:
        y -= 13
        sheet.text(LEFT, y, note, size=8.5)


def three_columns(sheet, paper):
    """As telephone bills have it: the items run down three columns, a description and an amount in each."""
    head(sheet, paper)
    width, high = (RIGHT - LEFT) / 3, -(-len(paper.lines) // 3)
    for number, line in enumerate(paper.lines):
        x, y = LEFT + number // high * width, 585 - STEP * (number % high)
        sheet.text(x, y, line.description, size=7.5)
        sheet.text(x + width - 14, y, paper.words.figure(paper.amount(line)), size=7.5, right=True)
    sums(sheet, paper, 585 - STEP * (high + 1))


def first_of_two(sheet, paper):
    """A page that says nothing of sums: they are on the next one."""
    head(sheet, paper)
    table(sheet, paper, paper.lines[:-1], 560)
    sheet.text(LEFT, 470, "Continued on page 2")


def second_of_two(sheet, paper):
    sheet.text(LEFT, TOP, f"{paper.sender[0]}  {paper.words.number} {paper.number}  page 2 of 2")
    y = table(sheet, paper, paper.lines[-1:], TOP - 40)
    sums(sheet, paper, y - 8)
    sheet.text(LEFT, 300, "Received in good order: (signature)")
