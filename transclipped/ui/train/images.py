"""Fields of the Train form for the images: data set, path, labels, and how many images to use."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.config import ANNOTATIONS, POTENTIAL
from transclipped.datasets.registry import names as dataset_names
from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.ui.text import plain
from transclipped.ui.train import presets
from transclipped.ui.train.link import key, number, one_of, text

MOST = 10_000_000  # images of a limit
DEFAULTS = {key("dataset"): BUNDLED_SETS[0], key("protocol"): "I", key("annotations"): POTENTIAL, key("seed"): 0}
LINKED = {  # name in the address: key of the widget, and how to parse its value
    "dataset": (key("dataset"), one_of(dataset_names())),
    "folder": (key("data"), text),
    "labels": (key("labels"), text),
    "lists": (key("lists"), text),
    "annotations": (key("annotations"), one_of(ANNOTATIONS)),
    "protocol": (key("protocol"), one_of(("I", "II"))),
    "seed": (key("seed"), number(int, 0, 99_999)),
    "train": (key("train"), number(int, 1, MOST)),
    "database": (key("database"), number(int, 1, MOST)),
    "queries": (key("query"), number(int, 1, MOST)),
    "validation": (key("validation"), number(int, 0, 100_000)),
}
HELP = {
    "dataset": "The images to train on and to search.",
    "protocol": "I trains on the whole database, II on 500 images per class, sampled by label.",
    "data": "A folder on the machine that runs this app; for embeddings, a .npy, .npz or .parquet file.",
    "labels": "A CSV with columns id and label, for evaluation only. Without it, sub-folders name the classes.",
    "lists": "For evaluation only. Leave it empty if the lists are inside the image folder.",
    "annotations": "Labels for evaluation: the literature's 24, MIRFLICKR's 14 stricter ones, or both.",
    "seed": "The same seed on the same machine gives the same result.",
    "validation": "Images held out from training to monitor mAP with labels; 0 for none. Never queries.",
    "limit": "Maximum number; empty for all.",
}


def source(slots: dict[str, DeltaGenerator]) -> dict:
    """Draw the choice of images; returns the settings, and in `slots` where problems go."""
    dataset = st.selectbox("Data set", list(dataset_names()), key=key("dataset"), on_change=_suit, help=HELP["dataset"])
    st.caption(f"{plain(dataset_names()[dataset])}.")
    changes = {"data.dataset": dataset}
    if dataset == "cifar10":
        options = {"required": True, "key": key("protocol"), "on_change": presets.fill_validation}
        changes["data.protocol"] = st.segmented_control("Protocol", ["I", "II"], help=HELP["protocol"], **options)
    if dataset not in BUNDLED_SETS:
        changes["data.data"] = st.text_input("Folder or file", key=key("data"), help=HELP["data"]).strip() or None
        slots["data.data"] = st.empty()
        name, label = ("labels", "Labels (CSV)") if dataset in ("folder", "embeddings") else ("lists", "Label lists")
        labels = st.text_input(label, key=key(name), placeholder="optional", help=HELP[name])
        changes["data.labels"] = labels.strip() or None
        slots["data.labels"] = st.empty()
    if dataset == "mirflickr":
        changes["data.annotations"] = st.segmented_control(
            "Annotations", ANNOTATIONS, required=True, key=key("annotations"), help=HELP["annotations"]
        )
    changes["seed"] = int(st.number_input("Seed", 0, 99_999, key=key("seed"), help=HELP["seed"]))
    return changes


def limits(slots: dict[str, DeltaGenerator], ask: Callable) -> dict:
    """Draw the numbers of images by `link.field`; returns the settings."""
    changes = {}
    for name, label in (("train", "Training"), ("database", "Database"), ("query", "Query")):
        options = {"key": key(name), "placeholder": "all", "help": HELP["limit"]}
        changes[f"data.{name}_limit"] = ask(st.number_input, f"{label} images", 1, MOST, None, 100, **options)
        slots[f"data.{name}_limit"] = st.empty()
    changes["data.validation"] = ask(
        st.number_input, "Validation images", 0, 100_000, step=100, key=key("validation"), help=HELP["validation"]
    )
    slots["data.validation"] = st.empty()
    return changes


def for_folder(folder: str, labels: str) -> None:
    """Put a folder and its labels into the form, with the preset's values for a folder."""
    state = st.session_state
    for name in ("backbone", *presets.preset(presets.QUICK, "folder", None)):
        state.pop(key(name), None)
    state[key("dataset")], state[key("data")], state[key("labels")] = "folder", folder, labels


def _suit() -> None:
    """Fill in the preset and the backbone of another data set."""
    presets.fill()
    st.session_state.pop(key("backbone"), None)
