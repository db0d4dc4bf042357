"""The selection on a map, and its export. Whatever a browser sends is checked before it is used."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from transclipped.analysis.maps.store import Items


def row_of_id(points: Items, name: str | None) -> int | None:
    """Row of the item with this id as text; None if missing."""
    rows = np.flatnonzero(points.ids.astype(str) == name) if name else ()
    return int(rows[0]) if len(rows) else None


def chosen(sent: Any, n: int) -> np.ndarray:
    """Selected rows out of n as a browser sent them, sorted and unique; anything else is ignored."""
    if not isinstance(sent, Iterable) or isinstance(sent, str | bytes | dict):
        return np.zeros(0, np.int64)
    rows = {int(r) for r in sent if isinstance(r, int | float) and not isinstance(r, bool) and r == r // 1}
    return np.array(sorted(r for r in rows if 0 <= r < n), np.int64)


def selection_table(points: Items, rows: np.ndarray, class_names: list[str], maps: dict[str, np.ndarray]) -> dict:
    """Columns of an export: id, labels, code (hexadecimal), and the position on each map `[n, 2]`."""
    from transclipped.search.searcher import label_names

    table: dict[str, list] = {"id": points.ids[rows].tolist()}
    if points.labels is not None:
        table["labels"] = [";".join(label_names(points.labels, int(row), class_names)) for row in rows]
    table["code"] = [points.codes[row].tobytes().hex() for row in rows]
    for name, xy in maps.items():
        table[f"{name} x"], table[f"{name} y"] = xy[rows, 0].tolist(), xy[rows, 1].tolist()
    return table


def to_csv(table: dict[str, list]) -> bytes:
    """UTF-8 with a header; cells are quoted as needed."""
    import pandas as pd

    return pd.DataFrame(table, dtype=object).to_csv(index=False, lineterminator="\n").encode()


def to_parquet(table: dict[str, list]) -> bytes:
    """One row group, the columns of the table."""
    import pandas as pd

    return pd.DataFrame(table, dtype=object).to_parquet(index=False)
