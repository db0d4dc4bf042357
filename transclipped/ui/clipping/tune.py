"""The lab's first screen: the slider over the histogram, what it does to the loss, and thresholds without labels."""

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

RULE, TREATMENT, TAU = "clip_rule", "clip_treatment", "clip_tau"  # not Train's: a page switch drops what it shares
AMOUNTS = "lab amounts"  # in the session: where the dials stand, by name in the address
LABELS = "Observed with labels, which no rule sees."
HELP = {
    "treatment": "remove: a clipped pair leaves the loss. clamp: its similarity is held constant, so it weighs in the "
    "denominator and is not pushed.",
    "tau": "τ divides similarities in the loss: the smaller, the more the most similar negatives count.",
    "before": "Share of all repulsion, the gradient that pushes negatives away, that falls on pairs of one class, "
    "without clipping. " + LABELS,
    "after": "The same share once clipped pairs are left out. " + LABELS,
    "loss": "Mean contrastive loss of the batch in nats, without and with clipping: fewer negatives, lower loss.",
    "suggested": "Otsu and a mixture of two normal distributions find a cut in the histogram alone. The last line used "
    "labels: nobody may choose by it, it tells how good δ could be.",
}


def amount(rule: str) -> float:
    """Where the dial of a rule stands."""
    return _position(RULES[rule].amount)


def _position(amount: Amount) -> float:
    """As last set, or as the address says, or at the start."""
    set_so_far = st.session_state.setdefault(AMOUNTS, {})
    if amount.key not in set_so_far:
        said = st.query_params.get(amount.key, f"{amount.start:g}")
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        there = amount.dial[0] <= value <= amount.dial[1]
        set_so_far[amount.key] = nearest(amount, value) if there else amount.start
        if not there:
            absent.missing(amount.key, said, instead=f"{amount.start:g}")
    return nearest(amount, set_so_far[amount.key])


def turn(rule: str, value: float) -> None:
    """Put the dial of a rule somewhere, and the address with it."""
    _turn(RULES[rule].amount, value)


def _turn(amount: Amount, value: float) -> None:
    st.session_state.setdefault(AMOUNTS, {})[amount.key] = value
    st.query_params[amount.key] = f"{value:g}"


def setting() -> ClippingConfig:
    """The rule as it is set, from the widgets' state or the address."""
    rule = st.session_state.get(RULE) or st.query_params.get(RULE)
    return at(rule if rule in turned() else "threshold")


def at(rule: str, treatment: str | None = None) -> ClippingConfig:
    """Any rule with the amounts that are set."""
    treatment = treatment or st.session_state.get(TREATMENT) or "remove"
    values = {amount.field: _position(amount) for amount in RULES[rule].settings if rule in turned()}
    return ClippingConfig(rule=rule, treatment=treatment, **values)


def temperature(view: View) -> float:
    """τ as it is set, else the model's own."""
    return st.session_state.get(TAU) or view.temperature


def controls(view: View) -> None:
    """Rule, treatment and temperature, for every section that applies a rule."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.segmented_control(
            "Rule", list(turned()), default="threshold", key=RULE, bind="query-params", required=True,
            format_func=plain, help=plain(" ".join(f"{rule}: clips {RULES[rule].does}." for rule in turned())),
        )  # fmt: skip
        st.segmented_control(
            "Clipped pairs", ["remove", "clamp"], default="remove", key=TREATMENT, bind="query-params",
            required=True, help=HELP["treatment"],
        )  # fmt: skip
        temperature_control(view)


def temperature_control(view: View) -> None:
    """Temperature alone, for a section that shows all rules and treatments."""
    st.slider(
        "Temperature τ", 0.05, 1.0, view.temperature, 0.05, key=TAU, bind="query-params", width=220, help=HELP["tau"]
    )


def dial(view: View) -> Report:
    """The slider of the rule as it is set, and what is clipped there."""
    config = setting()
    for other in RULES[config.rule].beside:
        _beside(other)
        config = setting()
    counts, version = lab_batch.turned(view, config)
    histogram.draw(counts, amount=amount(config.rule), version=version, key="dial", on_amount=turn)
    return report(view, config)


def report(view: View, config: ClippingConfig) -> Report:
    return lab_batch.report(view, config, temperature=temperature(view))


def _beside(amount: Amount) -> None:
    key, (low, high) = f"beside {amount.key}", amount.dial

    def moved() -> None:
        _turn(amount, nearest(amount, st.session_state[key]))

    step = (high - low) / STEPS
    st.number_input(
        plain(amount.label), low, high, _position(amount), step, format="%.3f", key=key, on_change=moved, width=220
    )


def effects(view: View, done: Report) -> None:
    """What the setting does: counts in a sentence, repulsion and loss before and after."""
    pairs, cut = max(0, len(done.mask) * (len(done.mask) - 2)), int(done.mask.sum())
    said = f"This setting clips **{cut:,}** of {pairs:,} pairs, {done.share:.1%}."
    if done.repulsion is not None:
        hits = int((done.mask & view.batch.false).sum())
        said += f" {hits:,} of them were false negatives."
    st.markdown(said)
    columns = st.columns(3)
    if done.repulsion is not None:
        before, after = (round(100 * share, 1) for share in done.repulsion)  # as shown, so that they add up
        columns[0].metric("Repulsion on false negatives, unclipped", f"{before:.1f}%", help=HELP["before"])
        columns[1].metric(
            "… with this clipping", f"{after:.1f}%", f"{after - before:+.1f} points", delta_color="inverse",
            help=HELP["after"],
        )  # fmt: skip
    plain, now = losses(view)
    columns[2].metric("Mean loss", f"{now:.3f} nats", f"{now - plain:+.3f}", delta_color="off", help=HELP["loss"])


def losses(view: View) -> tuple[float, float]:
    """Mean loss of the batch in nats, without clipping and as set."""
    return tuple(lab_batch.mean_loss(view, c, temperature=temperature(view)) for c in (at("none"), setting()))


def suggestions(view: View) -> None:
    """Thresholds found without labels, how well they would have done, and buttons that take them."""
    st.subheader("A threshold without labels", help=HELP["suggested"])
    st.caption("Three ways to cut this histogram that need no label, and, beside them, what labels say of each.")
    lines = [*lab_batch.suggested(view)]
    counts, _ = lab_batch.turned(view, ClippingConfig(rule="threshold"))
    if (best := best_by_labels(counts)) is not None:
        lines.append(("best F₁, by labels", float(counts.amounts[best])))
    for place, (name, value) in enumerate(lines):
        value = nearest(DELTA, value)
        k = int(abs(counts.amounts - value).argmin())
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                f"Use δ = {value:.2f}", key=f"use {place}", width=150, on_click=_take, args=(value,),
                disabled=setting().rule == "threshold" and amount("threshold") == value,
            )  # fmt: skip
            quality = ""
            if counts.precision is not None and (cut := int(counts.clipped[k])):
                precision = quantities.share(round(counts.precision[k] * cut), cut)
                quality = f", precision {precision}, recall {counts.recall[k]:.0%}"
            st.markdown(f"**{name}**: clips {counts.share[k]:.1%}{quality}", width="stretch")


def _take(value: float) -> None:
    st.session_state[RULE] = "threshold"
    turn("threshold", value)


def to_train(view: View) -> None:
    """A link that carries the setting to Train."""
    config = setting()
    query = {"rule": config.rule, "treatment": config.treatment, "tau": f"{temperature(view):g}"}
    query |= {amount.key: f"{getattr(config, amount.field):g}" for amount in RULES[config.rule].settings}
    st.page_link(
        "pages/train.py", label="Train with this setting", icon=":material/model_training:", query_params=query
    )


def every_rule() -> list[ClippingConfig]:
    """Each known rule, as it is set, in both treatments where they differ."""
    return [at(rule, how) for rule in RULES for how in (("remove", "clamp") if RULES[rule].clips else ("remove",))]
