"""What the visitor chose on a map: messages of the browser, which the address repeats, so that a link reproduces them.

`?point=` is the id of the image that is the query, `?selection=` the selected images (see `maps.selection`), `?large=`
the large map, `?near=` the embedding whose neighbours are listed, and `?k=` how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps import selection as map_selection
from transclipped.analysis.maps.projections import BACKBONE, CONTINUOUS, KINDS, QUANTIZED
from transclipped.analysis.maps.store import Items
from transclipped.ui import absent

POINT, SELECTION, LARGE, NEAR, K = "point", "selection", "large", "near", "k"  # in the address
COUNTS = (6, 12, 24, 48)  # neighbours
DEFAULT_K = 12
_SEEN = "map seen"  # in the session: the items of the last map, and what the address said of them


@dataclass(frozen=True)
class Visit:
    """Choices on a map.

    Attributes:
        picked: row of the query among the items; None if there is none.
        selection: selected rows, sorted.
        large: title of the large map.
        near: kind of embedding whose neighbours are listed. k: how many.
    """

    picked: int | None
    selection: np.ndarray
    large: str
    near: str
    k: int


def of(points: Items, key: str, version: str, titles: list[str]) -> Visit:
    """The choices on the map of this key; a value in the address that does not exist is reported and dropped.

    Args:
        titles: of the maps.
    """
    _leave(points)
    near = _chosen(key, NEAR, version, list(points.vectors), QUANTIZED)
    k = _chosen(key, K, version, [str(count) for count in COUNTS], str(DEFAULT_K))
    visit = Visit(
        _picked(points, key, version),
        _selection(points, key, version),
        _chosen(key, LARGE, version, titles, titles[-1]),
        near,
        int(k),
    )
    st.session_state[_SEEN] = (map_selection.key_of(points), _about_items())
    return visit


def callbacks(points: Items, key: str, version: str) -> dict[str, Any]:
    """Callbacks of the component, which write the browser's messages into the address."""

    def picked() -> None:
        row = _picked(points, key, version)
        _write(POINT, None if row is None else str(points.ids[row]))

    def selected() -> None:
        rows = _selection(points, key, version)
        _write(SELECTION, map_selection.to_link(points, rows) if len(rows) else None)

    def chosen(name: str, default: str | None) -> None:
        value = _message(key, name, version).get("value")
        _write(name, None if value in (None, default) else str(value))

    return {
        "on_picked_change": picked,
        "on_selection_change": selected,
        "on_large_change": lambda: chosen(LARGE, None),
        "on_near_change": lambda: chosen(NEAR, QUANTIZED),
        "on_k_change": lambda: chosen(K, str(DEFAULT_K)),
    }


def pick(points: Items, key: str, version: str, *, row: int, near: str) -> None:
    """Make an item the query from outside the map, and list its neighbours by `near`, until the browser says else."""
    for name, value in (("picked", {"row": row}), (NEAR, {"value": near})):
        st.session_state[_replaced(key, name)] = (_sent(key, name), {"version": version, **value})
    _write(POINT, str(points.ids[row]))
    _write(NEAR, None if near == QUANTIZED else near)


def nearest(points: Items, visit: Visit, query: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, str]:
    """Rows and distances of the neighbours of the picked item, or of a stored query `[D]`, and by which embedding."""
    if visit.picked is not None:
        return *projections.nearest_items(points, visit.picked, visit.k, kind=visit.near), visit.near
    kind = QUANTIZED if visit.near == BACKBONE else visit.near  # runs store no backbone embeddings of queries
    if query is not None:
        return *projections.nearest_to(points, query, visit.k, kind=kind), kind
    return np.zeros(0, np.int64), np.zeros(0, np.float32), visit.near


def kinds(points: Items, *, overlaid: bool) -> list[tuple[str, bool]]:
    """Kinds of embedding, and whether neighbours by them can be listed."""
    usable = (CONTINUOUS, QUANTIZED) if overlaid else KINDS
    return [(kind, kind in points.vectors and kind in usable) for kind in KINDS]


def _picked(points: Items, key: str, version: str) -> int | None:
    if message := _message(key, "picked", version):
        row = map_selection.chosen([message.get("row")], len(points))
        return int(row[0]) if len(row) else None
    identity = st.query_params.get(POINT)
    row = map_selection.row_of_id(points, identity)
    if identity is not None and row is None:
        absent.missing(POINT, identity)
    return row


def _selection(points: Items, key: str, version: str) -> np.ndarray:
    if message := _message(key, "selection", version):
        return map_selection.chosen(message.get("rows"), len(points))
    text = st.query_params.get(SELECTION)
    rows = map_selection.from_link(points, text) if text else np.zeros(0, np.int64)
    if rows is None:
        absent.note(SELECTION, "The selection in this link is damaged or belongs to other images; nothing is selected.")
    return np.zeros(0, np.int64) if rows is None else rows


def _chosen(key: str, name: str, version: str, options: list[str], default: str) -> str:
    """The browser's choice among options, else the one in the address, else the default."""
    message = _message(key, name, version).get("value")
    if message in options:
        return message
    linked = st.query_params.get(name)
    if linked is not None and linked not in options and linked.split(",")[0] not in KINDS:
        absent.missing(name, linked, instead=default)
    return linked if linked in options else default


def _leave(points: Items) -> None:
    """Drop query and selection from the address once the visitor changed to other items."""
    seen, about = st.session_state.get(_SEEN, (None, None))
    if seen not in (None, map_selection.key_of(points)) and about == _about_items():
        _write(POINT, None)
        _write(SELECTION, None)


def _about_items() -> tuple[str | None, str | None]:
    return st.query_params.get(POINT), st.query_params.get(SELECTION)


def _message(key: str, name: str, version: str) -> dict[str, Any]:
    """The browser's last message if it is about these items, else empty."""
    message = _sent(key, name)
    before, instead = st.session_state.get(_replaced(key, name), (None, None))
    if before is not None and message == before:  # without a message, the address holds the choice
        message = instead
    return message if isinstance(message, dict) and message.get("version") == version else {}


def _sent(key: str, name: str):
    return (st.session_state.get(key) or {}).get(name)


def _replaced(key: str, name: str) -> str:
    """Where the session has the message that `pick` replaced, and by what."""
    return f"{key} {name} replaced"


def _write(name: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
