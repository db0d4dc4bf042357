"""Maps of embeddings: a component of ours that draws side-by-side panels, with images on hover, click and lasso.

map.js beside this file does the drawing, with a canvas for each panel in map_panel.js; here is what it is sent.
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
    shown: Items,
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
        version: of the items; what a visitor chose in another one is forgotten.
        data: names the image set, see `cached.run_data`.
        rows: `[n]` of the image set.
        selection, picked, neighbours: rows of `shown`.
        star: place of a query that is not among the items, by panel.
    """
    panels = [
        {"name": name, "title": name, "note": _trust(found), "xy": _packed(found.xy, "<f4")}
        for name, found in maps.items()
    ]
    sent = {
        "version": version,
        "layout": hashlib.sha256("".join(panel["name"] + panel["xy"] for panel in panels).encode()).hexdigest(),
        "n": len(shown),
        "panels": panels,
        **_coloured(colouring),
        "names": [f"image {i}" if isinstance(i, int) else i for i in shown.ids.tolist()],
        **map_sheets.sent(data, rows, key),
        "base": st.get_option("server.baseUrlPath"),
        "selection": selection,
        "picked": picked,
        "neighbours": neighbours,
        "star": star,
    }
    _component(
        key=key,
        data=sent,
        on_selection_change=lambda: None,
        on_picked_change=lambda: _remember(shown, key, version),
    )


def selection(shown: Items, key: str, version: str) -> np.ndarray:
    """Rows that the visitor has chosen, sorted."""
    return projections.chosen((_said(key, "selection", version) or {}).get("rows"), len(shown))


def picked(shown: Items, key: str, version: str) -> int | None:
    """Row that the visitor clicked, or that the address names (`?point=` and its id)."""
    said = _said(key, "picked", version)
    if said is None:
        asked = st.query_params.get("point")
        row = projections.row_of_id(shown, asked)
        if asked is not None and row is None:
            absent.missing("point", asked)
        return row
    row = projections.chosen([said.get("row")], len(shown))
    return int(row[0]) if len(row) else None


def _said(key: str, name: str, version: str) -> dict[str, Any] | None:
    """What the browser last said, if it speaks of these items."""
    said = (st.session_state.get(key) or {}).get(name)
    return said if isinstance(said, dict) and said.get("version") == version else None


def _remember(shown: Items, key: str, version: str) -> None:
    """Keep the clicked item in the address."""
    st.query_params.pop("point", None)
    row = picked(shown, key, version)
    if row is not None:
        st.query_params["point"] = str(shown.ids[row])


@st.cache_resource(max_entries=12, ttl=300, show_spinner="Reading the embeddings …")
def items(fingerprint: str, which: str, _run: RunDir) -> tuple[Items, np.ndarray, str]:
    """What a map shows, its rows in the image set, and a name of its content; read-only."""
    shown, images = projections.items(cached.arrays(_run), which), cached.images(cached.run_data(_run))
    rows = images.rows_of(shown.ids.tolist())
    shown = projections.with_features(_run, shown, images, rows)
    version = hashlib.sha256(f"{which} {shown.digests} {shown.ids.tolist()}".encode()).hexdigest()[:16]
    return shown, rows, version


def _coloured(colouring: Colouring) -> dict[str, Any]:
    """Colours and legend, as map.js reads them."""
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


def _trust(found: Map) -> str:
    return "" if found.trustworthiness is None else f"trustworthiness {found.trustworthiness:.3f}"


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind)).decode()
