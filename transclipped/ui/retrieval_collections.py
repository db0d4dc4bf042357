"""Collections that a run has encoded, where a visitor keeps them."""

from __future__ import annotations

import os

import streamlit as st

from transclipped.collection import stamp
from transclipped.errors import InputError
from transclipped.training.records import read_collection
from transclipped.training.run import RunDir
from transclipped.ui import runs
from transclipped.ui.links import key_of

OWN = ""  # as a place to search: the run's own database


def known(run: RunDir) -> dict[str, str]:
    """Folders of this run's collections, directly below the folder of runs or inside the run, by their short names."""
    candidates = [*sorted(runs.home().glob("*/collection.json")), *sorted(run.path.glob("*/collection.json"))]
    if not candidates:
        return {}
    model = _model(run.fingerprint, run)
    found = {}
    for path in candidates:
        try:
            record = read_collection(path)
        except InputError:
            continue
        if record["model"] == model:
            there = os.fspath(path.parent)
            found[there if path.parent.name in found else path.parent.name] = there
    return found


def texts(known: dict[str, str], said: str | None) -> dict[str, str]:
    """What the choice of a place to search displays, by its name in the address.

    Args:
        said: in the address now; another folder, which a visitor typed, is its own name.
    """
    found = {OWN: "the run's own database", **known}
    return found if not said or key_of(said, found) is not None else {**found, said: said}


@st.cache_data(max_entries=32, show_spinner=False)
def _model(fingerprint: str, _run: RunDir) -> str | None:
    """Name of a run's model as collections note it; None where it cannot be read."""
    try:
        return stamp(_run.head().quantizer.codewords().detach().numpy())
    except InputError:
        return None
