"""Rows of numbers as colours, blue below 0 and red above: HTML, since a chart renders ten times as slowly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from html import escape

import numpy as np

from transclipped.analysis import report
from transclipped.ui import charts
from transclipped.ui.codebooks.charts import DIVERGING
from transclipped.ui.components import strips as component

FULL = 98  # percentile of the absolute values that gets the full colour, so that outliers do not pale the rest
DARK = 0.75  # of the full colour, beyond which text on it is white
REM, CELL, LEAST, GAP = 16, 4, 900, 8  # pixels of a saved drawing: a rem, narrowest cell and row, gap between rows
BEFORE, AFTER, SQUARE = 120, 90, 20  # pixels for the name of a row, for the number after it, a side of a frame
INK, PAPER = "#1c2430", "#fff"


@dataclass(frozen=True, eq=False)
class HeatStrips:
    """Rows of coloured numbers.

    Attributes:
        values: `[m, n]` numbers.
        names: `[m]` of the rows, or none.
        what: name of a single number.
        height: of a row, in rem.
        limit: absolute value of the full colour; None adapts it to the values.
        written: whether the numbers are written into the cells.
        picked: `[m]` index in each row that is framed; its number follows the row.
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
        return max(1e-6, float(np.percentile(np.abs(self.values), FULL))) if self.limit is None else self.limit

    def _rows(self) -> Iterator[tuple[list[float], list[str]]]:
        """The numbers and colours of each row."""
        for numbers in self.values.astype(float):
            yield numbers.tolist(), colours(numbers / self._full)

    def html(self) -> str:
        """HTML for the page; each cell has its number as a tooltip."""
        lines = []
        for row, (numbers, shades) in enumerate(self._rows()):
            cells, after = list(map(self._cell, range(len(numbers)), numbers, shades)), ""
            if self.picked is not None:
                i = int(self.picked[row])
                cells[i] = cells[i].replace('class="', 'class="picked ', 1)
                after = f"<b>{_signed(f'{numbers[i]:+.3f}')}</b>"
            name = f"<span>{escape(self.names[row])}</span>" if self.names else ""
            lines.append(f'{name}<div class="strip" style="height: {self.height}rem">{"".join(cells)}</div>{after}')
        columns = " ".join(["auto"] * bool(self.names) + ["1fr"] + ["auto"] * (self.picked is not None))
        return f'<div class="rows" style="grid-template-columns: {columns}">{"".join(lines)}</div>'

    def svg(self) -> bytes:
        """An SVG drawing to save."""
        m, n = self.values.shape
        tall, left, width = REM * self.height, BEFORE * bool(self.names), max(CELL, LEAST / n)
        right, pitch = left + n * width, tall + GAP
        cells, above = [], []  # frames and texts are drawn above all cells
        for row, (numbers, shades) in enumerate(self._rows()):
            top, middle = row * pitch, row * pitch + tall / 2
            if self.names:
                above.append(_text(0, middle, self.names[row]))
            for i, (number, shade) in enumerate(zip(numbers, shades, strict=True)):
                x = left + i * width
                box = f'x="{x:.6g}" y="{top:.6g}" width="{width:.6g}" height="{tall:.6g}"'
                cells.append(f'<rect {box} fill="{shade}"><title>{self._label(i, number)}</title></rect>')
                if self.written:
                    ink = PAPER if self._dark(number) else INK
                    above.append(_text(x + width / 2, middle, _short(number), fill=ink, text_anchor="middle"))
            if self.picked is not None:
                i = int(self.picked[row])
                above.append(_frame(left + (i + 0.5) * width, middle))
                above.append(_text(right + 2 * GAP, middle, _signed(f"{numbers[i]:+.3f}"), font_weight="bold"))
        wide, high = right + AFTER * (self.picked is not None), m * pitch
        size = f'width="{wide:.6g}" height="{high:.6g}" viewBox="0 0 {wide:.6g} {high:.6g}"'
        start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="{REM}">'
        return f"{start}{''.join(cells + above)}</svg>".encode()

    def csv(self) -> bytes:
        """A table with a row for each number."""
        m, n = self.values.shape
        columns = {"line": np.repeat(self.names, n).tolist()} if self.names else {}
        return report.csv(columns | {"number": list(range(n)) * m, "value": self.values.ravel().tolist()})

    def _cell(self, i: int, number: float, shade: str) -> str:
        text, dark = _short(number) if self.written else "", "dark" if self._dark(number) else ""
        return f'<i class="{dark}" style="background:{shade}" title="{self._label(i, number)}">{text}</i>'

    def _label(self, i: int, number: float) -> str:
        return f"{escape(self.what)} {i}: {_signed(f'{number:.3f}')}"

    def _dark(self, number: float) -> bool:
        return abs(number) > DARK * self._full


def draw_numbers(run, values, names=(), *, key: str, **options) -> None:
    """Draw rows of numbers as colours, with buttons that save them."""
    strips = HeatStrips(values, names, **options)
    component.draw(strips.html(), key=f"strips {key}")
    with charts.saving(key):
        charts.offer(strips.svg, key=key, name=f"{run.name}-{key}", kind="svg", type="tertiary")
        charts.offer(strips.csv, key=key, name=f"{run.name}-{key}", type="tertiary")


def colours(shares: np.ndarray) -> list[str]:
    """Colours of numbers, clamped to [−1, 1], on the diverging scale of the Codebooks page."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in DIVERGING])  # [5, 3]
    places = [2 * place - 1 for place, _ in DIVERGING]
    channels = np.stack([np.interp(shares, places, channel) for channel in stops.T], axis=-1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in channels.tolist()]


def _text(x: float, middle: float, text: str, **style: str) -> str:
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in style.items())
    return f'<text x="{x:.6g}" y="{middle:.6g}" dy="0.35em"{attributes}>{escape(text)}</text>'


def _frame(x: float, y: float) -> str:
    """A square frame around a point, dark with a white edge as on the page."""
    box = f'x="{x - SQUARE / 2:.6g}" y="{y - SQUARE / 2:.6g}" width="{SQUARE}" height="{SQUARE}" fill="none"'
    return "".join(f'<rect {box} stroke="{ink}" stroke-width="{wide}"/>' for ink, wide in ((PAPER, 6), (INK, 4)))


def _short(number: float) -> str:
    return _signed(f"{round(number, 2) + 0:.2f}")  # no −0.00


def _signed(number: str) -> str:
    return number.replace("-", "−")
