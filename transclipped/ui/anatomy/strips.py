"""Lines of numbers as colours: blue below 0, red above. Plain HTML, since a chart takes a browser ten times as long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property

import numpy as np

from transclipped.analysis import report
from transclipped.ui.codebooks.charts import DIVERGING
from transclipped.ui.styles import sheet

DULL = 98  # percentile of the numbers' size that takes the full colour, so that a few large ones do not pale the rest
DARK = 0.75  # of the full colour, beyond which numbers on it are white
REM, CELL, LEAST, GAP = 16, 4, 900, 8  # pixels of a saved drawing: a rem, a number, all of a line, below and beside it
BEFORE, AFTER, SQUARE = 120, 90, 20  # for a line's name, for the number beside it; a side of what frames a number
INK, PAPER = "#1c2430", "#fff"
CSS = sheet(__file__)


@dataclass(frozen=True, eq=False)
class Strips:
    """Lines of numbers below each other.

    Attributes:
        values: `[m, n]` numbers.
        names: `[m]`, of the lines, or none.
        what: a number is called.
        height: of a line, in rem.
        limit: the number of the full colour; None suits it to the numbers.
        written: whether the numbers stand in the cells.
        picked: `[m]`, the place in each line that is framed, its number beside the line.
    """

    values: np.ndarray
    names: Sequence[str] = ()
    _: KW_ONLY
    what: str
    height: float
    limit: float | None = None
    written: bool = False
    picked: np.ndarray | None = None

    @cached_property
    def _full(self) -> float:
        """The number of the full colour."""
        return max(1e-6, float(np.percentile(np.abs(self.values), DULL))) if self.limit is None else self.limit

    def _rows(self) -> Iterator[tuple[list[float], list[str]]]:
        """Numbers of a line and their colours."""
        for numbers in self.values.astype(float):
            yield numbers.tolist(), colours(numbers / self._full)

    def html(self) -> str:
        """For the page; pointing at a number tells it."""
        lines = []
        for row, (numbers, shades) in enumerate(self._rows()):
            cells = [
                self._cell(place, number, shade)
                for place, (number, shade) in enumerate(zip(numbers, shades, strict=True))
            ]
            beside = ""
            if self.picked is not None:
                at = int(self.picked[row])
                cells[at] = cells[at].replace('class="', 'class="picked ', 1)
                beside = f"<b>{_signed(f'{numbers[at]:+.3f}')}</b>"
            name = f"<span>{self.names[row]}</span>" if self.names else ""
            lines.append(f'{name}<div class="strip" style="height: {self.height}rem">{"".join(cells)}</div>{beside}')
        columns = " ".join(["auto"] * bool(self.names) + ["1fr"] + ["auto"] * (self.picked is not None))
        return f'{CSS}<div class="strips" style="grid-template-columns: {columns}">{"".join(lines)}</div>'

    def svg(self) -> bytes:
        """A drawing to save."""
        m, n = self.values.shape
        tall, left, width = REM * self.height, BEFORE * bool(self.names), max(CELL, LEAST / n)
        right, pitch = left + n * width, tall + GAP
        cells, above = [], []  # what is framed or written lies above all cells
        for row, (numbers, shades) in enumerate(self._rows()):
            top, middle = row * pitch, row * pitch + tall / 2
            if self.names:
                above.append(_text(0, middle, self.names[row]))
            for place, (number, shade) in enumerate(zip(numbers, shades, strict=True)):
                x = left + place * width
                box = f'x="{x:.6g}" y="{top:.6g}" width="{width:.6g}" height="{tall:.6g}"'
                cells.append(f'<rect {box} fill="{shade}"><title>{self._told(place, number)}</title></rect>')
                if self.written:
                    ink = PAPER if self._dark(number) else INK
                    above.append(_text(x + width / 2, middle, _short(number), fill=ink, text_anchor="middle"))
            if self.picked is not None:
                at = int(self.picked[row])
                above.append(_frame(left + (at + 0.5) * width, middle))
                above.append(_text(right + 2 * GAP, middle, _signed(f"{numbers[at]:+.3f}"), font_weight="bold"))
        wide, high = right + AFTER * (self.picked is not None), m * pitch
        size = f'width="{wide:.6g}" height="{high:.6g}" viewBox="0 0 {wide:.6g} {high:.6g}"'
        start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="{REM}">'
        return f"{start}{''.join(cells + above)}</svg>".encode()

    def csv(self) -> bytes:
        """A table with a line for each number."""
        m, n = self.values.shape
        columns = {"line": np.repeat(self.names, n).tolist()} if self.names else {}
        return report.csv(columns | {"number": list(range(n)) * m, "value": self.values.ravel().tolist()})

    def _cell(self, place: int, number: float, shade: str) -> str:
        said, dark = _short(number) if self.written else "", "dark" if self._dark(number) else ""
        return f'<i class="{dark}" style="background:{shade}" title="{self._told(place, number)}">{said}</i>'

    def _told(self, place: int, number: float) -> str:
        return f"{self.what} {place}: {_signed(f'{number:.3f}')}"

    def _dark(self, number: float) -> bool:
        return abs(number) > DARK * self._full


def colours(shares: np.ndarray) -> list[str]:
    """Colours of numbers in [−1, 1], as on Codebooks; what lies outside has the colour of the end."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in DIVERGING])  # [5, 3]
    places = [2 * place - 1 for place, _ in DIVERGING]
    channels = np.stack([np.interp(shares, places, channel) for channel in stops.T], axis=-1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in channels.tolist()]


def _text(x: float, middle: float, said: str, **look: str) -> str:
    looks = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in look.items())
    return f'<text x="{x:.6g}" y="{middle:.6g}" dy="0.35em"{looks}>{said}</text>'


def _frame(x: float, y: float) -> str:
    """A square around a place, dark with a white edge as on the page."""
    box = f'x="{x - SQUARE / 2:.6g}" y="{y - SQUARE / 2:.6g}" width="{SQUARE}" height="{SQUARE}" fill="none"'
    return "".join(f'<rect {box} stroke="{ink}" stroke-width="{wide}"/>' for ink, wide in ((PAPER, 6), (INK, 4)))


def _short(number: float) -> str:
    return _signed(f"{round(number, 2) + 0:.2f}")  # no −0.00


def _signed(number: str) -> str:
    return number.replace("-", "−")
