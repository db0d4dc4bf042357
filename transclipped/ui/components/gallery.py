"""Galleries: a component of ours that shows images in a grid, framed, captioned, clickable and reachable by keys.

gallery.js beside this file does the drawing. Images are files of Streamlit's media file manager, which the browser
fetches when they come into sight; those of CIFAR-10's size travel with the grid, which saves a request each. Tiny ones
are enlarged by whole multiples of the screen's pixels, others smoothly.
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
from transclipped.ui.shell import scale
from transclipped.ui.streamlit_internals import add_file
from transclipped.ui.text import visible
from transclipped.ui.theme import MARKS

CRISP = 64  # pixels a side up to which images are enlarged pixel by pixel
SIDE = 256  # pixels of the longer side of a photograph, as it is sent
QUALITY = 85  # of its JPEG
INLINE = 4096  # bytes up to which an image travels with the grid
TILE = 96  # pixels a side that an image gets on the page: three times CIFAR-10's

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
        id: what a click tells; its own in the gallery.
        image: None where there is none to see; `title` is then shown instead.
        caption: below it.
        relevant: solid blue frame if True, dashed orange if False, none where nobody knows.
        title: what pointing at it tells, such as its name.
        mark: 1 for good, -1 for bad, 0 for neither; for galleries with marks.
        on: whether it is the one spoken of.
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
        key: its own on the page.
        size: pixels a side of an image; grows with the projector's scale.
        on_click: told the id before the page runs again. Without it images cannot be clicked.
        on_mark: told the id and 1, -1 or 0 when a mark is set or taken back. Without it there are no marks.
        hint: what a click does, told when pointing at an image.
    """
    urls = [_url(tile.image, f"{key}-picture-{i}") for i, tile in enumerate(tiles)]
    known = {tile.id for tile in tiles}
    sent = {
        "tiles": [_sent(tile, url) for tile, url in zip(tiles, urls, strict=True)],
        "size": size * scale(),
        "crisp": CRISP,
        "clickable": on_click is not None,
        "markable": on_mark is not None,
        "hint": hint,
        "base": st.get_option("server.baseUrlPath"),
    }

    def clicked() -> None:
        identity = _said(key, "clicked")
        if on_click is not None and identity in known:
            on_click(identity)

    def marked() -> None:
        said = _said(key, "marked") or {}
        if on_mark is not None and said.get("id") in known and said.get("mark") in (-1, 0, 1):
            on_mark(said["id"], said["mark"])

    answer = _component(key=key, data=sent, on_clicked_change=clicked, on_marked_change=marked)
    return answer.clicked if on_click is not None and answer.clicked in known else None


def caption(rank: int, labels: list[str], score: float, relevant: bool | None) -> str:
    """Rank, mark, class and score of a hit."""
    return " ".join(part for part in (f"#{rank}", MARKS[relevant], ", ".join(labels), f"{score:.3f}") if part)


def of_row(data: tuple, row: int) -> EncodedImage:
    """EncodedImage of a row of the image set that `cached.run_data` names; a placeholder where it cannot be read."""
    try:
        return _of_row(data, row)
    except InputError:
        return unreadable(str(cached.images(data).ids[row]))


def unreadable(name: str) -> EncodedImage:
    """Stands for an image that cannot be read."""
    return of_image(placeholder(name))


@st.cache_data(max_entries=4096, show_spinner=False)
def _of_row(data: tuple, row: int) -> EncodedImage:
    images = cached.images(data)
    if images.native_size is not None and images.native_size <= CRISP:
        return _kept(images.encoded(row))
    return of_image(images.preview(row, side=SIDE))


@st.cache_data(max_entries=1024, show_spinner=False)
def _of_path(path: str, stamp: int) -> EncodedImage:
    return of_image(small(Path(path)))


def of_path(path: str) -> EncodedImage | None:
    """EncodedImage of a file; None where it is gone or damaged."""
    try:
        return _of_path(path, Path(path).stat().st_mtime_ns)
    except (OSError, InputError):
        return None


def of_image(image: Image.Image) -> EncodedImage:
    """Any RGB image, reduced to `SIDE` if it is larger."""
    if max(image.size) <= CRISP:
        return _exact(image)
    scale = SIDE / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return EncodedImage(to_jpeg(image, quality=QUALITY), "image/jpeg", *image.size)


def _exact(image: Image.Image) -> EncodedImage:
    return EncodedImage(to_png(image), "image/png", *image.size)


def _kept(file: bytes) -> EncodedImage:
    """A file that browsers know, as it is; only its header is read."""
    with header(file) as image:
        return EncodedImage(file, Image.MIME[image.format], *image.size)


def _sent(tile: Tile, url: str) -> dict:
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
    """Address of an image, which holds a tiny one itself; empty where there is none, or no server runs (in tests)."""
    if image is None:
        return ""
    if len(image.file) <= INLINE:
        return data_address(image.file, image.kind)
    return add_file(image.file, image.kind, name)


def _said(key: str, name: str):
    return (st.session_state.get(key) or {}).get(name)
