"""The settings of a training as a form, filled in by presets and links; the result is a checked configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.clipping import RULES
from transclipped.config import WITHOUT_NEGATIVES, DataConfig, RunConfig
from transclipped.errors import InputError
from transclipped.flags import configured
from transclipped.ui.text import plain
from transclipped.ui.train import check as train_check
from transclipped.ui.train import images, network, presets
from transclipped.ui.train import link as train_link
from transclipped.ui.train.link import key, number, one_of

ABOUT = "Train a [head] and a [quantizer] on unlabelled images. Training continues when this page is closed."
RULE = "adaptive"  # default
MORE = "more settings"  # whether they are open
COMPARED = ("quantized", "continuous", "backbone")
DEFAULTS = images.DEFAULTS | network.DEFAULTS  # of widgets; the preset gives the others
DEFAULTS |= {key("on"): "quantized", key("start"): 0.0, key("full"): 0.0}
LINKED = {  # name in the address: key of the widget, and how to parse its value
    **images.LINKED,
    **network.LINKED,
    "on": (key("on"), one_of(COMPARED)),
    "start": (key("start"), number(float, 0.0, 1000.0)),
    "full": (key("full"), number(float, 0.0, 1000.0)),
    "name": ("name", train_link.text),
}
FOLDED = "train database query validation epochs batch lr views objective learns grey select on start full"
REQUIRED = ("protocol", "annotations", "bits")  # choices that are never empty
HIDDEN = ("data.train_limit", "data.validation", "schedule.batch", "select")  # fields under More settings
HELP = {
    "rule": "Which negatives are treated as false and left out of the loss. Training never sees labels.",
    "treatment": "remove: a clipped pair leaves the loss. clamp: it stays, at a constant similarity.",
    "on": "Which embeddings the rule compares: after the quantizer, before it, or the backbone's.",
    "warm-up": "Similarities mean little early in training: clipping can start at one epoch and reach full strength "
    "at a later one.",
}


@dataclass(frozen=True)
class Form:
    """The content of the form.

    Attributes:
        problems: what prevents a training, by setting.
        note: which numbers were adapted to the images, "" if none.
    """

    config: RunConfig
    problems: dict[str, str]
    note: str


def form() -> Form:
    """Draw the form, with each problem beside its field.

    Raises:
        InputError: settings contradict each other; the whole form is drawn before that.
    """
    if MORE not in st.session_state:  # on arrival: forget the closed section, as Streamlit forgets other widgets
        for name in FOLDED.split():
            st.session_state.pop(key(name), None)
    for name in REQUIRED:  # a browser whose choice is overtaken by a rerun as it is drawn sends none
        if st.session_state.get(key(name), "") is None:
            del st.session_state[key(name)]
    train_link.restore(LINKED)
    presets.keep_linked()
    for name, value in DEFAULTS.items():
        st.session_state.setdefault(name, value)
    slots: dict[str, DeltaGenerator] = {}  # where the problem of a setting is drawn
    presets.choose()
    left, middle, right = st.columns(3)
    with left:
        changes = images.source(slots)
    presets.fill(only_new=True)
    with middle:
        changes |= _clipping()
    with right:
        changes |= network.model(changes["data.dataset"], slots)
    note = _more(changes, slots)
    backbone = {key("backbone"): network.backbones(changes["data.dataset"])[0]}
    train_link.remember(LINKED, {**DEFAULTS, **presets.defaults(), **backbone})
    _check_pairs(changes, slots)
    config = configured(RunConfig(), changes)
    problems = train_check.problems(config)
    for setting, sentence in problems.items():
        if setting in slots:
            untouched = setting == "data.data" and not config.data.data  # nothing is wrong yet
            (slots[setting].info if untouched else slots[setting].error)(plain(sentence))
    return Form(config, problems, note)


def _more(changes: dict, slots: dict[str, DeltaGenerator]) -> str:
    """Draw the settings that are seldom changed, and add them; returns a note on batch and epochs."""
    with st.expander("More settings", icon=":material/tune:", key=MORE, on_change="rerun") as more:
        ask = partial(train_link.field, opened=more.open)
        left, middle, right = st.columns(3)
        with left:
            changes |= images.limits(slots, ask)
        note = presets.fill_suited(_count_training_images(changes))
        with middle:
            changes |= network.steps(slots, ask)
        with right:
            changes |= _clipping_details(changes["clipping.rule"], slots, ask)
            changes |= network.details(changes.get("backbone.name"), slots, ask)
    return note


def _check_pairs(changes: dict, slots: dict[str, DeltaGenerator]) -> None:
    """Draw contradictions beside the setting to change; raises InputError where training cannot work."""
    if changes["select"] == "validation" and not changes["data.validation"]:
        sentence = "A checkpoint chosen by validation needs validation images: set a number, such as 200, or use last."
        slots["select"].error(sentence)
        raise InputError(sentence, setting="select")
    if changes.get("clipping.start", 0) > changes.get("clipping.full", 0):
        slots["clipping.full"].error("Clipping cannot reach full strength before it starts.")


def _count_training_images(changes: dict) -> int | None:
    data = {path.removeprefix("data."): value for path, value in changes.items() if path.startswith("data.")}
    try:
        return len(train_check.load_split(DataConfig(**data))[1].train)
    except InputError:  # drawn beside its field
        return None


def usual() -> RunConfig:
    """The configuration that the form starts with."""
    values = presets.preset(presets.QUICK, "cifar10", "I")
    limits = {f"data.{name}_limit": values[name] for name in ("train", "database", "query")}
    steps = {f"schedule.{name}": values[name] for name in ("epochs", "batch", "views")}
    others = {"data.dataset": "cifar10", "data.protocol": "I", "data.validation": values["validation"]}
    others |= {"backbone.name": network.backbones("cifar10")[0], "clipping.rule": RULE}
    others |= {f"clipping.{amount.field}": amount.start for amount in RULES[RULE].settings}
    others |= {"quantizer.bits": network.BITS, "loss.temperature": network.TAU}
    return configured(RunConfig(), limits | steps | others)


def stem(config: RunConfig) -> str:
    """A name for a run, made of its main settings."""
    objective, rule = config.loss.objective, config.clipping.rule.replace("+", "-")
    rule = objective if objective in WITHOUT_NEGATIVES else rule
    return f"{config.data.dataset}-{rule}-{config.quantizer.bits}-s{config.seed}"


def _clipping() -> dict:
    options = {"key": "rule", "bind": "query-params", "help": HELP["rule"]}
    rule = st.selectbox("Clipping rule", list(RULES), index=list(RULES).index(RULE), **options)
    if st.session_state.get(key("objective")) in WITHOUT_NEGATIVES:
        st.caption("The objective under More settings has no negatives, so nothing is clipped.")
    else:
        st.caption(f"Clips {plain(RULES[rule].does)}.")
    changes = {"clipping.rule": rule}
    for amount in RULES[rule].settings:
        changes[f"clipping.{amount.field}"] = st.slider(
            plain(amount.label), *amount.range, amount.start, amount.step, key=amount.key, bind="query-params"
        )
    if RULES[rule].clips:
        options = {"required": True, "key": "treatment", "bind": "query-params", "help": HELP["treatment"]}
        changes["clipping.treatment"] = st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", **options
        )
    return changes


def _clipping_details(rule: str, slots: dict[str, DeltaGenerator], ask: Callable) -> dict:
    changes = {}
    if rule != "none":
        if RULES[rule].clips:
            changes["clipping.on"] = ask(st.selectbox, "Compared embeddings", COMPARED, key=key("on"), help=HELP["on"])
        fields = ("start", "Clip from epoch"), ("full", "Full from epoch")
        for column, (name, label) in zip(st.columns(2), fields, strict=True):
            options = {"step": 0.5, "key": key(name), "help": HELP["warm-up"]}
            changes[f"clipping.{name}"] = ask(column.number_input, label, 0.0, 1000.0, **options)
        slots["clipping.full"] = st.empty()
    return changes
