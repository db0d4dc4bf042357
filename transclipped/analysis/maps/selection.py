"""What a hand picked out of a map, and its export. Whatever a browser sends is looked at before it is believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from transclipped.analysis.maps.items import Items


def row_of_id(shown: Items, name: str | None) -> int | None:
    """Row of the item whose id is spelled so, None if there is none."""
    found = np.flatnonzero(shown.ids.astype(str) == name) if name else ()
    return int(found[0]) if len(found) else None


def chosen(sent: Any, n: int) -> np.ndarray:
    """Rows that a browser says were chosen, sorted and each once; whatever is no row of n is passed over."""
    if not isinstance(sent, Iterable) or isinstance(sent, str | bytes | dict):
        return np.zeros(0, np.int64)
    rows = {int(r) for r in sent if isinstance(r, int | float) and not isinstance(r, bool) and r == r // 1}
    return np.array(sorted(r for r in rows if 0 <= r < n), np.int64)


def selection_table(shown: Items, rows: np.ndarray, class_names: list[str], maps: dict[str, np.ndarray]) -> dict:
    """Columns of an export: id, labels, code (hexadecimal), and the position on each map `[n, 2]`."""
    from transclipped.search.searcher import label_names

    table: dict[str, list] = {"id": shown.ids[rows].tolist()}
    if shown.labels is not None:
        table["labels"] = [";".join(label_names(shown.labels, int(row), class_names)) for row in rows]
    table["code"] = [shown.codes[row].tobytes().hex() for row in rows]
    for name, xy in maps.items():
        table[f"{name} x"], table[f"{name} y"] = xy[rows, 0].tolist(), xy[rows, 1].tolist()
    return table


def to_csv(table: dict[str, list]) -> bytes:
    """UTF-8 with a header; a cell is quoted where it must be."""
    import pandas as pd

    return pd.DataFrame(table, dtype=object).to_csv(index=False, lineterminator="\n").encode()


def to_parquet(table: dict[str, list]) -> bytes:
    """One row group, the columns of the table."""
    import pandas as pd

    return pd.DataFrame(table, dtype=object).to_parquet(index=False)
