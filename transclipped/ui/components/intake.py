"""Component: a visitor's images from files, drag and drop, the clipboard or the camera.

intake.js passes a pasted image to Streamlit's uploader, so it is limited, listed and removed like any other. If the
browser denies the camera or the clipboard, intake.js shows why.
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
MOST_A_VISIT = 200  # different images per session, except for the owner
SHORTER, LONGER = 512, 8192  # px, sides after reduction; networks use far fewer

_component = component("intake")


@dataclass(frozen=True)
class UploadedImage:
    """A visitor's image: the hash of its file, its name, and the decoded image, which is read-only."""

    digest: str
    name: str
    image: Image.Image


def images(*, key: str, several: bool = True) -> list[UploadedImage]:
    """Draw an uploader with drag and drop and paste; returns the valid images and shows errors for the others.

    Args:
        key: of the uploader; a container around it gets `key` and "-place".
        several: whether more than one image is accepted.
    """
    label = "Your images" if several else "Your image"
    about = f"Up to {LARGEST} MB each. They stay on this machine and are not stored."
    about += " Several images form one query." * several
    with st.container(key=f"{key}-place"):
        files = st.file_uploader(label, accept_multiple_files=several, max_upload_size=LARGEST, key=key, help=about)
        _component(key=f"{key}-paste", data={"mode": "paste", "place": f"st-key-{key}-place"})
    files = files if several else [files] if files is not None else []
    if len(files) > MOST:
        st.warning(f"{len(files)} images are too many at once; using the first {MOST}.")
    return [image for file in files[:MOST] if (image := _usable(file.name, file)) is not None]


def photograph(*, key: str) -> list[UploadedImage]:
    """Draw the camera input; returns the photograph, if any."""
    _component(key=f"{key}-reason", data={"mode": "camera", "place": ""})
    file = st.camera_input("Your camera", key=key, help="The image goes only to this app and is not stored.")
    image = _usable("the photograph", file) if file is not None else None
    return [image] if image is not None else []


def _usable(name: str, file) -> UploadedImage | None:
    """A visitor's image, or None after showing the error."""
    try:
        if file.size > LARGEST << 20:
            raise InputError(f"{name} has {file.size >> 20} MB; choose an image of at most {LARGEST} MB")
        content = file.getvalue()
        digest = hashlib.sha256(content).hexdigest()
        _count(digest)
        return UploadedImage(digest, name, _opened(digest, name, content))
    except InputError as error:
        st.error(plain(error))
        return None


def _count(digest: str) -> None:
    """Raise InputError once a visitor other than the owner has uploaded `MOST_A_VISIT` different images."""
    if access.owner():
        return
    digests = st.session_state.setdefault("brought", set())
    if digest not in digests and len(digests) >= MOST_A_VISIT:
        raise InputError(f"you have uploaded {MOST_A_VISIT} images, the limit per session")
    digests.add(digest)


@st.cache_resource(max_entries=16, ttl=1800, show_spinner=False)
def _opened(digest: str, name: str, _content: bytes) -> Image.Image:
    return reduced(open_image(_content, name=name, at_least=SHORTER))


def reduced(image: Image.Image) -> Image.Image:
    """An image whose shorter side is at most 512 px, cropped to its middle 8192 px if it is a strip.

    The centre square, which networks use, is preserved.
    """
    width, height = (min(length, max(LONGER, min(image.size))) for length in image.size)
    if (width, height) != image.size:
        left, top = (image.width - width) // 2, (image.height - height) // 2
        image = image.crop((left, top, left + width, top + height))
    scale = SHORTER / min(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return image
