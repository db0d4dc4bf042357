"""Cached calls of the Codebooks page, keyed by run fingerprint and settings; all bounded."""

from __future__ import annotations

from threading import Lock

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks
from transclipped.analysis import overlap as overlaps
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.turns import give_way, one_at_a_time

_coding = Lock()  # coding by epoch runs once at a time, and yields to shorter jobs


@st.cache_data(max_entries=16, show_spinner=False)
def usage(fingerprint: str, _run: RunDir) -> codebooks.Usage:
    arrays = cached.arrays(_run)
    return codebooks.usage(arrays.codes, arrays.codebooks.shape[1])


@st.cache_data(max_entries=16, show_spinner="Comparing the codebooks …")
def dependence(fingerprint: str, _run: RunDir) -> codebooks.Dependence:
    arrays = cached.arrays(_run)
    return codebooks.dependence(arrays.codes, arrays.codebooks.shape[1])


@st.cache_data(max_entries=16, show_spinner="Comparing the codebooks within each class …")
def overlap(fingerprint: str, _run: RunDir) -> overlaps.Overlap | None:
    arrays = cached.arrays(_run)
    return overlaps.overlap(dependence(fingerprint, _run), arrays.codes, arrays.database_labels)


@st.cache_data(max_entries=16, show_spinner="Decoding the queries …")
def error(fingerprint: str, _run: RunDir) -> codebooks.Error:
    arrays = cached.arrays(_run)
    return codebooks.quantization_error(arrays.queries, arrays.codebooks)


@st.cache_data(max_entries=64, show_spinner=False)
def similarity(fingerprint: str, codebook: int, epoch: int | None, _run: RunDir) -> tuple[np.ndarray, np.ndarray]:
    """Cosines between the codewords of a codebook, and an order that groups similar ones."""
    if epoch is None:
        words = cached.arrays(_run).codebooks[codebook]
    else:
        words = _run.head(epoch=epoch).quantizer.codewords()[codebook].detach().numpy()
    cosines = codebooks.similarity(words)
    return cosines, codebooks.similarity_order(cosines)


@st.cache_data(max_entries=64, show_spinner=False)
def classes(fingerprint: str, codebook: int, _run: RunDir) -> np.ndarray | None:
    """`[K, L]` images by codeword and class; None without labels."""
    arrays = cached.arrays(_run)
    if arrays.database_labels is None:
        return None
    k, n = arrays.codebooks.shape[1], len(_run.record.get("class_names", []))
    return codebooks.class_counts(arrays.codes[:, codebook], arrays.database_labels, k=k, classes=n)


@st.cache_data(max_entries=16, show_spinner="Coding images by the head of each epoch …")
def by_epoch(fingerprint: str, _run: RunDir) -> codebooks.Epochs:
    with _coding:
        return one_at_a_time(codebooks.by_epoch)(_run, step=give_way)
