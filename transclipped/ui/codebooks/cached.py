"""Cached calls behind the Codebooks page: keys are a run's fingerprint and settings; all bounded."""

from __future__ import annotations

from threading import Lock

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.turns import give_way, one_at_a_time

_coding = Lock()  # the first to code images by epoch ends first; it gives way to what is shorter alone


@st.cache_data(max_entries=16, show_spinner=False)
def usage(fingerprint: str, _run: RunDir) -> codebooks.Usage:
    found = cached.arrays(_run)
    return codebooks.usage(found.codes, found.codebooks.shape[1])


@st.cache_data(max_entries=16, show_spinner="Comparing the codebooks …")
def dependence(fingerprint: str, _run: RunDir) -> codebooks.Dependence:
    found = cached.arrays(_run)
    return codebooks.dependence(found.codes, found.codebooks.shape[1])


@st.cache_data(max_entries=16, show_spinner="Decoding the queries …")
def error(fingerprint: str, _run: RunDir) -> codebooks.Error:
    found = cached.arrays(_run)
    return codebooks.quantization_error(found.queries, found.codebooks)


@st.cache_data(max_entries=64, show_spinner=False)
def similarity(fingerprint: str, codebook: int, epoch: int | None, _run: RunDir) -> tuple[np.ndarray, np.ndarray]:
    """Cosines between the codewords of a codebook, and an order that groups them."""
    if epoch is None:
        words = cached.arrays(_run).codebooks[codebook]
    else:
        words = _run.head(epoch=epoch).quantizer.codewords()[codebook].detach().numpy()
    found = codebooks.similarity(words)
    return found, codebooks.arranged(found)


@st.cache_data(max_entries=64, show_spinner=False)
def classes(fingerprint: str, codebook: int, _run: RunDir) -> np.ndarray | None:
    """Items of each codeword and class; None without labels."""
    found = cached.arrays(_run)
    if found.database_labels is None:
        return None
    names = _run.record.get("class_names", [])
    k = found.codebooks.shape[1]
    return codebooks.class_counts(found.codes[:, codebook], found.database_labels, k=k, classes=len(names))


@st.cache_data(max_entries=16, show_spinner="Coding images by the head of each epoch …")
def by_epoch(fingerprint: str, _run: RunDir) -> codebooks.Epochs:
    with _coding:
        return _coded(_run)


@one_at_a_time
def _coded(run: RunDir) -> codebooks.Epochs:
    return codebooks.by_epoch(run, step=give_way)
