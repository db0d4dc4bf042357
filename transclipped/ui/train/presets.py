"""Presets of the Train form, and the numbers that it suits to the images until somebody chooses others."""

from __future__ import annotations

import streamlit as st

from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.training.defaults import suited_batch, suited_epochs
from transclipped.ui import links
from transclipped.ui.train.link import key

QUICK, CAREFUL = "quick", "careful"
PRESETS = {QUICK: "Small sample", CAREFUL: "Careful"}  # how long either takes, the estimate alone may say
SUITED = ("batch", "epochs")  # settings that follow from the number of training images
HELP = (
    "Fills in the settings below; each can be changed afterwards. Small sample: 2,000 images and 8 epochs, "
    "for a first look. Careful: all images."
)


def preset(name: str, dataset: str, protocol: str | None) -> dict[str, int | None]:
    """What a preset fills in, by widget. Limits of None mean all images."""
    if name == QUICK:
        limits = {"train": 2000, "database": 2000, "query": 200, "validation": 200 if dataset in BUNDLED_SETS else 0}
        return {**limits, "epochs": 8, "batch": 128, "views": 2}
    validation = {"cifar10": 500 if protocol == "II" else 2000, "caltech101": 200, "collage": 200}.get(dataset, 0)
    batch = 256 if dataset == "cifar10" else 128
    return {"train": None, "database": None, "query": None, "validation": validation,
            "epochs": 8 if dataset == "cifar10" else 16, "batch": batch, "views": 4}  # fmt: skip


def choose() -> None:
    """Draw the choice of a preset; another one fills in its values."""
    state = st.session_state
    chosen = links.choose(
        st.segmented_control, "Preset", PRESETS, key="preset", default=QUICK, required=True, help=HELP
    )
    if state.get("filled", chosen) != chosen:
        fill()
    state["filled"] = chosen


def take_linked() -> None:
    """Numbers that stand in the address are the visitor's."""
    state = st.session_state
    for name in SUITED:
        if key(name) in state and f"chosen {name}" not in state:
            state[f"chosen {name}"], state[f"suited {name}"] = True, None


def fill(*, only_new: bool = False) -> None:
    """Put the preset's values into the widgets, or only into those that have none yet."""
    state = st.session_state
    for name, value in _filling().items():
        if not only_new or key(name) not in state:
            state[key(name)] = value
            if name in SUITED:
                state[f"suited {name}"], state[f"chosen {name}"] = value, False


def fill_suited(images: int | None) -> str:
    """Put in batch and epochs that suit the number of training images, where nobody chose others; say so."""
    state, usual = st.session_state, _filling()
    if images is None:
        return ""
    state["suited batch"] = suited_batch(images, most=usual["batch"])
    _put_suited("batch")
    state["suited epochs"] = suited_epochs(images, state[key("batch")], least=usual["epochs"])
    _put_suited("epochs")
    now = {name: state[key(name)] for name in SUITED}
    if all(now[name] == usual[name] or state.get(f"chosen {name}") for name in SUITED):
        return ""
    return f"Batch {now['batch']} and {now['epochs']} epochs suit {images:,} training images."


def fill_validation() -> None:
    """As many validation images as the preset takes from the training set of this protocol."""
    st.session_state[key("validation")] = _filling()["validation"]


def mark_chosen(name: str) -> None:
    """From now on a number is the visitor's."""
    st.session_state[f"chosen {name}"] = True


def usual_values() -> dict[str, object]:
    """Values that the preset and the number of images fill in now, by key of the widget."""
    suited = {key(name): st.session_state[f"suited {name}"] for name in SUITED}
    return {key(name): value for name, value in _filling().items()} | suited


def _filling() -> dict[str, int | None]:
    """What the chosen preset fills in."""
    state = st.session_state
    return preset(state.get("preset") or QUICK, state.get(key("dataset"), "cifar10"), state.get(key("protocol")))


def _put_suited(name: str) -> None:
    if not st.session_state.get(f"chosen {name}"):
        st.session_state[key(name)] = st.session_state[f"suited {name}"]
