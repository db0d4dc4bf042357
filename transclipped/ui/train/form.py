"""The settings of a training, as a form: presets fill it, a link can, and the result is a checked configuration."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.clipping import RULES
from transclipped.config import DataConfig, RunConfig
from transclipped.errors import InputError
from transclipped.flags import configured
from transclipped.ui.text import plain
from transclipped.ui.train import check as train_check
from transclipped.ui.train import images, network, presets, schedule
from transclipped.ui.train import link as train_link

RULE = "adaptive"  # at first
COMPARED = ("quantized", "continuous", "backbone")
FIRST = {  # values of widgets before anybody chose; the preset fills in the others
    **images.FIRST,
    **network.FIRST,
    **schedule.FIRST,
    train_link.key("on"): "quantized",
    train_link.key("start"): 0.0,
    train_link.key("full"): 0.0,
}
LINKED = {  # name in the address: key of the widget, and how its value is read
    **images.LINKED,
    **network.LINKED,
    **schedule.LINKED,
    "on": (train_link.key("on"), train_link.one_of(COMPARED)),
    "start": (train_link.key("start"), train_link.number(float, 0.0, 1000.0)),
    "full": (train_link.key("full"), train_link.number(float, 0.0, 1000.0)),
    "name": ("name", train_link.text),
}
HIDDEN = ("data.train_limit", "data.validation", "schedule.batch", "select")  # fields below More settings
HELP = {
    "rule": "Which negatives are taken for false and left out of the loss. Training never sees labels.",
    "treatment": "remove: a clipped pair leaves the loss. clamp: its similarity is held where the clipping begins.",
    "on": "Which embeddings the rule compares: after the quantizer, before it, or the backbone's.",
    "warm-up": "Early similarities mean little: clipping may begin at an epoch and reach full strength later.",
}


@dataclass(frozen=True)
class Form:
    """The result of the form.

    Attributes:
        problems: what keeps it from training, by setting; none of them before the images were looked at.
        note: which numbers were suited to the images, "" if none.
    """

    config: RunConfig
    problems: dict[str, str]
    note: str


def form() -> Form:
    """Draw the form, each problem beside its field.

    Raises:
        InputError: settings that cannot be; the rest of the form is drawn already.
    """
    train_link.restore(LINKED)
    presets.take_linked()
    for name, value in FIRST.items():
        st.session_state.setdefault(name, value)
    places: dict[str, DeltaGenerator] = {}
    presets.choose()
    left, middle, right = st.columns(3)
    with left:
        changes = images.which(places)
    presets.fill(only_new=True)
    with middle:
        changes |= _clipping()
    with right:
        changes |= network.model(changes["data.dataset"], places)
    with st.expander("More settings", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            changes |= images.limits(places)
        note = presets.fill_suited(_training_images(changes))
        with middle:
            changes |= schedule.steps(places)
        with right:
            changes |= _details(changes["clipping.rule"], changes.get("backbone.name"), places)
    usual = {**FIRST, **presets.usual_values(), **network.usual_values(changes["data.dataset"])}
    train_link.remember(LINKED, usual)
    _refuse_pairs(changes, places)
    config = configured(RunConfig(), changes)
    problems = train_check.problems(config)
    for setting, sentence in problems.items():
        if setting in places:
            missing = setting == "data.data" and not config.data.data  # nothing is wrong yet
            (places[setting].info if missing else places[setting].error)(plain(sentence))
    return Form(config, problems, note)


def _refuse_pairs(changes: dict, places: dict[str, DeltaGenerator]) -> None:
    """Settings that cannot be together, said beside the one to change.

    Raises:
        InputError: there are such.
    """
    if changes["select"] == "validation" and not changes["data.validation"]:
        sentence = "The best epoch by validation needs validation images: set some aside, such as 200, or keep last."
        places["select"].error(sentence)
        raise InputError(sentence, setting="select")
    if changes.get("clipping.start", 0) > changes.get("clipping.full", 0):
        places["clipping.full"].error("Clipping cannot be at its full strength before it begins.")


def _training_images(changes: dict) -> int | None:
    """How many images train with these settings; None as long as there are none."""
    data = {path.removeprefix("data."): value for path, value in changes.items() if path.startswith("data.")}
    try:
        return len(train_check.look(DataConfig(**data))[1].train)
    except InputError:  # said beside the field
        return None


def usual() -> RunConfig:
    """The configuration before anything is chosen."""
    values = presets.preset(presets.QUICK, "cifar10", "I")
    limits = {f"data.{name}_limit": values[name] for name in ("train", "database", "query")}
    steps = {f"schedule.{name}": values[name] for name in ("epochs", "batch", "views")}
    others = {"data.dataset": "cifar10", "data.protocol": "I", "data.validation": values["validation"]}
    others |= {"backbone.name": network.backbones("cifar10")[0], "clipping.rule": RULE}
    others |= {f"clipping.{amount.field}": amount.start for amount in RULES[RULE].settings}
    others |= {"quantizer.bits": network.BITS, "loss.temperature": network.TAU}
    return configured(RunConfig(), limits | steps | others)


def stem(config: RunConfig) -> str:
    """A name for a run, from what tells it from others."""
    rule = config.clipping.rule.replace("+", "-")
    return f"{config.data.dataset}-{rule}-{config.quantizer.bits}-s{config.seed}"


def _clipping() -> dict:
    rule = st.selectbox(
        "Clipping rule", list(RULES), index=list(RULES).index(RULE), key="rule", bind="query-params",
        help=HELP["rule"],
    )  # fmt: skip
    st.caption(f"Clips {plain(RULES[rule].does)}.")
    changes = {"clipping.rule": rule}
    for amount in RULES[rule].settings:
        changes[f"clipping.{amount.field}"] = st.slider(
            plain(amount.label), *amount.range, amount.start, amount.step, key=amount.key, bind="query-params"
        )
    if RULES[rule].clips:
        changes["clipping.treatment"] = st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", required=True, key="treatment",
            bind="query-params", help=HELP["treatment"],
        )  # fmt: skip
    return changes


def _details(rule: str, backbone: str | None, places: dict[str, DeltaGenerator]) -> dict:
    changes = {}
    if rule != "none":
        if RULES[rule].clips:
            changes["clipping.on"] = st.selectbox(
                "Compared embeddings", COMPARED, key=train_link.key("on"), help=HELP["on"]
            )
        begin, full = st.columns(2)
        changes["clipping.start"] = begin.number_input(
            "Clip from epoch", 0.0, 1000.0, step=0.5, key=train_link.key("start"), help=HELP["warm-up"]
        )
        changes["clipping.full"] = full.number_input(
            "fully from", 0.0, 1000.0, step=0.5, key=train_link.key("full"), help=HELP["warm-up"]
        )
        places["clipping.full"] = st.empty()
    if backbone is not None:
        changes |= network.trained_part()
    changes |= schedule.selection(places)
    return changes
