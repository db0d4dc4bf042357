"""Settings of the clipping rule, its slider over the histogram, its effect on the loss, and suggested thresholds."""

from __future__ import annotations

import math

import streamlit as st

from transclipped.analysis.clipping.dials import STEPS, nearest
from transclipped.analysis.clipping.mistakes import best_by_labels
from transclipped.analysis.clipping.report import Report
from transclipped.clipping import DELTA, RULES, Amount, turned
from transclipped.config import ClippingConfig
from transclipped.ui import absent, quantities
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping.batch import View
from transclipped.ui.components import histogram
from transclipped.ui.text import plain

RULE, TREATMENT, TAU = "clip_rule", "clip_treatment", "clip_tau"  # not Train's keys, which a switch of pages drops
AMOUNTS = "lab amounts"  # in the session: positions of the sliders, by name in the address
LABELS = "Computed with labels, which no rule uses."
HELP = {
    "treatment": "remove: clipped pairs leave the loss. clamp: their similarity is held constant, so they stay in the "
    "denominator without a gradient.",
    "tau": "τ divides the similarities in the loss: the smaller, the more the most similar negatives count.",
    "before": "Repulsion is the gradient that pushes negatives away. Share of it between images of the same class, "
    "without clipping. " + LABELS,
    "after": "The same share with clipping. " + LABELS,
    "loss": "Mean contrastive loss of the batch in nats, and its change by clipping.",
    "suggested": "Otsu's method and a mixture of two normal distributions use the histogram alone. The last threshold "
    "needs labels: an upper bound for comparison, not a way to choose δ.",
}


def position(amount: Amount) -> float:
    """Position of a slider: as last set, or from the address, or its start."""
    positions = st.session_state.setdefault(AMOUNTS, {})
    if amount.key not in positions:
        text = st.query_params.get(amount.key, f"{amount.start:g}")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        valid = amount.dial[0] <= value <= amount.dial[1]
        positions[amount.key] = value if valid else amount.start
        if not valid:
            absent.missing(amount.key, text, instead=f"{amount.start:g}")
    return nearest(amount, positions[amount.key])


def move(amount: Amount, value: float) -> None:
    """Set a slider, and the address with it."""
    st.session_state.setdefault(AMOUNTS, {})[amount.key] = value
    st.query_params[amount.key] = f"{value:g}"


def current() -> ClippingConfig:
    """The selected rule and its settings, from the widgets' state or the address."""
    rule = st.session_state.get(RULE) or st.query_params.get(RULE)
    return config_of(rule if rule in turned() else "threshold")


def config_of(rule: str, treatment: str | None = None) -> ClippingConfig:
    """Any rule at the positions of its sliders."""
    treatment = treatment or st.session_state.get(TREATMENT) or "remove"
    values = {amount.field: position(amount) for amount in RULES[rule].settings if rule in turned()}
    return ClippingConfig(rule=rule, treatment=treatment, **values)


def temperature(view: View) -> float:
    """The selected τ, by default the model's."""
    return st.session_state.get(TAU) or view.temperature


def controls(view: View) -> None:
    """Rule, treatment and temperature."""
    about = plain(" ".join(f"{rule}: clips {RULES[rule].does}." for rule in turned()))
    options = {"bind": "query-params", "required": True}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Rule", list(turned()), default="threshold", key=RULE, format_func=plain, help=about, **options
        )
        st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", key=TREATMENT, help=HELP["treatment"], **options
        )
        temperature_control(view)


def temperature_control(view: View) -> None:
    """Temperature alone, for the section that shows all rules and treatments."""
    options = {"key": TAU, "bind": "query-params", "width": 220, "help": HELP["tau"]}
    st.slider("Temperature τ", 0.05, 1.0, view.temperature, 0.05, **options)


def dial(view: View) -> Report:
    """The slider of the selected rule, and what it clips."""
    for other in RULES[current().rule].beside:
        _number(other)
    config = current()
    counts, version = lab_batch.turned(view, config)
    amount = position(RULES[config.rule].amount)

    def moved(rule: str, value: float) -> None:
        move(RULES[rule].amount, value)

    histogram.draw(counts, amount=amount, version=version, key="dial", on_amount=moved)
    return lab_batch.report(view, config, temperature=temperature(view))


def _number(amount: Amount) -> None:
    key, (low, high) = f"beside {amount.key}", amount.dial

    def moved() -> None:
        move(amount, nearest(amount, st.session_state[key]))

    options = {"format": "%.3f", "key": key, "on_change": moved, "width": 220}
    st.number_input(plain(amount.label), low, high, position(amount), (high - low) / STEPS, **options)


def effects(view: View, report: Report) -> None:
    """Pairs clipped, and repulsion and loss without and with clipping."""
    pairs, clipped = max(0, len(report.mask) * (len(report.mask) - 2)), int(report.mask.sum())
    sentence = f"This setting clips **{clipped:,}** of {pairs:,} pairs, {report.share:.1%}."
    if report.repulsion is not None:
        sentence += f" {int((report.mask & view.batch.false).sum()):,} of them are false negatives."
    st.markdown(sentence)
    columns = st.columns(3)
    if report.repulsion is not None:
        before, after = (round(100 * share, 1) for share in report.repulsion)  # as displayed, so that they add up
        columns[0].metric("Repulsion on false negatives, unclipped", f"{before:.1f}%", help=HELP["before"])
        change = f"{after - before:+.1f} points"
        columns[1].metric("… with clipping", f"{after:.1f}%", change, delta_color="inverse", help=HELP["after"])
    tau = temperature(view)
    unclipped, loss = (lab_batch.mean_loss(view, each, temperature=tau) for each in (config_of("none"), current()))
    columns[2].metric("Mean loss", f"{loss:.3f} nats", f"{loss - unclipped:+.3f}", delta_color="off", help=HELP["loss"])


def suggestions(view: View) -> None:
    """Thresholds found without labels, their quality, and buttons that set them."""
    st.subheader("A threshold without labels", help=HELP["suggested"])
    thresholds = [*lab_batch.suggested(view)]
    counts, _ = lab_batch.turned(view, ClippingConfig(rule="threshold"))
    about = "Three thresholds computed without labels"
    if (best := best_by_labels(counts)) is not None:
        thresholds.append(("best F₁, by labels", float(counts.amounts[best])))
        about += "; for comparison, the best one by labels. Precision and recall are computed with labels"
    st.caption(f"{about}. All are for the rule *threshold*.")
    for i, (name, value) in enumerate(thresholds):
        value = nearest(DELTA, value)
        k = int(abs(counts.amounts - value).argmin())
        with st.container(horizontal=True, vertical_alignment="center"):
            disabled = current().rule == "threshold" and position(DELTA) == value
            options = {"on_click": _use, "args": (value,), "disabled": disabled}
            st.button(f"Use δ = {value:.2f}", key=f"use {i}", width=150, **options)
            quality = ""
            if counts.precision is not None and (clipped := int(counts.clipped[k])):
                precision = quantities.share(round(counts.precision[k] * clipped), clipped)
                quality = f", precision {precision}, recall {counts.recall[k]:.0%}"
            st.markdown(f"**{name}**: clips {counts.share[k]:.1%}{quality}", width="stretch")


def _use(value: float) -> None:
    st.session_state[RULE] = "threshold"
    move(DELTA, value)


def to_train(view: View) -> None:
    """A link to Train with this setting."""
    config = current()
    query = {"rule": config.rule, "treatment": config.treatment, "tau": f"{temperature(view):g}"}
    query |= {amount.key: f"{getattr(config, amount.field):g}" for amount in RULES[config.rule].settings}
    options = {"icon": ":material/model_training:", "query_params": query}
    st.page_link("pages/train.py", label="Train with this setting", **options)
