"""All rules and treatments on one batch, side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from transclipped.analysis.clipping.report import Report
from transclipped.clipping import RULES, amount_of, described, turned
from transclipped.ui import charts
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import charts as figures
from transclipped.ui.clipping import tune
from transclipped.ui.clipping.batch import View

UNKNOWN = "–"
ABOUT_NEGATIVES = (
    "Clipping can help objectives that push negatives away, such as NT-Xent, MoCo's queue and mined triplets; BYOL, "
    "Barlow Twins and VICReg have no negatives to clip (*Benchmarks* compares them)."
)
SAY = "All rules guess false negatives from similarity alone; they differ in where they cut each anchor's negatives."


def side_by_side(view: View) -> None:
    """All rules and treatments on this batch."""
    st.header("Every rule and treatment on this batch")
    tau = tune.temperature(view)
    caption = f"Each rule at the position of its slider, τ = {tau:g}. `clamp` keeps clipped pairs in the denominator."
    if view.labelled:
        caption += " Precision, recall and repulsion are computed with labels."
        caption += (
            f" {UNKNOWN}: nothing is clipped, or nothing is pushed: `debiased` may reach its floor at every anchor."
        )
    st.caption(caption)
    st.caption(ABOUT_NEGATIVES)
    rows = []
    for rule in RULES:
        for treatment in ("remove", "clamp") if RULES[rule].clips else ("remove",):
            config = tune.config_of(rule, treatment)
            report = lab_batch.report(view, config, temperature=tau)
            row = {"rule": described(rule, amount_of(config)), "clipped pairs": treatment if RULES[rule].clips else ""}
            row["share clipped"] = _percent(report.share)
            if view.labelled:
                row |= {"precision": _percent(report.precision), "recall": _percent(report.recall)}
                row["repulsion on false negatives"] = _percent(_repulsion(view, report))
            rows.append(row | {"mean loss (nats)": f"{lab_batch.mean_loss(view, config, temperature=tau):.3f}"})
    columns = {name: st.column_config.TextColumn(alignment="right") for name in list(rows[0])[2:]}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, width="stretch")
    if view.labelled:
        _rule_curves(view, tau)


def _repulsion(view: View, report: Report) -> float | None:
    """Share of the repulsion on false negatives; None where nothing is pushed."""
    if report.repulsion is None:
        return None
    after = report.repulsion[1]
    return None if after == 0 and (view.batch.false & ~report.mask).any() else after


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.1%}"


def _rule_curves(view: View, tau: float) -> None:
    st.header("Which rule finds false negatives best?")
    st.caption(
        "Precision over recall along each rule's slider; diamonds mark the current positions. Higher and further right "
        "is better. " + tune.LABELS
    )
    dials, points = [], {}
    for rule, amount in turned().items():
        dial, _ = lab_batch.turned(view, tune.config_of(rule), temperature=tau)
        dials.append(dial)
        k = int(np.abs(dial.amounts - tune.position(amount)).argmin())
        if dial.clipped[k]:
            points[rule] = (float(dial.recall[k]), float(dial.precision[k]))
    charts.show(figures.precision_recall(dials, points, key="rule curves"), key="rule curves", name="clipping-rules")
