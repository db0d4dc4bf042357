"""Cached calls of the Data sets page, keyed by the content of a data set, so a changed folder is reopened."""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split, draw
from transclipped.datasets.registry import describe, load
from transclipped.errors import InputError
from transclipped.ui import access
from transclipped.ui.components import gallery

RESCAN = 15  # seconds after which a folder is listed again


def opened(config: DataConfig) -> ImageSet:
    """The configured images as they are now; raises InputError for bad files or a visitor who may not read them."""
    config = access.allowed(config)
    return _opened(config, _stamp(config))


@st.cache_data(ttl=RESCAN, max_entries=16, show_spinner=False)
def _stamp(config: DataConfig) -> str:
    """Changes when a file of the folder, or a list of labels, is added, removed or written."""
    if config.data is None:
        return ""
    from transclipped.datasets.folder import folder_of
    from transclipped.datasets.images.listing import scan, signature

    digest = hashlib.sha256(signature(scan(folder_of(config))[0]))
    if config.labels is not None and (path := Path(config.labels).expanduser()).exists():
        digest.update(str(path.stat().st_mtime_ns).encode())
    return digest.hexdigest()


@st.cache_resource(max_entries=4, show_spinner="Opening the images …")
def _opened(config: DataConfig, stamp: str) -> ImageSet:
    return load(config)


@st.cache_data(max_entries=16, show_spinner=False)
def split_of(fingerprint: str, config: DataConfig, _images: ImageSet) -> tuple[Split, dict]:
    """The split of a protocol, and its description."""
    split = draw(_images, config)
    return split, describe(_images, split)


def image(fingerprint: str, row: int, images: ImageSet) -> gallery.EncodedImage:
    """Image of a row for the browser; a placeholder where it cannot be read."""
    try:
        return _image(fingerprint, row, images)
    except InputError:
        return gallery.unreadable(str(images.ids[row]))


@st.cache_data(max_entries=2048, show_spinner=False)
def _image(fingerprint: str, row: int, _images: ImageSet) -> gallery.EncodedImage:
    return gallery.of_image(_images.preview(row))
