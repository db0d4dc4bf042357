"""Runs suited to a visitor's images: photographs need a run trained on photographs."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st
from PIL import Image

from transclipped.config import IDENTITY
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import runs
from transclipped.ui.text import plain

ICON = 64  # pixels: an image whose shorter side is at most this is an icon, as in CIFAR-10
PHOTOGRAPH = 96  # pixels: an image whose shorter side is at least this is a photograph
PHOTOGRAPHS = "caltech101"  # the bundled data set of photographs


def coders() -> dict[str, RunDir]:
    """Finished runs that can encode images, by name."""
    return {name: run for name, run in runs.all_runs().items() if _codes(run)}


def for_photographs() -> RunDir | None:
    """The bundled run best suited to photographs, a hybrid with clipping; None if there is none."""
    bundled = [run for run in coders().values() if runs.BUNDLED in run.path.parents]
    suited = [run for run in bundled if run.config.data.dataset == PHOTOGRAPHS]
    return min(suited, key=runs.rank, default=None)


def of_icons(run: RunDir) -> bool:
    """Whether a run's database consists of icons."""
    size = run.record.get("native_size")
    return isinstance(size, int) and size <= ICON


def hint(run: RunDir, images: Iterable[Image.Image]) -> None:
    """Offer the run for photographs if one of the images is a photograph and the database consists of icons."""
    if not of_icons(run) or not any(min(image.size) >= PHOTOGRAPH for image in images):
        return
    better = for_photographs()
    if better is None or better.name == run.name:
        return
    kinds = len(run.record.get("class_names") or ())
    content = f"{kinds} classes" if kinds else f"images of {int(run.record['native_size'])} pixels per side"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="photographs"):
        st.markdown(f"This database has {content}. For photographs, use *{plain(better.name)}*.", width="stretch")
        st.button("Switch to it", key="for photographs", icon=":material/swap_horiz:", on_click=choose, args=(better,))


def choose(run: RunDir, **state: object) -> None:
    """Select a run on all pages; a callback, since the sidebar's widget already exists.

    Args:
        state: other values of the session, by key.
    """
    runs.look_at(run.name)
    st.session_state.update(state)


def _codes(run: RunDir) -> bool:
    try:
        images = run.config.backbone.name != IDENTITY
    except InputError:
        return False
    return images and all((run.path / name).exists() for name in ("model.safetensors", "metrics.json"))
