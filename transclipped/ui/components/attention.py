"""Attention over an image, a component of ours: point at a place to see what it looks at, click to keep it.

attention.js beside this file does the drawing; here is what it is sent.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import data_url
from transclipped.ui import absent
from transclipped.ui.components.component import component

_component = component("attention")


def draw(
    image: np.ndarray,
    base: np.ndarray,
    rows: np.ndarray | None,
    *,
    grid: tuple[int, int],
    who: str,
    verb: str,
    crisp: bool,
    key: str,
) -> None:
    """Draw weights over an image; the place that the visitor keeps stands in the address as `?token=`.

    Args:
        image: `[S, S, 3]` uint8.
        base: `[h · w]` shown while no place is pointed at.
        rows: `[h · w, h · w]`, row i is what place i looks at; None where places cannot be pointed at.
        who: begins the sentence that names the place of the largest weight of `base`.
        verb: follows a place in the sentence about its row.
        crisp: whether the image's own pixels are to be seen.
    """
    n = len(base)
    version = hashlib.sha256(image.tobytes() + str(grid).encode()).hexdigest()[:16]
    sent = {
        "version": version,
        "image": _image(image, crisp),
        "crisp": crisp,
        "h": grid[0],
        "w": grid[1],
        "base": _scaled(base[None]),
        "rows": None if rows is None else _scaled(rows),
        "token": None if rows is None else token(n),
        "who": who,
        "verb": verb,
    }
    _component(key=key, data=sent, on_token_change=lambda: _remember(key, version, n))


def token(places: int) -> int | None:
    """The place that the address names, if there is such a one."""
    said = st.query_params.get("token", "")
    if said.isdecimal() and int(said) < places:
        return int(said)
    if said:
        absent.missing("token", said)
    return None


def _remember(key: str, version: str, places: int) -> None:
    said: Any = (st.session_state.get(key) or {}).get("token")
    if not isinstance(said, dict) or said.get("version") != version:
        return
    place = said.get("token")
    if isinstance(place, int) and 0 <= place < places:
        st.query_params["token"] = str(place)
    else:
        st.query_params.pop("token", None)


@st.cache_data(max_entries=32, show_spinner=False)
def _image(image: np.ndarray, crisp: bool) -> str:
    return data_url(Image.fromarray(image), exact=crisp)


def _scaled(rows: np.ndarray) -> dict[str, Any]:
    """Rows of weights as bytes, with what 0 and 255 stand for in each: half its mean or less, and its maximum.

    From half the mean, since from 0 much would look alike, and from the minimum, even attention would look uneven.
    """
    rows = rows.astype(np.float64)
    low, high = rows.mean(1) / 2, np.maximum(rows.max(1), 1e-12)
    shares = np.clip((rows - low[:, None]) / np.maximum(high - low, 1e-12)[:, None], 0, 1)
    packed = base64.b64encode((255 * shares).round().astype(np.uint8).tobytes()).decode()
    return {"bytes": packed, "low": low.tolist(), "high": high.tolist()}
