"""Presets of the Train form, and the batch and epochs that it adapts to the images until the visitor sets them."""

from __future__ import annotations

import streamlit as st

from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.training.defaults import default_batch, default_epochs
from transclipped.ui import links
from transclipped.ui.train.link import key

QUICK, CAREFUL = "quick", "careful"
PRESETS = {QUICK: "Small sample", CAREFUL: "Careful"}  # only the estimate says how long either takes
SUITED = ("batch", "epochs")  # settings that depend on the number of training images
HELP = (
    "Fills in the settings below; each can be changed afterwards. Small sample: 2,000 images and 8 epochs, "
    "for a first look. Careful: all images."
)


def preset(name: str, dataset: str, protocol: str | None) -> dict[str, int | None]:
    """Values of a preset by widget. A limit of None means all images."""
    if name == QUICK:
        limits = {"train": 2000, "database": 2000, "query": 200, "validation": 200 if dataset in BUNDLED_SETS else 0}
        return {**limits, "epochs": 8, "batch": 128, "views": 2}
    validation = {"cifar10": 500 if protocol == "II" else 2000, "caltech101": 200, "collage": 200}.get(dataset, 0)
    limits = {"train": None, "database": None, "query": None, "validation": validation}
    epochs, batch = (8, 256) if dataset == "cifar10" else (16, 128)
    return {**limits, "epochs": epochs, "batch": batch, "views": 4}


def choose() -> None:
    """Draw the choice of a preset; a new choice fills in its values."""
    state, options = st.session_state, {"default": QUICK, "required": True, "help": HELP}
    chosen = links.choose(st.segmented_control, "Preset", PRESETS, key="preset", **options)
    if state.get("filled", chosen) != chosen:
        fill()
    state["filled"] = chosen


def keep_linked() -> None:
    """Mark numbers from the address as chosen by the visitor."""
    state = st.session_state
    for name in SUITED:
        if key(name) in state and f"chosen {name}" not in state:
            state[f"chosen {name}"], state[f"suited {name}"] = True, None


def fill(*, only_new: bool = False) -> None:
    """Put the preset's values into the widgets, or only into those without a value."""
    state = st.session_state
    for name, value in _current().items():
        if not only_new or key(name) not in state:
            state[key(name)] = value
            if name in SUITED:
                state[f"suited {name}"], state[f"chosen {name}"] = value, False


def fill_suited(images: int | None) -> str:
    """Adapt batch and epochs to the number of training images unless the visitor chose them; returns a note on it."""
    state, values = st.session_state, _current()
    if images is None:
        return ""
    state["suited batch"] = default_batch(images, most=values["batch"])
    _put_suited("batch")
    state["suited epochs"] = default_epochs(images, state[key("batch")], least=values["epochs"])
    _put_suited("epochs")
    if all(state[key(name)] == values[name] or state.get(f"chosen {name}") for name in SUITED):
        return ""
    return f"Batch {state[key('batch')]} and {state[key('epochs')]} epochs suit {images:,} training images."


def fill_validation() -> None:
    """Put in the preset's number of validation images for this protocol, if one is chosen."""
    if st.session_state[key("protocol")] is not None:
        st.session_state[key("validation")] = _current()["validation"]


def mark_chosen(name: str) -> None:
    """Mark a number as chosen by the visitor."""
    st.session_state[f"chosen {name}"] = True


def defaults() -> dict[str, object]:
    """Values that the preset and the number of images give now, by key of the widget."""
    suited = {key(name): st.session_state[f"suited {name}"] for name in SUITED}
    return {key(name): value for name, value in _current().items()} | suited


def _current() -> dict[str, int | None]:
    """Values of the chosen preset."""
    state = st.session_state
    return preset(state.get("preset") or QUICK, state.get(key("dataset"), "cifar10"), state.get(key("protocol")))


def _put_suited(name: str) -> None:
    if not st.session_state.get(f"chosen {name}"):
        st.session_state[key(name)] = st.session_state[f"suited {name}"]
