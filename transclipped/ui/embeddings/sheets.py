"""Images of a map's points, sent as sheets of 256 thumbnails that the browser fetches when it needs one."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image
from streamlit import runtime

from transclipped.datasets.images.decode import placeholder
from transclipped.errors import InputError
from transclipped.ui import cached
from transclipped.ui.streamlit_internals import add_file
from transclipped.ui.turns import one_at_a_time

PER_SHEET, COLUMNS = 256, 16
TILE = 64  # pixels of a thumbnail, at most; smaller images keep their size
QUALITY = 82  # of a sheet's JPEG


def sent(data: tuple, rows: np.ndarray, key: str) -> dict[str, Any]:
    """URLs of the sheets, in the order of rows `[n]`, and their layout, as map.js reads them."""
    side, urls = min(TILE, cached.images(data).native_size or TILE), []
    if runtime.exists():  # not in tests
        digest = hashlib.sha256(np.ascontiguousarray(rows, np.int64)).hexdigest()
        sheets = _sheets(data, digest, side, rows)
        urls = [add_file(sheet, "image/jpeg", f"{key}-sheet-{i}") for i, sheet in enumerate(sheets)]
    return {"sheets": urls, "per_sheet": PER_SHEET, "columns": COLUMNS, "tile": side}


@st.cache_resource(max_entries=6, show_spinner="Making thumbnails …")
@one_at_a_time
def _sheets(data: tuple, digest: str, side: int, _rows: np.ndarray) -> list[bytes]:
    from concurrent.futures import ThreadPoolExecutor

    images = cached.images(data)
    with ThreadPoolExecutor(2) as pool:
        starts = range(0, len(_rows), PER_SHEET)
        return list(pool.map(lambda start: _sheet(images, _rows[start : start + PER_SHEET], side), starts))


def _sheet(images, rows: np.ndarray, side: int) -> bytes:
    """JPEG of up to 256 thumbnails, 16 a line, without chroma subsampling."""
    lines = -(-len(rows) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * side, lines * side))
    for at, row in enumerate(rows.tolist()):
        try:
            image = images.preview(row)
        except InputError:
            image = placeholder(str(images.ids[row]))
        page.paste(thumbnail(image, side), (at % COLUMNS * side, at // COLUMNS * side))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """The whole image inside a square, centred on black."""
    if image.size == (side, side):
        return image
    scale = side / max(image.size)
    small = image.resize([max(1, round(length * scale)) for length in image.size], Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side))
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square
