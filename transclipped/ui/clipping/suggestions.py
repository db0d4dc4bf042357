"""Thresholds found without labels, what training with them gave, and buttons that set them."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis.clipping.dials import Dial, nearest
from transclipped.analysis.clipping.mistakes import best_by_labels
from transclipped.analysis.clipping.trained import ADAPTIVE, Trained, trained
from transclipped.clipping import DELTA
from transclipped.config import ClippingConfig
from transclipped.ui import glossary, quantities
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import tune
from transclipped.ui.clipping.batch import View
from transclipped.ui.glossary import TERMS
from transclipped.ui.text import plain

HELP = (
    "Otsu's method and a mixture of two normal distributions use the histogram alone. A threshold that separates the "
    "histogram well need not be a good one to train with."
)


def section(view: View) -> None:
    """Suggestions for δ, each with its quality, the trained result and a button."""
    st.header("A threshold without labels", help=HELP)
    counts, _ = lab_batch.turned(view, ClippingConfig(rule="threshold"), temperature=tune.temperature(view))
    study = results()
    text = "All are for the rule [threshold]. [Precision](precision), [recall] and [mAP] are computed with labels."
    if study is not None and study.none is not None:
        text += (
            f" In the study (32 bits, τ = {study.temperature:g}), each rule set a new threshold for every batch; "
            f"without clipping, mAP was {study.none:.3f}."
        )
    glossary.caption(text)
    suggested = lab_batch.suggested(view)
    for i, (name, value) in enumerate(suggested):
        _row(view, counts, f"**{f'[{name}]' if name in TERMS else name}**", value, _result(study, name), key=f"use {i}")
    if (index := best_by_labels(counts)) is not None:
        best = float(counts.amounts[index])
        same = [name for name, value in suggested if nearest(DELTA, value) == best]
        where = f": here the δ of *{plain(same[0])}*" if same else ""
        text = f"For comparison, with labels: the best [F₁](F1), most of both precision and recall{where}."
        glossary.caption(f"{text} It is not the best δ to train with.")
        if not same:
            _row(view, counts, "**best F₁, by labels**", best, "", key="use best")


def _row(view: View, counts: Dial, name: str, value: float, result: str, *, key: str) -> None:
    value = nearest(DELTA, value)
    k = int(abs(counts.amounts - value).argmin())
    text = f"{name}: clips {counts.share[k]:.1%}"
    if counts.precision is not None and (clipped := int(counts.clipped[k])):
        precision = quantities.share(round(counts.precision[k] * clipped), clipped)
        text += f", precision {precision}, recall {counts.recall[k]:.0%}"
    text += result
    if (curve := lab_batch.reached("threshold", tune.temperature(view))) is not None:
        text += f" · fixed at this δ on the lab set: mAP {curve.at(value):.3f} ({curve.none:.3f} without clipping)"
    left, right = st.columns([1, 5], vertical_alignment="center")
    disabled = tune.current().rule == "threshold" and tune.position(DELTA) == value
    options = {"on_click": _use, "args": (value,), "disabled": disabled, "width": "stretch"}
    left.button(f"Use δ = {value:.2f}", key=key, **options)
    with right:
        glossary.markdown(text)


def _result(study: Trained | None, name: str) -> str:
    """What the study reached with a suggestion, as a part of a sentence; empty if it did not try it."""
    key = next((key for key in study.maps if name.startswith(key)), None) if study is not None else None
    if key is None:
        return ""
    rule = "the rule *adaptive*" if key == ADAPTIVE else "trained with it"
    worse = study.none is not None and study.maps[key] < study.none
    return f" · {rule} in the study: **mAP {study.maps[key]:.3f}**{', worse than no clipping' if worse else ''}"


@st.cache_data(max_entries=1, show_spinner=False)
def results() -> Trained | None:
    """What training with the suggestions gave, in the study; None where it is missing."""
    return trained()


def _use(value: float) -> None:
    tune.choose("threshold")
    tune.move(DELTA, value)
