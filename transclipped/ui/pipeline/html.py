"""HTML of the ladder: a column of hits for each ranking, with the numbers of each below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from transclipped.ui.styles import sheet
from transclipped.ui.text import visible

CSS = sheet(__file__)
FRAMES = "Solid blue: the query's class; dashed orange: another."
KINDS = {True: ("relevant", "same class"), False: ("irrelevant", "another class"), None: ("unknown", "class unknown")}


@dataclass(frozen=True)
class Cell:
    """A hit: its image as a data URL, its name, whether it is relevant, and the ranks it has gained, None if new."""

    image: str
    name: str
    relevant: bool | None
    move: int | None


@dataclass(frozen=True)
class Column:
    """A ranking: heading, its tooltip, hits, and numbers by name; `pair` says that it begins a new branch."""

    title: str
    about: str
    cells: Sequence[Cell]
    numbers: dict[str, str]


def ladder(columns: Sequence[Column], *, label: str, crisp: bool) -> str:
    """Columns from left to right; they scroll where the page is narrow."""
    inside = "".join(_column(column) for column in columns)
    kind = "rungs crisp" if crisp else "rungs"
    return f'{CSS}<div class="{kind}" role="group" aria-label="{escape(label)}" tabindex="0">{inside}</div>'


def row(cells: Sequence[Cell], *, label: str, crisp: bool) -> str:
    """Images in a row."""
    inside = "".join(_cell(cell, 0) for cell in cells)
    kind = "rungs-row crisp" if crisp else "rungs-row"
    return f'{CSS}<ol class="{kind}" aria-label="{escape(label)}">{inside}</ol>'


def figures(drawings: Sequence[tuple[str, str]], *, label: str) -> str:
    """Drawings as data URLs in a row, each with its words below."""
    texts = [(url, escape(visible(words))) for url, words in drawings]
    inside = "".join(
        f'<figure><img src="{url}" alt="{text}"><figcaption>{text}</figcaption></figure>' for url, text in texts
    )
    return f'{CSS}<div class="seen" role="group" aria-label="{escape(label)}">{inside}</div>'


def legend(names: Sequence[str], colours: Sequence[str]) -> str:
    """Names with the colour of each."""
    pairs = zip(names, colours, strict=True)
    inside = "".join(f'<li><i style="background: {colour}"></i>{escape(visible(name))}</li>' for name, colour in pairs)
    return f'{CSS}<ul class="seen-legend">{inside}</ul>'


def _column(column: Column) -> str:
    cells = "".join(_cell(cell, rank) for rank, cell in enumerate(column.cells, start=1))
    numbers = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in column.numbers.items())
    title = f'<h2 title="{escape(visible(column.about))}">{escape(visible(column.title))}</h2>'
    return f'<section class="rung">{title}<ol>{cells}</ol><dl>{numbers}</dl></section>'


def _cell(cell: Cell, rank: int) -> str:
    kind, words = KINDS[cell.relevant]
    place = f"rank {rank}, " if rank else ""
    about = escape(visible(f"{place}{cell.name}, {words}{_moved(cell.move)}"))
    image = f'<img src="{cell.image}" alt="{about}" title="{about}">' if cell.image else f"<small>{about}</small>"
    return f'<li class="{kind}" data-move="{_written(cell.move)}">{image}{_badge(cell.move)}</li>'


def _badge(move: int | None) -> str:
    if move == 0:
        return ""
    kind = "new" if move is None else "up" if move > 0 else "down"
    return f'<b class="{kind}" aria-hidden="true">{_written(move)}</b>'


def _written(move: int | None) -> str:
    return "new" if move is None else f"▲{move}" if move > 0 else f"▼{-move}" if move < 0 else ""


def _moved(move: int | None) -> str:
    if move is None:
        return ", new"
    return f", {'up' if move > 0 else 'down'} {abs(move)}" if move else ""
