"""What a picture costs in tokens, by the rules that providers publish: formulas of its width and height. Pure.

Every rule gives what is expected, and a ceiling that holds where what was published and what was billed differ.
"""

import math
from collections.abc import Callable
from fractions import Fraction

from msgspec import Struct

PAGE_DPI = 150  # at which a page of a PDF is taken to be drawn where a provider does not say
POINTS_PER_INCH = 72
UNKNOWN_CEILING = 73_800  # OpenAI refuses beyond 30,000 patches; 2.46 tokens is the most that one of them costs
MOST_PATCHES = 30_000


class PageTokens(Struct, frozen=True):
    """Tokens of one picture. `ceiling`: never less than what can be billed."""

    expected: int
    ceiling: int


class Rule(Struct, frozen=True):
    """How one family of models counts: `image` by pixels, `page` by the pixels of a page drawn at PAGE_DPI.

    Sizes of 0 x 0 are not known, and cost the most. `text`: the text of a PDF is billed beside the pictures.
    """

    image: Callable[[int, int], PageTokens]
    page: Callable[[int, int], PageTokens]
    text: bool = True


def flat(expected: int, ceiling: int = 0) -> Callable[[int, int], PageTokens]:
    """The same for a picture of any size."""
    tokens = PageTokens(expected, max(expected, ceiling))
    return lambda _width, _height: tokens


def pixels_of(width_pt: float, height_pt: float) -> tuple[int, int]:
    """A page's size in pixels at PAGE_DPI; 0 x 0 where it has none."""
    if not (0 < width_pt < math.inf and 0 < height_pt < math.inf):
        return 0, 0
    return math.ceil(width_pt * PAGE_DPI / POINTS_PER_INCH), math.ceil(height_pt * PAGE_DPI / POINTS_PER_INCH)


def in_square(width: float, height: float, side: float) -> tuple[float, float]:
    """The size of a picture that is shrunk until no edge is longer than `side`."""
    factor = min(1.0, side / max(width, height))
    return width * factor, height * factor


# ── OpenAI ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Patches(Struct, frozen=True):
    """Patches of 32 pixels, as many as `budget`, at `times` tokens each; what exceeds the budget is shrunk to it.

    `most_times` and `most_budget`: the highest that was published or seen billed for the family.
    """

    times: Fraction
    budget: int
    most_times: Fraction
    most_budget: int

    def image(self, width: int, height: int) -> PageTokens:
        if width <= 0 or height <= 0:
            return PageTokens(self._tokens(self.budget), self._most(self.most_budget))
        return PageTokens(
            self._tokens(patches_in(*in_square(width, height, 2048), self.budget)),
            self._most(min(self.most_budget, (_steps(width, 32) + 1) * (_steps(height, 32) + 1))),
        )

    def low(self, width: int, height: int) -> PageTokens:
        """A page of which only a small picture is expected, and the largest is feared."""
        size = in_square(width, height, 512) if width > 0 and height > 0 else (512.0, 512.0)
        return PageTokens(self._tokens(patches_in(*size, self.budget)), self._most(self.most_budget))

    def high(self, width: int, height: int) -> PageTokens:
        """A page whose large picture is expected."""
        return PageTokens(self.image(width, height).expected, self._most(self.most_budget))

    def _tokens(self, patches: int) -> int:
        return math.ceil(patches * self.times)

    def _most(self, patches: int) -> int:
        return math.ceil(patches * max(self.times, self.most_times))


def patches_in(width: float, height: float, budget: int) -> int:
    """Patches that cover a picture, after it was shrunk to whole ones where they are more than the budget."""
    patches = _steps(width, 32) * _steps(height, 32)
    if patches <= budget:
        return patches
    factor = math.sqrt(budget * 32 * 32 / (width * height))
    across, down = width * factor / 32, height * factor / 32
    factor = min(max(1, int(across)) / across, max(1, int(down)) / down)
    return min(budget, _steps(across * factor, 1) * _steps(down * factor, 1))


class Tiles(Struct, frozen=True):
    """`base` tokens and `tile` for each 512 pixel tile: into a square of 2,048, then the short side to 768."""

    base: int
    tile: int

    def image(self, width: int, height: int) -> PageTokens:
        if width <= 0 or height <= 0:
            return PageTokens(self._tokens(6), self._tokens(8))
        inside = in_square(width, height, 2048)
        enlarged = min(768 / min(inside), 2048 / max(inside))  # whether small pictures are is not said
        expected, other = _tiles(inside, min(1.0, 768 / min(inside))), _tiles(inside, enlarged)
        return PageTokens(self._tokens(expected), self._tokens(max(expected, other)))

    def page(self, _width: int, _height: int) -> PageTokens:
        return PageTokens(self.base, self._tokens(8))

    def _tokens(self, tiles: int) -> int:
        return self.base + self.tile * tiles


def _tiles(size: tuple[float, float], factor: float) -> int:
    return _steps(size[0] * factor, 512) * _steps(size[1] * factor, 512)


# ── Anthropic ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Grid(Struct, frozen=True):
    """A token for each square of 28 pixels, of the largest picture within `edge` pixels and `most` tokens."""

    edge: int
    most: int
    slack: int = 16  # around a picture

    def image(self, width: int, height: int) -> PageTokens:
        if width <= 0 or height <= 0:
            return PageTokens(self.most, self.most + self.slack)
        ceiling = min(self.most, (_steps(width, 28) + 1) * (_steps(height, 28) + 1))
        return PageTokens(self._fitted(*in_square(width, height, self.edge)), ceiling + self.slack)

    def _fitted(self, width: float, height: float) -> int:
        low, high = 0.0, 1.0
        if _squares(width, height) <= self.most:
            return _squares(width, height)
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if _squares(width * middle, height * middle) <= self.most else (low, middle)
        return min(self.most, _squares(width * low, height * low))


def _squares(width: float, height: float) -> int:
    return max(1, _steps(width, 28)) * max(1, _steps(height, 28))


# ── Google and Amazon ───────────────────────────────────────────────────────────────────────────────────────────────


def google_tiles(width: int, height: int) -> PageTokens:
    """258 tokens up to 384 pixels; else for each tile: of 768 pixels, or of two thirds of the short side."""
    if width <= 0 or height <= 0:
        return PageTokens(6 * 258, UNKNOWN_CEILING)
    if max(width, height) <= 384:
        return PageTokens(258, 2 * 258)
    by_size = _steps(width, 768) * _steps(height, 768)
    side = max(256, min(768, int(min(width, height) / 1.5)))
    by_shape = _steps(width, side) * _steps(height, side)
    most = min(UNKNOWN_CEILING, 258 * max(10, by_size + 2, by_shape + 2))  # "256 + Pan & Scan (~2048)", and more
    return PageTokens(min(most, 258 * by_size), most)


def nova_pixels(width: int, height: int) -> PageTokens:
    """A token for some 623 pixels, of the picture enlarged to 900; up to 8,000 x 8,000 pixels."""
    if width <= 0 or height <= 0:
        return PageTokens(2600, 8000 * 8000 // 500)
    larger = max(1.0, 900 / max(width, height))
    pixels = min(8000 * 8000, width * height * larger * larger)
    return PageTokens(math.ceil(pixels / 623), max(1500, math.ceil(pixels / 400)))


def unknown_image(width: int, height: int) -> PageTokens:
    """Of a model whose rule is not known: a usual figure, and the most that anybody takes."""
    if width <= 0 or height <= 0:
        return PageTokens(2500, UNKNOWN_CEILING)
    return PageTokens(math.ceil(patches_in(*in_square(width, height, 2048), 1536) * Fraction("1.62")), UNKNOWN_CEILING)


def _steps(length: float, step: int) -> int:
    return math.ceil(round(length / step, 6))  # 47.0000000001 steps are 47
