"""Cached calls behind the Anatomy page: keys are a run's fingerprint and an image; all bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from PIL import Image

from transclipped.analysis import anatomy, codebooks
from transclipped.config import IDENTITY
from transclipped.datasets.base import ImageSet
from transclipped.datasets.images.decode import data_url, placeholder, square
from transclipped.errors import InputError
from transclipped.models.head import Head
from transclipped.retrieval.coding.product import decode
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.anatomy.subject import Subject

THUMB = 64  # pixels of a photograph that stands for a codeword
LIKELY = 4  # codewords shown of a codebook
SHARPEST = 100.0  # α of the slider, at most
STANDING = 3  # images that stand for a codeword
LARGE = 256  # pixels of query and hit
CRISP = 64  # pixels a side up to which images are enlarged as they are, pixel by pixel


@dataclass(frozen=True)
class Model:
    """A run's network, to look into; heads are only read, and the microscope locks itself."""

    microscope: anatomy.Microscope
    head: Head


@st.cache_resource(max_entries=6, show_spinner="Loading the network …")
def model(fingerprint: str, _run: RunDir) -> Model:
    """Network of a run, of this page alone, since looking into it plants hooks."""
    from transclipped.runs.session import trained_model

    backbone, head = trained_model(_run, default_size=_run.record.get("image_size"))
    return Model(anatomy.Microscope(backbone), head)


@st.cache_resource(max_entries=6, show_spinner=False)
def seen(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> anatomy.AnatomyView:
    """What the run's backbone makes of an image; read-only, since a large ViT's attention has 20 MB.

    Raises:
        InputError: the run was trained on embeddings made elsewhere, or its network cannot be loaded.
    """
    if _run.config.backbone.name == IDENTITY:
        raise InputError(f"{_run.name} was trained on embeddings made elsewhere, so there is none")
    microscope = model(fingerprint, _run).microscope
    side = _run.record.get("native_size") or microscope.backbone.image_size
    pixels = np.array(square(_subject.image(), side))
    return microscope.look(torch.from_numpy(pixels).permute(2, 0, 1))


def through_network(run: RunDir, subject: Subject):
    """What the network makes of an image and its projection, or None twice; and why, "" where it can be had."""
    try:
        result = seen(run.fingerprint, subject.key, run, subject)
        return result, anatomy.project(model(run.fingerprint, run).head, result.embedding), ""
    except InputError as error:
        return None, None, str(error)


@st.cache_data(max_entries=64, show_spinner=False)
def embedded(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> np.ndarray:
    """Continuous embedding `[D]` of an image as search and database have it, to the last bit of its code."""
    return cached.engine(fingerprint, _run).embed([_subject.image()])[0]


def sub_vectors(run: RunDir, codewords: np.ndarray, subject: Subject) -> np.ndarray | None:
    """`[M, d]` float32 of unit length, as search has them: stored, from the network, or as the image's code tells.

    None for a visitor's own image where the network cannot be loaded.
    """
    m = len(codewords)  # of shape [M, K, d]
    if subject.query is not None:
        return subject.query.reshape(m, -1)
    try:
        return embedded(run.fingerprint, subject.key, run, subject).reshape(m, -1)
    except InputError:
        return None if subject.code is None else decode(codewords, subject.code[None])[0].reshape(m, -1)


def sharpness(run: RunDir) -> float:
    """α of the soft assignment that is shown first: the run's own, within the slider."""
    return min(SHARPEST, max(1.0, float(run.config.quantizer.alpha)))


def likely(assigned: anatomy.Assigned) -> tuple[tuple[int, ...], ...]:
    """The codewords of each codebook that are shown."""
    return tuple(map(tuple, assigned.order[:, :LIKELY].tolist()))


@st.cache_data(max_entries=24, show_spinner=False)
def rolled(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> np.ndarray:
    """Attention of an image through all layers."""
    return anatomy.rollout(seen(fingerprint, key, _run, _subject).attention)


@st.cache_data(max_entries=64, show_spinner=False)
def enlarged(data: tuple, key: str, grid: tuple[int, int], _subject: Subject) -> np.ndarray:
    """The square that the network sees of an image, `[S, S, 3]` uint8, large, and divisible by a grid."""
    side = anatomy.side_for(grid, cached.images(data).native_size)
    image = _subject.image()
    if crisp(data):
        return np.asarray(image.resize((side, side), Image.Resampling.NEAREST))
    return np.asarray(square(image, side))


@st.cache_data(max_entries=64, show_spinner=False)
def portrait(data: tuple, key: str, _subject: Subject) -> str:
    """The image that is followed as a data address."""
    image = _subject.image()
    return data_url(image if crisp(data) else square(image, LARGE), exact=crisp(data))


@st.cache_data(max_entries=1024, show_spinner=False)
def standing(fingerprint: str, codebook: int, word: int, _run: RunDir) -> list[str]:
    """Small images of the database that have this codeword in their code."""
    stored, images = cached.arrays(_run), cached.images(cached.run_data(_run))
    rows = codebooks.members(stored.codes[:, codebook], word, STANDING)
    return [_address(images, row, THUMB) for row in images.rows_of(stored.database_ids[rows])]


@st.cache_data(max_entries=256, show_spinner=False)
def faces(fingerprint: str, words: tuple[tuple[int, ...], ...], _run: RunDir) -> list[list[list[str]]]:
    """What `standing` has for some codewords of each codebook."""
    return [[standing(fingerprint, m, word, _run) for word in mine] for m, mine in enumerate(words)]


@st.cache_data(max_entries=256, show_spinner=False)
def hit(data: tuple, row: int) -> str:
    """The image of a hit as a data address."""
    return _address(cached.images(data), row, LARGE)


def crisp(data: tuple) -> bool:
    """Whether images are so small that their pixels are to be seen."""
    return _crisp(cached.images(data))


def _crisp(images: ImageSet) -> bool:
    return images.native_size is not None and images.native_size <= CRISP


def _address(images: ImageSet, row: int, side: int) -> str:
    """Image of a row as a data address: as it is if it is tiny, else its centre square."""
    try:
        image = images.image(row)
    except InputError:
        image = placeholder(str(images.ids[row]))
    return data_url(image if _crisp(images) else square(image, side), exact=_crisp(images))
