"""Cached calls into the library of bounded size. Results are shared by all visitors, so read-only. Keys: content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir


@st.cache_resource(max_entries=12, show_spinner="Opening the database …")
def engine(fingerprint: str, _run: RunDir):
    """Searcher of a run."""
    from transclipped.search.searcher import Searcher

    return Searcher(_run, stored=_arrays(fingerprint, _run))


def arrays(run: RunDir) -> Retrieval:
    """Codes, codebooks and queries of a run, without an index over them."""
    return _arrays(run.fingerprint, run)


@st.cache_resource(max_entries=12, show_spinner=False)
def _arrays(fingerprint: str, _run: RunDir) -> Retrieval:
    return _run.retrieval()


def metrics(run: RunDir) -> dict[str, Any]:
    """Metrics of a run; empty before its evaluation."""
    return _metrics(run.fingerprint, run)


@st.cache_data(max_entries=16, show_spinner=False)
def _metrics(fingerprint: str, _run: RunDir) -> dict[str, Any]:
    return _run.metrics() or {}


COLLECTION = "collection"  # first part of the key of a collection's images: (COLLECTION, path, stamp)


@st.cache_resource(max_entries=4, show_spinner="Opening the images …")
def images(data: tuple):
    """The image set that a key names, see `run_data`, or the images of a collection."""
    if data[0] == COLLECTION:
        return Files(Path(data[1]))
    from transclipped.datasets.registry import load

    return load(DataConfig(**dict(data)))


class Files:
    """Images of a collection, by their stored paths, which are their `ids`."""

    native_size = None

    def __init__(self, collection: Path) -> None:
        from transclipped.search.collection import paths_of

        self.ids = paths_of(collection)

    def preview(self, row: int, *, side: int = 256) -> Image.Image:
        """A row, reduced to a thumbnail.

        Raises:
            InputError: the file is missing or cannot be decoded.
        """
        from transclipped.datasets.images.thumbnails import small

        if (path := self.ids[row]) is None:
            raise InputError("the collection stores no path of this image; encode the folder again")
        return small(Path(path), side=side)

    image = preview


def run_data(run: RunDir) -> tuple:
    """Key of a run's images, hashable."""
    return named_data(run.config.data)


def named_data(data: DataConfig) -> tuple:
    """Key of an image set, hashable."""
    return tuple((name, getattr(data, name)) for name in ("dataset", "data", "labels", "annotations"))
