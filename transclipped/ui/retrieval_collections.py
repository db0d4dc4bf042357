"""Collections that a run has encoded, where a visitor keeps them."""

from __future__ import annotations

import os

import streamlit as st

from transclipped.collection import stamp
from transclipped.errors import InputError
from transclipped.files import read_json
from transclipped.training.run import RunDir
from transclipped.ui import runs


def known(run: RunDir) -> list[str]:
    """Folders of this run's collections, directly below the folder of runs or inside the run, by name."""
    candidates = [*runs.home().glob("*/collection.json"), *run.path.glob("*/collection.json")]
    if not candidates:
        return []
    model = _model(run.fingerprint, run)
    found = []
    for path in sorted(candidates):
        try:
            record = read_json(path)
        except InputError:
            continue
        if isinstance(record, dict) and record.get("model") == model:
            found.append(os.fspath(path.parent))
    return list(dict.fromkeys(found))


@st.cache_data(max_entries=32, show_spinner=False)
def _model(fingerprint: str, _run: RunDir) -> str | None:
    """Name of a run's model as collections note it; None where it cannot be read."""
    try:
        return stamp(_run.head().quantizer.codewords().detach().numpy())
    except InputError:
        return None
