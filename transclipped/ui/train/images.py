"""Fields of the Train form that say which images: the data set, where it lies, its labels, and how many of each."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.config import ANNOTATIONS, POTENTIAL
from transclipped.datasets.registry import names as dataset_names
from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.ui.text import plain
from transclipped.ui.train import presets
from transclipped.ui.train.link import key, number, one_of, text

MOST = 10_000_000  # images of a limit
FIRST = {  # values of widgets before anybody chose
    key("dataset"): BUNDLED_SETS[0],
    key("protocol"): "I",
    key("annotations"): POTENTIAL,
    key("seed"): 0,
}
LINKED = {  # name in the address: key of the widget, and how its value is read
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
    "dataset": "The images that are learnt from and searched.",
    "protocol": "I trains on the whole database; II on 500 images a class of it, a draw that uses labels.",
    "data": "A folder on the machine that runs this app; for embeddings, a .npy, .npz or .parquet file.",
    "labels": "CSV with the columns id and label, only to measure with. Without it, sub-folders name the classes.",
    "lists": "Only to measure with. Leave it empty if the lists lie below the folder of the images.",
    "annotations": "Labels to measure by: the literature's 24, MIRFLICKR's 14 stricter ones, or both.",
    "seed": "Same seed and machine, same result.",
    "validation": "Images cut from the training set to watch mAP with, using labels; 0 for none. Never queries.",
    "limit": "At most so many; empty for all.",
}


def which(places: dict[str, DeltaGenerator]) -> dict:
    """The data set; returns the settings."""
    dataset = st.selectbox("Data set", list(dataset_names()), key=key("dataset"), on_change=_suit, help=HELP["dataset"])
    st.caption(f"{plain(dataset_names()[dataset])}.")
    changes = {"data.dataset": dataset}
    if dataset == "cifar10":
        changes["data.protocol"] = st.segmented_control(
            "Protocol", ["I", "II"], required=True, key=key("protocol"), on_change=presets.fill_validation,
            help=HELP["protocol"],
        )  # fmt: skip
    if dataset not in BUNDLED_SETS:
        changes["data.data"] = st.text_input("Folder or file", key=key("data"), help=HELP["data"]).strip() or None
        places["data.data"] = st.empty()
    if dataset in ("folder", "embeddings"):
        changes["data.labels"] = st.text_input("Labels (CSV)", key=key("labels"), help=HELP["labels"]).strip() or None
        places["data.labels"] = st.empty()
    if dataset in ("mirflickr", "nuswide"):
        lists = st.text_input("Folder of label lists", key=key("lists"), placeholder="optional", help=HELP["lists"])
        changes["data.labels"] = lists.strip() or None
        places["data.labels"] = st.empty()
    if dataset == "mirflickr":
        changes["data.annotations"] = st.segmented_control(
            "Annotations", ANNOTATIONS, required=True, key=key("annotations"),
            help=HELP["annotations"],
        )  # fmt: skip
    changes["seed"] = int(st.number_input("Seed", 0, 99_999, key=key("seed"), help=HELP["seed"]))
    return changes


def limits(places: dict[str, DeltaGenerator]) -> dict:
    """How many images at most; returns the settings."""
    changes = {}
    for name, label in (("train", "Training"), ("database", "Database"), ("query", "Query")):
        changes[f"data.{name}_limit"] = st.number_input(
            f"{label} images", 1, MOST, None, 100, key=key(name), placeholder="all", help=HELP["limit"]
        )
        places[f"data.{name}_limit"] = st.empty()
    changes["data.validation"] = st.number_input(
        "Validation images", 0, 100_000, step=100, key=key("validation"), help=HELP["validation"]
    )
    places["data.validation"] = st.empty()
    return changes


def for_folder(folder: str, labels: str) -> None:
    """Put a folder and its labels into the form, and what its preset fills in for a folder."""
    state = st.session_state
    for name in ("backbone", *presets.preset(presets.QUICK, "folder", None)):
        state.pop(key(name), None)
    state[key("dataset")], state[key("data")], state[key("labels")] = "folder", folder, labels


def _suit() -> None:
    """The preset and the backbone that suit another data set."""
    presets.fill()
    st.session_state.pop(key("backbone"), None)
