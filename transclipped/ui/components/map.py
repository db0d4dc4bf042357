"""Component: maps of embeddings in side-by-side panels, with images on hover, click and lasso.

map.js draws, with a canvas for each panel in map_panel.js; this module sends the data.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.projections import Items, Map
from transclipped.runs.run import RunDir
from transclipped.ui import absent, cached
from transclipped.ui.components.component import component
from transclipped.ui.embeddings import sheets as map_sheets
from transclipped.ui.embeddings.colours import KEPT, OTHERS, Colouring
from transclipped.ui.text import visible

_component = component("map", "map_panel.js", "map_shapes.js")


def draw(
    points: Items,
    maps: dict[str, Map],
    colouring: Colouring,
    *,
    version: str,
    key: str,
    data: tuple,
    rows: np.ndarray,
    selection: list[int],
    picked: int | None,
    neighbours: list[int],
    star: dict[str, list[float]] | None,
) -> None:
    """Draw the maps side by side; `st.session_state[key]` then holds `selection` and `picked`.

    Args:
        maps: by the name of their panel.
        version: of the items; choices made in another version are dropped.
        data: key of the image set, see `cached.run_data`.
        rows: `[n]` of the image set.
        selection, picked, neighbours: rows of `points`.
        star: position of a query that is not among the items, by panel.
    """
    panels = [
        {"name": name, "title": name, "note": _note(layout), "xy": _packed(layout.xy, "<f4")}
        for name, layout in maps.items()
    ]
    sent = {
        "version": version,
        "layout": hashlib.sha256("".join(panel["name"] + panel["xy"] for panel in panels).encode()).hexdigest(),
        "n": len(points),
        "panels": panels,
        **_coloured(colouring),
        "names": [f"image {i}" if isinstance(i, int) else i for i in points.ids.tolist()],
        **map_sheets.sent(data, rows, key),
        "base": st.get_option("server.baseUrlPath"),
        "selection": selection,
        "picked": picked,
        "neighbours": neighbours,
        "star": star,
    }
    changed = {"on_selection_change": lambda: None, "on_picked_change": lambda: _remember(points, key, version)}
    _component(key=key, data=sent, **changed)


def selection(points: Items, key: str, version: str) -> np.ndarray:
    """Rows that the visitor has selected, sorted."""
    return projections.chosen((_message(key, "selection", version) or {}).get("rows"), len(points))


def picked(points: Items, key: str, version: str) -> int | None:
    """Row that the visitor clicked, or that has the id in `?point=`."""
    message = _message(key, "picked", version)
    if message is None:
        identity = st.query_params.get("point")
        row = projections.row_of_id(points, identity)
        if identity is not None and row is None:
            absent.missing("point", identity)
        return row
    row = projections.chosen([message.get("row")], len(points))
    return int(row[0]) if len(row) else None


def _message(key: str, name: str, version: str) -> dict[str, Any] | None:
    """The browser's last message, if it is about these items."""
    message = (st.session_state.get(key) or {}).get(name)
    return message if isinstance(message, dict) and message.get("version") == version else None


def _remember(points: Items, key: str, version: str) -> None:
    """Store the clicked item in the address."""
    st.query_params.pop("point", None)
    row = picked(points, key, version)
    if row is not None:
        st.query_params["point"] = str(points.ids[row])


@st.cache_resource(max_entries=12, ttl=300, show_spinner="Reading the embeddings …")
def items(fingerprint: str, which: str, _run: RunDir) -> tuple[Items, np.ndarray, str]:
    """Items of a map, their rows in the image set, and a version of their content; read-only."""
    points, images = projections.items(cached.arrays(_run), which), cached.images(cached.run_data(_run))
    rows = images.rows_of(points.ids.tolist())
    points = projections.with_features(_run, points, images, rows)
    version = hashlib.sha256(f"{which} {points.digests} {points.ids.tolist()}".encode()).hexdigest()[:16]
    return points, rows, version


def _coloured(colouring: Colouring) -> dict[str, Any]:
    """Colours and legend for map.js."""
    return {
        "colour": _packed(colouring.index, "<u2"),
        "colouring": hashlib.sha256(repr(colouring.legend).encode()).hexdigest(),
        "legend": [
            {"name": visible(name), "colour": colour, "faint": name in (OTHERS, KEPT)}
            for name, colour in colouring.legend
        ],
        "ramp": colouring.ramp,
        "values": colouring.values,
    }


def _note(layout: Map) -> str:
    return "" if layout.trustworthiness is None else f"trustworthiness {layout.trustworthiness:.3f}"


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind)).decode()
