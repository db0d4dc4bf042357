"""Fields of the Train form that say what learns: the backbone, the length of a code, the temperature."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.config import suited_backbone
from transclipped.models import zoo
from transclipped.ui import access
from transclipped.ui.train.link import key, one_of, text

OTHER = "another of timm's …"
BITS, TAU = 32, 0.3  # at first
BITS_OFFERED = (16, 32, 64)
LEARNS = {
    "frozen": "head only",
    "last-1": "head and last block",
    "last-2": "head and last 2 blocks",
    "all": "all of it",
}
FIRST = {key("bits"): BITS, key("learns"): "frozen"}  # values of widgets before anybody chose
LINKED = {  # name in the address: key of the widget, and how its value is read
    "backbone": (key("backbone"), one_of((*zoo.BUNDLED, OTHER))),
    "timm": (key("timm"), text),
    "bits": (key("bits"), one_of(BITS_OFFERED)),
    "learns": (key("learns"), one_of(LEARNS)),
}
HELP = {
    "backbone": "Turns an image into the embedding that the head learns from.",
    "timm": "Such as vit_small_patch16_224.dino. Its weights are fetched once; without a network, a sentence says so.",
    "learns": "With the head only, images are encoded once; otherwise in every epoch, which takes much longer.",
    "bits": "Length of a code: 2, 4 or 8 bytes an image.",
    "tau": "Of the contrastive loss: the smaller, the more the most similar negatives count. This form "
    "begins at 0.3, where validation chose c = 2; over all, the study on Benchmarks chose 0.2 with c = 1.5.",
}


def backbones(dataset: str) -> list[str]:
    """Bundled backbones whose weights are there, the one that suits the data set first."""
    return sorted(zoo.available(), key=lambda name: name != suited_backbone(dataset)) or [zoo.CNN]


def usual_values(dataset: str) -> dict[str, object]:
    """The backbone that the form fills in itself, by key of the widget."""
    return {key("backbone"): backbones(dataset)[0]}


def model(dataset: str, places: dict[str, DeltaGenerator]) -> dict:
    """Backbone, bits and temperature; returns the settings."""
    changes = {}
    if dataset != "embeddings":
        names = [*backbones(dataset), *([OTHER] if access.may() else [])]
        name = st.selectbox("Backbone", names, key=key("backbone"), help=HELP["backbone"])
        if name in zoo.BUNDLED:
            st.caption(f"{zoo.BUNDLED[name].words}.")
        else:
            name = st.text_input("Name in timm", key=key("timm"), help=HELP["timm"]).strip() or backbones(dataset)[0]
        changes["backbone.name"] = name
        places["backbone.name"] = st.empty()
    changes["quantizer.bits"] = st.segmented_control(
        "Bits", BITS_OFFERED, required=True, key=key("bits"), help=HELP["bits"]
    )
    changes["loss.temperature"] = st.slider(
        "Temperature τ", 0.05, 1.0, TAU, 0.01, key="tau", bind="query-params", help=HELP["tau"]
    )
    return changes


def trained_part() -> dict:
    """How much of the backbone learns; returns the setting."""
    return {
        "backbone.train": st.selectbox(
            "What learns", list(LEARNS), key=key("learns"), format_func=LEARNS.get, help=HELP["learns"]
        )
    }
