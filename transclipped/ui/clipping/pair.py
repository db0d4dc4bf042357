"""Two histograms of the same images: under a head trained without clipping, and under one trained with it."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis.clipping.report import separation, spread
from transclipped.clipping import RULES, amount_of
from transclipped.features import labset
from transclipped.ui import charts
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import charts as figures
from transclipped.ui.clipping import tune
from transclipped.ui.clipping.batch import View

HEADS = [  # of the lab set: trained to the end, without clipping first
    name
    for _, name in sorted(
        (rule != "none", name) for name, (rule, epoch) in labset.STAGES.items() if epoch == labset.EPOCHS
    )
]
HELP = "Both heads start from the same weights and see the same images in the same order; only the rule differs."


def section(view: View) -> None:
    """A switch, and under it the two histograms."""
    st.header("What training with clipping does to the histogram")
    on = st.toggle("Two histograms: trained without clipping, and with it", key="pair", bind="query-params", help=HELP)
    size, seed = len(view.batch.rows), int(st.session_state.get("draw") or 0)
    views = [lab_batch.of_head(name, size=size, seed=seed) for name in HEADS] if on else []
    if not all(views) or not views:
        return
    spreads = {name: spread(each.batch) for name, each in zip(HEADS, views, strict=True)}
    shares = [separation(each) for each in spreads.values()]
    st.markdown(
        f"The same {size} images of the lab set. Of a false and a true negative, the false one is the more similar in "
        f"**{shares[0]:.0%}** of cases after training without clipping, and in **{shares[1]:.0%}** after training with "
        f"it. Each class is drawn as a share of its own pairs. {tune.LABELS}"
    )
    config = tune.current()
    cut = amount_of(config) if RULES[config.rule].amount.field == "threshold" else None
    figure = figures.two_histograms(spreads, cut, key=f"pair {size} {seed} {cut}")
    charts.show(figure, key="pair of histograms", name="clipping-trained-with-and-without")
