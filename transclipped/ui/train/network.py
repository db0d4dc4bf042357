"""Fields of the Train form for the model and its training: backbone, bits, temperature, and the schedule."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.config import GREYS, SIMCLR, WITHOUT_NEGATIVES, suited_backbone
from transclipped.models import zoo
from transclipped.ui import access
from transclipped.ui.train.link import key, number, one_of, text
from transclipped.ui.train.presets import mark_chosen

OTHER = "another of timm's …"  # in links, so its wording stays
BITS, TAU = 32, 0.3  # defaults
BITS_OFFERED = (16, 32, 64)
LAYERS = {"frozen": "head", "last-1": "head and last block", "last-2": "head and last 2 blocks", "all": "everything"}
OBJECTIVE_TEXTS = {
    SIMCLR: "NT-Xent (SimCLR)",
    "moco": "NT-Xent with a queue (MoCo)",
    "byol": "BYOL",
    "barlow": "Barlow Twins",
    "vicreg": "VICReg",
}
SELECTIONS = ("last", "validation")
COLOUR = "colour"
CHANNELS = {COLOUR: "three, in colour"} | {name: f"one, as {name}" for name in GREYS}
DEFAULTS = {key("bits"): BITS, key("learns"): "frozen", key("lr"): 3e-3, key("select"): "last", key("grey"): COLOUR}
DEFAULTS |= {key("objective"): SIMCLR}
LINKED = {  # name in the address: key of the widget, and how to parse its value
    "backbone": (key("backbone"), one_of((*zoo.BUNDLED, OTHER))),
    "timm": (key("timm"), text),
    "bits": (key("bits"), one_of(BITS_OFFERED)),
    "learns": (key("learns"), one_of(LAYERS)),
    "objective": (key("objective"), one_of(OBJECTIVE_TEXTS)),
    "epochs": (key("epochs"), number(int, 1, 1000)),
    "batch": (key("batch"), number(int, 2, 2048)),
    "lr": (key("lr"), number(float, 1e-5, 1.0)),
    "views": (key("views"), number(int, 2, 16)),
    "select": (key("select"), one_of(SELECTIONS)),
    "grey": (key("grey"), one_of(CHANNELS)),
}
HELP = {
    "backbone": "Turns an image into the embedding that the head is trained on. The parts of the bundled ones were "
    "trained on ImageNet and its labels; training here uses no label of your images.",
    "timm": "Such as vit_small_patch16_224.dino. Its weights are downloaded once, which needs a network connection.",
    "learns": "With the head only, images are encoded once; otherwise in every epoch, which takes much longer.",
    "objective": "What pulls views of an image together, and what keeps images apart: negatives (NT-Xent, MoCo), a "
    "predictor (BYOL), or statistics of the batch (Barlow Twins, VICReg). MoCo and BYOL use a slow copy of the head, "
    "which is nearly pointless while the backbone is frozen.",
    "bits": "Code length: 2, 4 or 8 bytes per image.",
    "tau": "Of the contrastive loss: a smaller τ weights the most similar negatives more. The default is 0.3, where "
    "validation chose c = 2; over all settings, the study on Benchmarks chose 0.2 with c = 1.5.",
    "epochs": "Passes over the training images.",
    "batch": "Images per step; each gives two views, so an anchor has 2 · batch − 2 negatives.",
    "lr": "Peak learning rate of the head: linear warm-up, then cosine decay.",
    "views": "Encoded versions of each image: original, mirrored, the others augmented.",
    "grey": "For measurements such as radar images: padded or cut to a frame instead of scaled (but CIFAR-10 and "
    "Fashion-MNIST are scaled), one grey value in all three channels, normalised by the named network's constants.",
    "select": "last: of the last epoch. validation: of the epoch with the best validation mAP, which uses labels.",
}


def backbones(dataset: str) -> list[str]:
    """Bundled backbones whose weights exist, the one suited to the data set first."""
    return sorted(zoo.available(), key=lambda name: name != suited_backbone(dataset)) or [zoo.CNN]


def model(dataset: str, slots: dict[str, DeltaGenerator]) -> dict:
    """Draw backbone, bits and temperature; returns the settings."""
    changes = {}
    if dataset != "embeddings":
        names = [*backbones(dataset), *([OTHER] if access.may() else [])]
        texts = {OTHER: "Another timm model …"}
        name = st.selectbox(
            "Backbone", names, key=key("backbone"), format_func=lambda n: texts.get(n, n), help=HELP["backbone"]
        )
        if name in zoo.BUNDLED:
            st.caption(f"{zoo.BUNDLED[name].words}.")
        else:
            name = st.text_input("Name in timm", key=key("timm"), help=HELP["timm"]).strip() or backbones(dataset)[0]
        changes["backbone.name"] = name
        slots["backbone.name"] = st.empty()
    changes["quantizer.bits"] = st.segmented_control(
        "Bits", BITS_OFFERED, required=True, key=key("bits"), help=HELP["bits"]
    )
    changes["loss.temperature"] = st.slider(
        "Temperature τ", 0.05, 1.0, TAU, 0.01, key="tau", bind="query-params", help=HELP["tau"]
    )
    return changes


def steps(slots: dict[str, DeltaGenerator], ask: Callable) -> dict:
    """Draw epochs, batch, learning rate and views by `link.field`; returns the settings."""
    changes = {}
    for name, label, low, high in (("epochs", "Epochs", 1, 1000), ("batch", "Batch", 2, 2048)):
        options = {"key": key(name), "help": HELP[name], "on_change": mark_chosen, "args": (name,)}
        changes[f"schedule.{name}"] = ask(st.number_input, label, low, high, **options)
    slots["schedule.batch"] = st.empty()
    changes["schedule.lr"] = ask(
        st.number_input, "Learning rate", 1e-5, 1.0, step=1e-3, format="%.5f", key=key("lr"), help=HELP["lr"]
    )
    changes["schedule.views"] = ask(st.number_input, "Views", 2, 16, key=key("views"), help=HELP["views"])
    return changes


def details(backbone: str | None, slots: dict[str, DeltaGenerator], ask: Callable) -> dict:
    """Draw objective, trainable layers and checkpoint to keep by `link.field`; returns the settings."""
    options = {"key": key("objective"), "format_func": OBJECTIVE_TEXTS.get, "help": HELP["objective"]}
    changes = {"loss.objective": ask(st.selectbox, "Objective", list(OBJECTIVE_TEXTS), **options)}
    if changes["loss.objective"] in WITHOUT_NEGATIVES:
        st.caption("It has no negatives, so nothing is clipped.")
    if backbone is not None:
        options = {"key": key("learns"), "format_func": LAYERS.get, "help": HELP["learns"]}
        changes["backbone.train"] = ask(st.selectbox, "Trainable layers", list(LAYERS), **options)
        options = {"key": key("grey"), "format_func": CHANNELS.get, "help": HELP["grey"]}
        grey = ask(st.selectbox, "Channels", list(CHANNELS), **options)
        changes["backbone.grey"] = None if grey == COLOUR else grey
    changes["select"] = ask(st.selectbox, "Checkpoint", SELECTIONS, key=key("select"), help=HELP["select"])
    slots["select"] = st.empty()
    return changes
