"""Component: attention over an image. Point at a patch to see what it attends to, click to keep it.

attention.js draws; this module sends its data.
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
    crisp: bool,
    key: str,
) -> None:
    """Draw weights over an image; the address holds the patch that the visitor clicked as `?token=`.

    Args:
        image: `[S, S, 3]` uint8.
        base: `[h · w]` weights shown while the pointer is elsewhere.
        rows: `[h · w, h · w]`, row i is the attention of patch i; None if patches cannot be pointed at.
        who: start of the sentence that names the place of the largest weight of `base`.
        crisp: whether to enlarge the image without smoothing.
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
    }
    _component(key=key, data=sent, on_token_change=lambda: _remember(key, version, n))


def token(places: int) -> int | None:
    """The patch in the address, if it exists."""
    text = st.query_params.get("token", "")
    if text.isdecimal() and int(text) < places:
        return int(text)
    if text:
        absent.missing("token", text)
    return None


def _remember(key: str, version: str, places: int) -> None:
    message: Any = (st.session_state.get(key) or {}).get("token")
    if not isinstance(message, dict) or message.get("version") != version:
        return
    place = message.get("token")
    if isinstance(place, int) and 0 <= place < places:
        st.query_params["token"] = str(place)
    else:
        st.query_params.pop("token", None)


@st.cache_data(max_entries=32, show_spinner=False)
def _image(image: np.ndarray, crisp: bool) -> str:
    return data_url(Image.fromarray(image), exact=crisp)


def _scaled(rows: np.ndarray) -> dict[str, Any]:
    """Rows of weights as bytes, with the values of 0 and 255 in each row: at most half its mean, and its maximum.

    A scale from 0 would show little contrast; one from the minimum would make uniform attention look uneven.
    """
    rows = rows.astype(np.float64)
    low, high = rows.mean(1) / 2, np.maximum(rows.max(1), 1e-12)
    shares = np.clip((rows - low[:, None]) / np.maximum(high - low, 1e-12)[:, None], 0, 1)
    packed = base64.b64encode((255 * shares).round().astype(np.uint8).tobytes()).decode()
    return {"bytes": packed, "low": low.tolist(), "high": high.tolist()}
