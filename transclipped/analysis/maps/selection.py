"""The selection on a map: as a browser sends it, in a link, by class, and exported.

In a link a selection is `key.bits`: eight hexadecimal digits of the hash of the items' ids, which the same images have
on every machine, and one bit per item, compressed by zlib, in URL-safe base64. A selection of 10,000 items takes 1,700
characters at most. Whatever comes from a browser or a link is checked before it is used.
"""

import base64
import binascii
import hashlib
import zlib
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


def key_of(points: Items) -> str:
    """Hash of the items' ids."""
    return hashlib.sha256(f"{points.which} {points.ids.tolist()}".encode()).hexdigest()[:8]


def to_link(points: Items, rows: np.ndarray) -> str:
    """Selected rows as text for a link."""
    mask = np.zeros(len(points), bool)
    mask[rows] = True
    bits = zlib.compress(np.packbits(mask).tobytes(), 9)
    return f"{key_of(points)}.{base64.urlsafe_b64encode(bits).decode().rstrip('=')}"


def from_link(points: Items, text: str) -> np.ndarray | None:
    """Selected rows of a link, sorted; None if it is damaged, or about other items."""
    key, _, bits = text.partition(".")
    if key != key_of(points):
        return None
    size = -(-len(points) // 8)
    try:
        packed = base64.b64decode(bits + "=" * (-len(bits) % 4), altchars=b"-_", validate=True)
        mask = zlib.decompressobj().decompress(packed, size + 1)  # no more, whatever a link claims
    except (binascii.Error, ValueError, zlib.error):
        return None
    if len(mask) != size:
        return None
    return np.flatnonzero(np.unpackbits(np.frombuffer(mask, np.uint8))[: len(points)])


def class_counts(points: Items, rows: np.ndarray) -> list[tuple[int, int]]:
    """Classes among rows, as (class, number of images), most frequent first; each of several labels counts."""
    if points.labels is None:
        return []
    labels = points.labels[rows]
    classes = np.nonzero(labels)[1] if labels.ndim == 2 else labels[labels >= 0]
    names, counts = np.unique(classes, return_counts=True)
    order = np.lexsort((names, -counts))
    return list(zip(names[order].tolist(), counts[order].tolist(), strict=True))


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
