"""Lines of numbers as colours: blue below 0, red above. Plain HTML, since a chart takes a browser ten times as long."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transclipped.analysis import report
from transclipped.ui.codebook_charts import DIVERGING

DULL = 98  # percentile of the numbers' size that takes the full colour, so that a few large ones do not pale the rest
DARK = 0.75  # of the full colour, beyond which numbers on it are white
CELL, LEAST, LINE, GAP = 4, 900, 40, 8  # pixels of a saved drawing: a number, all of a line, its height, below it
CSS = """<style>
.strips { display: grid; gap: 0.45rem 0.7rem; align-items: center; font-size: 0.95rem;
  font-variant-numeric: tabular-nums; }
.strip { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; container-type: inline-size; }
.strip i { min-width: 0; font-style: normal; text-align: center; align-content: center; color: #1c2430;
  font-size: min(0.95rem, 2.4cqw); }
.strip i.dark { color: #fff; }
.strip i.picked { position: relative; }
.strip i.picked::after { content: ""; position: absolute; width: 1.5rem; height: 1.5rem; top: calc(50% - 0.75rem);
  left: calc(50% - 0.75rem); box-sizing: border-box; border: 0.25rem solid #1c2430; outline: 1px solid #fff; }
</style>"""


def html(
    values: np.ndarray,
    names: Sequence[str] = (),
    *,
    what: str,
    height: float,
    limit: float | None = None,
    written: bool = False,
    picked: np.ndarray | None = None,
) -> str:
    """Lines of numbers `[m, n]` below each other; pointing at one tells it.

    Args:
        names: `[m]`, of the lines, or none.
        what: a number is called.
        height: of a line, in rem.
        limit: the number of the full colour; None suits it to the numbers.
        written: whether the numbers stand in the cells.
        picked: `[m]`, the place in each line that is framed, its number beside the line.
    """
    limit = limit or suited(values)
    lines = []
    for row, numbers in enumerate(values.astype(float)):
        cells = [
            _cell(number, colour, f"{what} {place}", written=written, dark=abs(number) > DARK * limit)
            for place, (number, colour) in enumerate(zip(numbers.tolist(), colours(numbers / limit), strict=True))
        ]
        beside = ""
        if picked is not None:
            at = int(picked[row])
            cells[at] = cells[at].replace('class="', 'class="picked ', 1)
            beside = f"<b>{_signed(f'{numbers[at]:+.3f}')}</b>"
        name = f"<span>{names[row]}</span>" if names else ""
        lines.append(f'{name}<div class="strip" style="height: {height}rem">{"".join(cells)}</div>{beside}')
    columns = " ".join(["auto"] * bool(names) + ["1fr"] + ["auto"] * (picked is not None))
    return f'{CSS}<div class="strips" style="grid-template-columns: {columns}">{"".join(lines)}</div>'


def svg(values: np.ndarray, names: Sequence[str] = (), *, what: str, limit: float | None = None, **_: object) -> bytes:
    """The same lines `[m, n]` as a drawing to save; of the other options of `html` it needs none."""
    limit = limit or suited(values)
    m, n = values.shape
    left, width = (120 if names else 0), max(CELL, LEAST / n)
    pieces = [f'<text x="0" y="{LINE * (row + 0.6)}">{name}</text>' for row, name in enumerate(names)]
    for row, numbers in enumerate(values.astype(float)):
        for place, (number, colour) in enumerate(zip(numbers.tolist(), colours(numbers / limit), strict=True)):
            box = f'x="{left + place * width:.6g}" y="{LINE * row}" width="{width:.6g}" height="{LINE - GAP}"'
            title = f"<title>{what} {place}: {_signed(f'{number:.3f}')}</title>"
            pieces.append(f'<rect {box} fill="{colour}">{title}</rect>')
    size = f'width="{left + n * width:.6g}" height="{LINE * m}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="16">'
    return f"{start}{''.join(pieces)}</svg>".encode()


def suited(values: np.ndarray) -> float:
    """The number of the full colour."""
    return max(1e-6, float(np.percentile(np.abs(values), DULL)))


def colours(shares: np.ndarray) -> list[str]:
    """Colours of numbers in [−1, 1], as on Codebooks; what lies outside has the colour of the end."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for _, colour in DIVERGING])  # [5, 3]
    places = [2 * place - 1 for place, _ in DIVERGING]
    channels = np.stack([np.interp(shares, places, channel) for channel in stops.T], axis=-1).round().astype(int)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in channels.tolist()]


def csv(values: np.ndarray, names: Sequence[str] = ()) -> bytes:
    """Lines of numbers `[m, n]` as a table, a line for each number."""
    m, n = values.shape
    columns = {"line": np.repeat(names, n).tolist()} if names else {}
    return report.csv(columns | {"number": list(range(n)) * m, "value": values.ravel().tolist()})


def _cell(number: float, colour: str, what: str, *, written: bool, dark: bool) -> str:
    said = _signed(f"{round(number, 2) + 0:.2f}") if written else ""
    title = f"{what}: {_signed(f'{number:.3f}')}"
    return f'<i class="{"dark" if dark else ""}" style="background:{colour}" title="{title}">{said}</i>'


def _signed(number: str) -> str:
    return number.replace("-", "−")
