"""Component: one large map of embeddings and small ones beside it, with images on hover, click and lasso.

map.js draws, with the help of the scripts that it names; this module sends the data.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.names import densest
from transclipped.analysis.maps.projections import KINDS
from transclipped.analysis.maps.store import Items, Map
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.components.component import component
from transclipped.ui.embeddings import sheets as map_sheets
from transclipped.ui.embeddings.colours import KEPT, OTHERS, Colouring
from transclipped.ui.text import visible

_component = component("map", "map_panel.js", "map_keys.js", "map_shapes.js", "map_tiles.js", "map_save.js")


def draw(
    points: Items,
    maps: dict[str, Map],
    colouring: Colouring,
    *,
    version: str,
    key: str,
    data: tuple,
    rows: np.ndarray,
    changed: dict[str, Callable],
    empty: dict[str, str] | None = None,
    **state: Any,
) -> None:
    """Draw the maps; `st.session_state[key]` then holds the choices of the visitor, as map.js describes them.

    Args:
        maps: by the title of their panel.
        version: of the items; choices made in another version are dropped.
        data: key of the image set, see `cached.run_data`.
        rows: `[n]` of the image set.
        changed: callbacks of the component.
        empty: why a panel beside them has no map, by its title.
        state: query, neighbours, selection and so on, as map.js reads them.
    """
    panels = [_panel(name, layout, colouring) for name, layout in maps.items()]
    panels += [{"name": visible(name), "reason": reason} for name, reason in (empty or {}).items()]
    layout = "".join(panel["name"] + panel.get("xy", panel.get("reason", "")) for panel in panels)
    sent = {
        "version": version,
        "layout": hashlib.sha256(layout.encode()).hexdigest(),
        "n": len(points),
        "panels": sorted(panels, key=lambda panel: _order(panel["name"])),
        **_coloured(colouring),
        "names": [f"image {i}" if isinstance(i, int) else i for i in points.ids.tolist()],
        **map_sheets.sent(data, rows, key),
        "base": st.get_option("server.baseUrlPath"),
        **state,
    }
    _component(key=key, data=sent, **changed)


def _panel(name: str, layout: Map, colouring: Colouring) -> dict[str, Any]:
    """A map for map.js."""
    places = _places(layout, colouring) if colouring.named else []
    return {"name": name, "note": _note(layout), "xy": _packed(layout.xy, "<f4"), "places": places}


def _order(title: str) -> int:
    """Place of a panel among the stages of the model."""
    return next((i for i, kind in enumerate(KINDS) if title.startswith(kind)), len(KINDS))


def _places(layout: Map, colouring: Colouring) -> list[list[float]]:
    """Where the names of the legend's entries stand on a map: [entry, x, y], largest group first."""
    return [[entry, *place] for entry, place in densest(layout.xy, colouring.index).items()]


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
    typical = colouring.typical or [()] * len(colouring.legend)
    return {
        "colour": _packed(colouring.index, "<u2"),
        "colouring": hashlib.sha256(repr(colouring.legend).encode()).hexdigest(),
        "legend": [
            {"name": visible(name), "colour": colour, "faint": name in (OTHERS, KEPT), "rows": typical}
            for (name, colour), typical in zip(colouring.legend, typical, strict=True)
        ],
        "ramp": colouring.ramp,
        "values": colouring.values,
    }


def _note(layout: Map) -> str:
    trust, variance = layout.trustworthiness, layout.settings.get("variance")
    notes = [] if trust is None else [f"trustworthiness {trust:.3f}"]
    return " · ".join(notes + ([] if variance is None else [f"{variance:.0%} of the variance"]))


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, kind)).decode()
