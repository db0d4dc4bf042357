"""Component: a grid of images with frames and captions, used by mouse or keyboard.

gallery.js draws. The browser fetches images from Streamlit's media file manager when they scroll into view; small
files, such as CIFAR-10's, are sent with the grid, which saves a request each. Tiny images are enlarged by whole
multiples of screen pixels, others smoothly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import data_address, header, placeholder, to_jpeg, to_png
from transclipped.datasets.images.thumbnails import small
from transclipped.errors import InputError
from transclipped.ui import cached
from transclipped.ui.components.component import component
from transclipped.ui.presenting import scale
from transclipped.ui.streamlit_internals import add_file
from transclipped.ui.text import visible
from transclipped.ui.theme import MARKS

CRISP = 64  # px, largest side of images that are enlarged without smoothing
SIDE = 256  # px, longer side of a photograph as sent
QUALITY = 85  # of its JPEG
INLINE = 4096  # bytes, largest image that is sent with the grid
TILE = 96  # px, side of an image on the page: three times CIFAR-10's

_component = component("gallery")


@dataclass(frozen=True)
class EncodedImage:
    """An encoded image for the browser, with its size in pixels."""

    file: bytes
    kind: str
    width: int
    height: int


@dataclass(frozen=True)
class Tile:
    """One image of a gallery.

    Attributes:
        id: unique in the gallery; sent on a click.
        image: None if there is none; `title` is then shown instead.
        caption: below it.
        relevant: solid blue frame if True, dashed orange if False, none if unknown.
        title: tooltip, such as its name.
        mark: 1 for good, -1 for bad, 0 for neither; for galleries with marks.
        on: whether it is highlighted.
    """

    id: str
    image: EncodedImage | None
    caption: str = ""
    relevant: bool | None = None
    title: str = ""
    mark: int = 0
    on: bool = False


def draw(
    tiles: list[Tile],
    *,
    key: str,
    size: int = TILE,
    on_click: Callable[[str], None] | None = None,
    on_mark: Callable[[str, int], None] | None = None,
    hint: str = "",
) -> str | None:
    """Draw tiles in a grid; returns the id of the one just clicked.

    Args:
        key: unique on the page.
        size: px, side of an image; grows with the projector's scale.
        on_click: gets the id before the page reruns. Without it images cannot be clicked.
        on_mark: gets the id and 1, -1 or 0 when a mark is set or removed. Without it there are no marks.
        hint: what a click does, as a tooltip.
    """
    ids = {tile.id for tile in tiles}
    data = {
        "tiles": [_data(tile, _url(tile.image, f"{key}-image-{i}")) for i, tile in enumerate(tiles)],
        "size": size * scale(),
        "crisp": CRISP,
        "clickable": on_click is not None,
        "markable": on_mark is not None,
        "hint": hint,
        "base": st.get_option("server.baseUrlPath"),
    }

    def clicked() -> None:
        if on_click is not None and (identity := _message(key, "clicked")) in ids:
            on_click(identity)

    def marked() -> None:
        message = _message(key, "marked") or {}
        if on_mark is not None and message.get("id") in ids and message.get("mark") in (-1, 0, 1):
            on_mark(message["id"], message["mark"])

    result = _component(key=key, data=data, on_clicked_change=clicked, on_marked_change=marked)
    return result.clicked if on_click is not None and result.clicked in ids else None


def caption(rank: int, labels: list[str], score: float, relevant: bool | None) -> str:
    """Rank, mark, class and score of a hit."""
    return " ".join(part for part in (f"#{rank}", MARKS[relevant], ", ".join(labels), f"{score:.3f}") if part)


def of_row(data: tuple, row: int) -> EncodedImage:
    """A row of the image set that `cached.run_data` names; a placeholder if it cannot be read."""
    try:
        return _of_row(data, row)
    except InputError:
        return unreadable(str(cached.images(data).ids[row]))


def unreadable(name: str) -> EncodedImage:
    """Placeholder of an image that cannot be read."""
    return of_image(placeholder(name))


@st.cache_data(max_entries=4096, show_spinner=False)
def _of_row(data: tuple, row: int) -> EncodedImage:
    images = cached.images(data)
    if images.native_size is not None and images.native_size <= CRISP:
        file = images.encoded(row)
        with header(file) as image:
            return EncodedImage(file, Image.MIME[image.format], *image.size)
    return of_image(images.preview(row, side=SIDE))


@st.cache_data(max_entries=1024, show_spinner=False)
def _of_path(path: str, stamp: int) -> EncodedImage:
    return of_image(small(Path(path)))


def of_path(path: str) -> EncodedImage | None:
    """An image file; None if it is missing or damaged."""
    try:
        return _of_path(path, Path(path).stat().st_mtime_ns)
    except (OSError, InputError):
        return None


def of_image(image: Image.Image) -> EncodedImage:
    """An RGB image, reduced to `SIDE` if it is larger."""
    if max(image.size) <= CRISP:
        return EncodedImage(to_png(image), "image/png", *image.size)
    scale = SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return EncodedImage(to_jpeg(image, quality=QUALITY), "image/jpeg", *image.size)


def _data(tile: Tile, url: str) -> dict:
    image = tile.image
    return {
        "id": tile.id,
        "url": url,
        "width": image.width if image else 0,
        "height": image.height if image else 0,
        "caption": visible(tile.caption),
        "frame": {None: "unknown", True: "relevant", False: "irrelevant"}[tile.relevant],
        "title": visible(tile.title),
        "mark": tile.mark,
        "on": tile.on,
    }


def _url(image: EncodedImage | None, name: str) -> str:
    """URL of an image, a data URL for a tiny one; "" if there is none, or no server runs (in tests)."""
    if image is None:
        return ""
    if len(image.file) <= INLINE:
        return data_address(image.file, image.kind)
    return add_file(image.file, image.kind, name)


def _message(key: str, name: str):
    return (st.session_state.get(key) or {}).get(name)
