"""What a page is drawn on: a PDF with text, a PDF with text that nobody sees, or a picture as a scanner makes it.

Places are in points from the lower left corner of an A4 page, as PDF has them.
"""

import io
import random
import time

from PIL import Image, ImageDraw, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4
MADE_ON = time.gmtime(1_767_225_600)  # 2026-01-01: the same bytes on every day
JAPANESE = "HeiseiMin-W3"  # a CID font that every reader has and no file embeds
PAPER, INK = 250, 25  # what a cheap scanner gives: gray, and no white


class PdfSheet:
    """Text in the fonts that need no embedding. `invisible`: render mode 3, as OCR leaves it on a scan."""

    def __init__(self, language="en", *, size=A4, invisible=False, turned=False, rotate=0):
        self._bytes = io.BytesIO()
        turned_back = size[::-1] if rotate % 180 else size  # reportlab turns the page's box with /Rotate; ours stays
        self._canvas = Canvas(self._bytes, pagesize=turned_back, invariant=1, pageCompression=1)
        self._canvas.setProducer("")
        self._fonts = ("Helvetica", "Helvetica-Bold")
        if language == "ja":
            pdfmetrics.registerFont(UnicodeCIDFont(JAPANESE))
            self._fonts = (JAPANESE, JAPANESE)
        self._mode, self._turned, self._rotate = 3 if invisible else 0, turned, rotate
        self._begin()

    def _begin(self):
        if self._turned:  # the content lies on its side, and no key of the page says so
            self._canvas.translate(WIDTH, 0)
            self._canvas.rotate(90)
            self._canvas.scale(WIDTH / HEIGHT, WIDTH / HEIGHT)
        if self._rotate:
            self._canvas.setPageRotation(self._rotate)

    def text(self, x, y, words, *, size=9.5, right=False, bold=False):
        font = self._fonts[bold]
        if right:
            x -= pdfmetrics.stringWidth(words, font, size)
        written = self._canvas.beginText(x, y)
        written.setTextRenderMode(self._mode)
        written.setFont(font, size)
        written.textOut(words)
        self._canvas.drawText(written)

    def rule(self, left, right, y):
        if not self._mode:
            self._canvas.line(left, y, right, y)

    def page(self):
        self._canvas.showPage()
        self._begin()

    def finished(self):
        """The file; a page that was begun and has nothing on it is not in it."""
        self._canvas.save()
        return self._bytes.getvalue()


class Picture:
    """A page as pixels, a little askew and not quite clean. `black`: two colours, as a fax has them."""

    def __init__(self, *, dpi=100, askew=0.0, black=False, specks=0):
        self._scale, self._dpi = dpi / 72, dpi
        self._image = Image.new("L", (round(WIDTH * self._scale), round(HEIGHT * self._scale)), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._askew, self._black, self._specks = askew, black, specks

    def text(self, x, y, words, *, size=9.5, right=False, bold=False):
        font = ImageFont.load_default(size * self._scale)
        place = (x * self._scale, (HEIGHT - y) * self._scale)
        self._draw.text(place, words, INK, font, anchor="rs" if right else "ls", stroke_width=0.5 if bold else 0)

    def rule(self, left, right, y):
        at = round((HEIGHT - y) * self._scale)
        self._draw.line((left * self._scale, at, right * self._scale, at), INK)

    def page(self):
        """A picture is one page."""

    def finished(self):
        """A PDF of one image, as scanners write them: CCITT G4 in two colours, JPEG in gray."""
        image = self._image.rotate(self._askew, Image.Resampling.BICUBIC, fillcolor=PAPER)
        chance = random.Random(self._specks)
        for _ in range(self._specks):
            place = chance.randrange(image.width), chance.randrange(image.height)
            image.putpixel(place, chance.randrange(90, 190))
        if self._black:
            image = image.point(lambda value: 255 * (value > 150)).convert("1", dither=Image.Dither.NONE)
        file = io.BytesIO()
        quality = {} if self._black else {"quality": 38}
        told = {"producer": "", "creationDate": MADE_ON, "modDate": MADE_ON}
        image.save(file, "PDF", resolution=self._dpi, **quality, **told)
        return file.getvalue()
