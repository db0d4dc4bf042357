"""Cached calls of the Anatomy page, keyed by run fingerprint and image; all bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from PIL import Image

from transclipped.analysis import anatomy, codebooks, hashes
from transclipped.analysis.reasons import TREES
from transclipped.config import IDENTITY
from transclipped.datasets.images.decode import data_url, fitted, placeholder, square
from transclipped.datasets.sampling import sample
from transclipped.errors import InputError
from transclipped.models.head import Head
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.anatomy.subject import Subject

THUMB = 64  # pixels per side of an example image of a codeword
LIKELY = 4  # codewords shown per codebook
SHARPEST = 100.0  # largest α of the slider
EXAMPLES = 3  # images per codeword
LARGE = 256  # pixels per side of query and hit
CRISP = 64  # up to so many pixels per side, images are enlarged without smoothing


@dataclass(frozen=True)
class Model:
    """A run's network; the head is read-only, and the microscope has its own lock."""

    microscope: anatomy.Microscope
    head: Head


@st.cache_resource(max_entries=6, show_spinner="Loading the network …")
def model(fingerprint: str, _run: RunDir) -> Model:
    """The network of a run; not shared with other pages, since the microscope installs hooks."""
    from transclipped.runs.session import trained_model

    backbone, head = trained_model(_run, default_size=_run.record.get("image_size"))
    return Model(anatomy.Microscope(backbone), head)


@st.cache_resource(max_entries=6, show_spinner=False)
def seen(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> anatomy.AnatomyView:
    """What the run's backbone computes for an image; not copied, since a large ViT's attention takes 20 MB.

    Raises:
        InputError: the run was trained on precomputed embeddings, or its network cannot be loaded.
    """
    if _run.config.backbone.name == IDENTITY:
        raise InputError(f"{_run.name} was trained on precomputed embeddings and has no backbone")
    microscope = model(fingerprint, _run).microscope
    backbone, native_size = microscope.backbone, _run.record.get("native_size")
    image = fitted(_subject.image(), backbone.image_size, native_size=native_size, framed=backbone.framed)
    pixels = np.array(image)
    return microscope.look(torch.from_numpy(pixels).permute(2, 0, 1))


def through_network(run: RunDir, subject: Subject) -> tuple[anatomy.AnatomyView | None, anatomy.Projected | None, str]:
    """What the network computes for an image, and its projection; or None twice and the reason."""
    try:
        view = seen(run.fingerprint, subject.key, run, subject)
        return view, anatomy.project(model(run.fingerprint, run).head, view.embedding), ""
    except InputError as error:
        return None, None, str(error)


@st.cache_data(max_entries=64, show_spinner=False)
def embedded(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> np.ndarray:
    """Continuous embedding `[D]` of an image, exactly as search computes it."""
    return cached.engine(fingerprint, _run).embed([_subject.image()])[0]


def sub_vectors(run: RunDir, codewords: np.ndarray, subject: Subject) -> np.ndarray | None:
    """`[M, d]` float32 of unit length, as search uses them: stored, embedded, or decoded from the stored code.

    None for an uploaded image if the network cannot be loaded.
    """
    m = len(codewords)  # of shape [M, K, d]
    if subject.query is not None:
        return subject.query.reshape(m, -1)
    try:
        return embedded(run.fingerprint, subject.key, run, subject).reshape(m, -1)
    except InputError:
        return None if subject.code is None else decode(codewords, subject.code[None])[0].reshape(m, -1)


def sharpness(run: RunDir) -> float:
    """Initial α of the slider: the run's own, within the slider's range."""
    return min(SHARPEST, max(1.0, float(run.config.quantizer.alpha)))


def likely(assigned: anatomy.Assigned) -> tuple[tuple[int, ...], ...]:
    """The codewords shown for each codebook."""
    return tuple(map(tuple, assigned.order[:, :LIKELY].tolist()))


@st.cache_data(max_entries=24, show_spinner=False)
def rolled(fingerprint: str, key: str, _run: RunDir, _subject: Subject) -> np.ndarray:
    """Attention rollout over all layers."""
    return anatomy.rollout(seen(fingerprint, key, _run, _subject).attention)


@st.cache_data(max_entries=64, show_spinner=False)
def enlarged(data: tuple, key: str, grid: tuple[int, int], _subject: Subject) -> np.ndarray:
    """The network's square crop of an image, `[S, S, 3]` uint8, enlarged to a multiple of the grid."""
    side = anatomy.side_for(grid, cached.images(data).native_size)
    image = _subject.image()
    return np.asarray(image.resize((side, side), Image.Resampling.NEAREST) if crisp(data) else square(image, side))


@st.cache_data(max_entries=64, show_spinner=False)
def portrait(data: tuple, key: str, _subject: Subject) -> str:
    """The subject's image as a data URL."""
    return _data_url(data, _subject.image(), LARGE)


@st.cache_data(max_entries=1024, show_spinner=False)
def standing(fingerprint: str, codebook: int, word: int, _run: RunDir) -> list[str]:
    """Data URLs of small database images with this codeword."""
    stored, data = cached.arrays(_run), cached.run_data(_run)
    rows = codebooks.members(stored.codes[:, codebook], word, EXAMPLES)
    return [of_row(data, row, THUMB) for row in cached.images(data).rows_of(stored.database_ids[rows])]


@st.cache_data(max_entries=256, show_spinner=False)
def faces(fingerprint: str, words: tuple[tuple[int, ...], ...], _run: RunDir) -> list[list[list[str]]]:
    """`standing` for several codewords of each codebook."""
    return [[standing(fingerprint, m, word, _run) for word in row] for m, row in enumerate(words)]


def bits(stored: Retrieval) -> int:
    """Bits of a binary code of as many bytes as the run's own, at most 256 bits."""
    return min(256, 8 * len(stored.codebooks))


@st.cache_resource(max_entries=8, show_spinner="Fitting the code …")
def other_code(fingerprint: str, name: str, _run: RunDir) -> tuple[hashes.Code, np.ndarray]:
    """A code of bits or trees, fitted on a sample of the decoded database, and the rows of that sample."""
    stored = cached.arrays(_run)
    rows = sample(np.arange(len(stored.codes)), hashes.ITEMS, seed=0, purpose="other code")
    items = decode(stored.codebooks, stored.codes[rows])
    options = {} if name == TREES else {"bits": bits(stored)}
    return hashes.fit_code(name, items, **options), rows


def crisp(data: tuple) -> bool:
    """Whether images are so small that their pixels should stay visible."""
    size = cached.images(data).native_size
    return size is not None and size <= CRISP


@st.cache_data(max_entries=256, show_spinner=False)
def of_row(data: tuple, row: int, side: int = LARGE) -> str:
    """An image of the data set as a data URL."""
    images = cached.images(data)
    try:
        image = images.image(row)
    except InputError:
        image = placeholder(str(images.ids[row]))
    return _data_url(data, image, side)


def _data_url(data: tuple, image: Image.Image, side: int) -> str:
    return data_url(image if crisp(data) else square(image, side), exact=crisp(data))
