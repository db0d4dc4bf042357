"""Bringing images to a page: files, drag and drop, the clipboard, the camera.

A pasted image is handed to the page's own uploader by intake.js, so it is limited, listed and removed like any
other. Where the browser allows no camera or no look into the clipboard, intake.js says why.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import open_image
from transclipped.errors import InputError
from transclipped.ui import access
from transclipped.ui.components.component import component
from transclipped.ui.text import plain

LARGEST = 20  # MB of a file
MOST = 16  # images at once
MOST_A_VISIT = 200  # different images that a visitor who is not the owner may bring
SHORTER, LONGER = 512, 8192  # pixels a side that are kept; networks look at far fewer

_component = component("intake")


@dataclass(frozen=True)
class Brought:
    """A visitor's image: a hash of its file, its name, and what is seen of it, to be read only."""

    digest: str
    name: str
    image: Image.Image


def images(*, key: str, several: bool = True) -> list[Brought]:
    """Uploader, with drag and drop and paste; what was brought and can be used. Says what cannot be.

    Args:
        key: of the uploader; a container around it gets `key` and "-place".
        several: whether more than one image can be brought.
    """
    with st.container(key=f"{key}-place"):
        files = st.file_uploader(
            "Your images" if several else "Your image", accept_multiple_files=several, max_upload_size=LARGEST,
            key=key, help=f"Up to {LARGEST} MB each. They stay on this machine and are not kept."
            + " Several ask together." * several,
        )  # fmt: skip
        _component(key=f"{key}-paste", data={"mode": "paste", "place": f"st-key-{key}-place"})
    files = files if several else [files] if files is not None else []
    if len(files) > MOST:
        st.warning(f"{len(files)} images are too many at once; the first {MOST} ask.")
    return [found for file in files[:MOST] if (found := _usable(file.name, file)) is not None]


def photograph(*, key: str) -> list[Brought]:
    """Camera; the image taken, if there is one."""
    _component(key=f"{key}-reason", data={"mode": "camera", "place": ""})
    file = st.camera_input("Your camera", key=key, help="The image goes to this app alone, which does not keep it.")
    found = _usable("the photograph", file) if file is not None else None
    return [found] if found is not None else []


def _usable(name: str, file) -> Brought | None:
    """What a visitor brought, or a sentence on the page."""
    try:
        if file.size > LARGEST << 20:
            raise InputError(f"{name} has {file.size >> 20} MB; choose an image of at most {LARGEST} MB")
        content = file.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        _count(digest)
        return Brought(digest, name, _opened(digest, name, content))
    except InputError as error:
        st.error(plain(error))
        return None


def _count(digest: str) -> None:
    """Bound what one visitor lets this machine decode.

    Raises:
        InputError: they have brought too many images.
    """
    if access.owner():
        return
    brought = st.session_state.setdefault("brought", set())
    if digest not in brought and len(brought) >= MOST_A_VISIT:
        raise InputError(f"you have brought {MOST_A_VISIT} images already, which is the most for one visit")
    brought.add(digest)


@st.cache_resource(max_entries=16, ttl=1800, show_spinner=False)
def _opened(digest: str, name: str, _content: bytes) -> Image.Image:
    return reduced(open_image(_content, name=name, at_least=SHORTER))


def reduced(image: Image.Image) -> Image.Image:
    """An image of at most 512 pixels on its shorter side; of a strip, the 8192 in its middle.

    Its centre square, which is what networks see, stays what it was.
    """
    width, height = (min(length, max(LONGER, min(image.size))) for length in image.size)
    if (width, height) != image.size:
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    scale = SHORTER / min(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return image
