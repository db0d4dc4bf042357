"""A report as one HTML file without external resources: texts, tables, and figures with plotly.js inlined once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from transclipped.analysis.tables import text

STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
NUMBER = ' class="number"'
HEIGHT = 420  # pixels, unless the figure has its own


@dataclass(frozen=True)
class Table:
    """Columns by name, all of one length."""

    columns: dict[str, Sequence[Any]]


@dataclass(frozen=True)
class Text:
    """A paragraph, a heading (`kind` "h2"), a note, or a command ("pre")."""

    text: str
    kind: str = "p"


def html(title: str, blocks: Iterable[Text | Table | go.Figure]) -> str:
    """The whole file as text, UTF-8."""
    body = "\n".join(_block(block, number) for number, block in enumerate(blocks))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>\n'
        f"<script>{get_plotlyjs()}</script></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def csv(columns: dict[str, Sequence[Any]]) -> bytes:
    """UTF-8 CSV with a byte-order mark for spreadsheets; None is an empty cell."""
    table = pd.DataFrame(columns, dtype=object)  # keeps whole numbers whole in a column with None
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def _block(block: Text | Table | go.Figure, number: int) -> str:
    if isinstance(block, go.Figure):
        height = block.layout.height or HEIGHT
        options = {"full_html": False, "include_plotlyjs": False, "config": {"displaylogo": False, "responsive": True}}
        return block.to_html(**options, div_id=f"figure-{number}", default_height=f"{height}px")
    if isinstance(block, Table):
        return _table(block.columns)
    if block.kind == "note":
        return f'<p class="note">{escape(block.text)}</p>'
    return f"<{block.kind}>{escape(block.text)}</{block.kind}>"


def _table(columns: dict[str, Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = ("".join(map(_cell, row)) for row in zip(*columns.values(), strict=True))
    lines = "\n".join(f"<tr>{cells}</tr>" for cells in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cell(value: Any) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"<td{NUMBER if number else ''}>{escape(text(value))}</td>"
