"""Fields of the Train form that say how long and in which steps it learns, and which epoch is kept."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.ui.train.link import key, number, one_of
from transclipped.ui.train.presets import mark_chosen

SELECTIONS = ("last", "validation")
FIRST = {key("lr"): 3e-3, key("select"): "last"}  # values of widgets before anybody chose
LINKED = {  # name in the address: key of the widget, and how its value is read
    "epochs": (key("epochs"), number(int, 1, 1000)),
    "batch": (key("batch"), number(int, 2, 2048)),
    "lr": (key("lr"), number(float, 1e-5, 1.0)),
    "views": (key("views"), number(int, 2, 16)),
    "select": (key("select"), one_of(SELECTIONS)),
}
HELP = {
    "epochs": "Passes over the training images.",
    "batch": "Images a step; each brings two views, so an anchor has 2 · batch − 2 negatives.",
    "lr": "Peak learning rate of the head; it warms up, then falls as half a cosine.",
    "views": "Versions of each image that are encoded: plain, mirrored, the rest augmented.",
    "select": "last keeps the last epoch; validation the one of the best validation mAP, which uses labels.",
}


def steps(places: dict[str, DeltaGenerator]) -> dict:
    """Epochs, batch, learning rate and views; returns the settings."""
    changes = {
        "schedule.epochs": st.number_input(
            "Epochs", 1, 1000, key=key("epochs"), help=HELP["epochs"], on_change=mark_chosen, args=("epochs",)
        )
    }
    changes["schedule.batch"] = st.number_input(
        "Batch", 2, 2048, key=key("batch"), help=HELP["batch"], on_change=mark_chosen, args=("batch",)
    )
    places["schedule.batch"] = st.empty()
    changes["schedule.lr"] = st.number_input(
        "Learning rate", 1e-5, 1.0, step=1e-3, format="%.5f", key=key("lr"), help=HELP["lr"]
    )
    changes["schedule.views"] = st.number_input("Views", 2, 16, key=key("views"), help=HELP["views"])
    return changes


def selection(places: dict[str, DeltaGenerator]) -> dict:
    """Which epoch is kept; returns the setting."""
    epoch = st.selectbox("Epoch that is kept", SELECTIONS, key=key("select"), help=HELP["select"])
    places["select"] = st.empty()
    return {"select": epoch}
