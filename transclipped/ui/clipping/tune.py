"""Settings of the clipping rule, its slider over the histogram, and its effect on repulsion and loss.

The address names what was chosen, `?clip_rule=` and each slider by its key. An address without a rule means the run's
own, unless it sets a slider: then it means `threshold`, as links always did.
"""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from transclipped.analysis.clipping.dials import STEPS, Dial, nearest
from transclipped.analysis.clipping.report import Report
from transclipped.clipping import RULES, Amount, amount_for, turned
from transclipped.config import ClippingConfig
from transclipped.experiments.lab.curves import MapCurve
from transclipped.ui import absent, links, presenting
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping.batch import View
from transclipped.ui.components import histogram
from transclipped.ui.text import plain

RULE, TREATMENT, TAU = "clip_rule", "clip_treatment", "clip_tau"  # not Train's keys, which a switch of pages drops
AMOUNTS = "lab amounts"  # in the session: positions of the sliders as last set, by name in the address
OWN = "lab own"  # in the session: the settings that the page starts with
USUAL = "threshold"  # the rule of a run that clips by none with a slider
LABELS = "Computed with labels, which no rule uses."
HELP = {
    "treatment": "remove: clipped pairs leave the loss. clamp: their similarity is held constant, so they stay in the "
    "denominator without a gradient.",
    "tau": "τ divides the similarities in the loss: the smaller, the more the most similar negatives count.",
    "before": "Repulsion is the gradient that pushes negatives away. Share of all of it that falls on images of the "
    "anchor's class, without clipping. " + LABELS,
    "after": "The same share with clipping, of the repulsion that is left. It falls even where clipping goes too far: "
    "the price, above, is what true negatives lose. " + LABELS,
    "loss": "Mean contrastive loss of the batch in nats, and its change by clipping.",
}


def own(view: View) -> ClippingConfig:
    """The settings of the run, if its rule has a slider; otherwise the usual ones."""
    config = view.clipping
    if config is None or config.rule not in turned():
        return ClippingConfig(rule=USUAL, threshold=amount_for(USUAL).start)
    values = {amount.field: nearest(amount, getattr(config, amount.field)) for amount in RULES[config.rule].settings}
    return ClippingConfig(rule=config.rule, **values)


def begin(view: View) -> None:
    """Start from the view's own settings; sliders that were set stay."""
    st.session_state[OWN] = own(view)


def position(amount: Amount) -> float:
    """Position of a slider: from the address, or as last set, or its start."""
    positions, config = st.session_state.setdefault(AMOUNTS, {}), st.session_state.get(OWN)
    is_own = config is not None and amount in RULES[config.rule].settings
    start = getattr(config, amount.field) if is_own else amount.start
    text = st.query_params.get(amount.key)
    if text is not None:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if amount.dial[0] <= value <= amount.dial[1]:
            positions[amount.key] = value
        else:
            absent.missing(amount.key, text, instead=f"{positions.get(amount.key, start):g}")
    return nearest(amount, positions.get(amount.key, start))


def move(amount: Amount, value: float) -> None:
    """Set a slider, and the address with it."""
    st.session_state.setdefault(AMOUNTS, {})[amount.key] = value
    st.query_params[amount.key] = f"{value:g}"
    st.query_params[RULE] = current().rule


def choose(rule: str) -> None:
    """Select a rule; for callbacks."""
    st.session_state[RULE] = st.query_params[RULE] = rule


def current() -> ClippingConfig:
    """The selected rule and its settings, from the widgets' state or the address."""
    rule = st.session_state.get(RULE) or st.query_params.get(RULE)
    return config_of(rule if rule in turned() else _default())


def config_of(rule: str, treatment: str | None = None) -> ClippingConfig:
    """Any rule at the positions of its sliders."""
    treatment = treatment or st.session_state.get(TREATMENT) or "remove"
    values = {amount.field: position(amount) for amount in RULES[rule].settings if rule in turned()}
    return ClippingConfig(rule=rule, treatment=treatment, **values)


def _default() -> str:
    """The rule where the address names none."""
    if any(amount.key in st.query_params for rule in turned() for amount in RULES[rule].settings):
        return USUAL
    config = st.session_state.get(OWN)
    return USUAL if config is None else config.rule


def temperature(view: View) -> float:
    """The selected τ, by default the model's."""
    return st.session_state.get(TAU) or view.temperature


def controls(view: View) -> None:
    """Rule, treatment and temperature."""
    about = plain(" ".join(f"{rule}: clips {RULES[rule].does}." for rule in turned()))
    rules = {rule: rule for rule in turned()}
    with presenting.controls("Rule"), st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = {"key": RULE, "default": _default(), "required": True, "help": about}
        links.choose(st.segmented_control, "Rule", rules, **options)
        with st.popover("Treatment and τ", icon=":material/tune:"):
            treatments = {"default": "remove", "key": TREATMENT, "help": HELP["treatment"], "bind": "query-params"}
            st.segmented_control("Clipped pairs", ["remove", "clamp"], required=True, **treatments)
            temperature_control(view)


def temperature_control(view: View) -> None:
    """Temperature alone, for the section that shows all rules and treatments."""
    options = {"key": TAU, "bind": "query-params", "width": 220, "help": HELP["tau"]}
    st.slider("Temperature τ", 0.05, 1.0, view.temperature, 0.05, **options)


def counts(view: View) -> tuple[Dial, str]:
    """The current rule's counts along its slider, and a cache key."""
    return lab_batch.turned(view, current(), temperature=temperature(view))


def reached(view: View) -> MapCurve | None:
    """mAP of heads trained with the current rule on the lab set, along its slider; None if there are none."""
    return lab_batch.reached(current().rule, temperature(view))


def dial(view: View, *, figures: bool = True) -> Report:
    """The slider of the selected rule, and what it clips; with `figures`, over the histogram and its curves."""
    for other in RULES[current().rule].beside:
        _number(other)
    config, tau = current(), temperature(view)
    dial, version = counts(view)
    amount = position(RULES[config.rule].amount)

    def moved(rule: str, value: float) -> None:
        move(RULES[rule].amount, value)

    options = {"key": "dial", "on_amount": moved, "reached": reached(view), "figures": figures}
    histogram.draw(dial, amount=amount, version=version, **options)
    return lab_batch.report(view, config, temperature=tau)


def _number(amount: Amount) -> None:
    key, (low, high) = f"beside {amount.key}", amount.dial

    def moved() -> None:
        move(amount, nearest(amount, st.session_state[key]))

    options = {"format": "%.3f", "key": key, "on_change": moved, "width": int(220 * presenting.scale())}
    st.number_input(plain(amount.label), low, high, position(amount), (high - low) / STEPS, **options)


def effects(view: View, report: Report) -> None:
    """Pairs clipped, and repulsion and loss without and with clipping."""
    pairs, clipped = max(0, len(report.mask) * (len(report.mask) - 2)), int(report.mask.sum())
    sentence = f"This setting clips **{clipped:,}** of {pairs:,} pairs, {report.share:.1%}."
    if report.repulsion is not None:
        sentence += f" {int((report.mask & view.batch.false).sum()):,} of them are false negatives.{_left(view)}"
    st.markdown(sentence)
    columns, grey = st.columns(3), {"delta_color": "off", "delta_arrow": "off"}
    if report.repulsion is not None:
        before, after = (round(100 * share, 1) for share in report.repulsion)  # as displayed, so that they add up
        columns[0].metric("False negatives' share of repulsion", f"{before:.1f}%", help=HELP["before"])
        change = f"{after - before:+.1f} points".replace("-", "−")
        columns[1].metric("… of what clipping leaves", f"{after:.1f}%", change, help=HELP["after"], **grey)
    tau = temperature(view)
    unclipped, loss = (lab_batch.mean_loss(view, each, temperature=tau) for each in (config_of("none"), current()))
    change = f"{loss - unclipped:+.3f}".replace("-", "−")
    columns[2].metric("Mean loss", f"{loss:.3f} nats", change, help=HELP["loss"], **grey)


def _left(view: View) -> str:
    """What is removed of the repulsion, which explains the two shares below it."""
    if (removed := _removed(view)) is None:
        return ""
    price, gain = removed
    return (
        f" That takes away {gain:.0%} of the repulsion on false negatives and {price:.0%} of that on true ones, which "
        "changes the false ones' share of what is left:"
    )


def _removed(view: View) -> tuple[float, float] | None:
    """Share of the repulsion on true and on false negatives that the current setting removes; None if unknown."""
    dial, _ = counts(view)
    if not view.labelled or dial.removed is None:
        return None
    removed = dial.removed[int(abs(dial.amounts - position(RULES[current().rule].amount)).argmin())]
    return None if np.isnan(removed).any() else tuple(removed.tolist())


def sentence(view: View) -> str:
    """What the current setting does, to say to a class."""
    amount = RULES[current().rule].amount
    (dial, _), curve = counts(view), reached(view)
    k = int(abs(dial.amounts - position(amount)).argmin())
    text = f"At {plain(amount.symbol)} = {dial.amounts[k]:g}, clipping leaves out {dial.share[k]:.1%} of the pairs."
    if (removed := _removed(view)) is not None:
        price, gain = removed
        text += f" That takes away {gain:.0%} of the push on false negatives, and {price:.0%} of that on true ones."
    if curve is not None:
        value = float(curve.at(dial.amounts[k]))
        text += f" A head trained so reaches mAP {value:.3f}, without clipping {curve.none:.3f}."
    return text


def to_train(view: View) -> None:
    """A link to Train with this setting."""
    config = current()
    query = {"rule": config.rule, "treatment": config.treatment, "tau": f"{temperature(view):g}"}
    query |= {amount.key: f"{getattr(config, amount.field):g}" for amount in RULES[config.rule].settings}
    options = {"icon": ":material/model_training:", "query_params": query}
    st.page_link("pages/train.py", label="Train with this setting", **options)
