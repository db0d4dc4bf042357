"""Clipping: which negatives a rule takes out of a real batch, and how many of them were false."""

import numpy as np
import streamlit as st

from transclipped.analysis import clipping
from transclipped.clipping import negatives
from transclipped.config import ClippingConfig
from transclipped.ui import cached, charts, runs
from transclipped.ui.guard import guarded
from transclipped.ui.theme import MARKS

BATCH = 128
NEIGHBOURS = 8
CONTROLS = {
    "threshold": ("threshold", "Clip above similarity δ", 0.0, 1.0, 0.6, "delta"),
    "rank": ("fraction", "Clip the share q of the most similar negatives", 0.0, 0.5, 0.05, "q"),
    "adaptive": ("sigma", "Clip above mean + c · σ of the anchor's negatives", 0.0, 5.0, 2.0, "c"),
}


@st.fragment
@guarded
def explore(run) -> None:
    rule = st.segmented_control("Rule", list(CONTROLS), default="threshold", key="rule", bind="query-params")
    field, label, low, high, value, key = CONTROLS[rule or "threshold"]
    amount = st.slider(label, low, high, value, 0.01, key=key, bind="query-params")
    batch = cached.batch_similarities(run.fingerprint, None, BATCH, 0, run)
    config = ClippingConfig(rule=rule or "threshold", **{field: amount})
    report = clipping.report(batch, config, temperature=run.config.loss.temperature)
    figures(report)
    st.caption(
        f"All pairs of an anchor and a negative in a batch of {len(batch.rows)} pictures, by similarity. "
        "False negatives, of the anchor's own class, sit to the right: that is why clipping works."
    )
    pairs = negatives(len(batch.similarity)).numpy()
    false = None if batch.false is None else batch.false[pairs]
    line = amount if rule == "threshold" else None
    st.plotly_chart(charts.similarity_histogram(batch.similarity[pairs], false, line), key="similarities")
    anchors(run, batch, report)


def figures(report) -> None:
    columns = st.columns(4)
    columns[0].metric("Pairs clipped", f"{report.share:.1%}", help="Of all pairs of an anchor and a negative.")
    if report.repulsion is None:
        return
    unknown = "none clipped"
    precision = unknown if report.precision is None else f"{report.precision:.0%}"
    recall = "none there" if report.recall is None else f"{report.recall:.0%}"
    columns[1].metric("Precision", precision, help="Share of the clipped pairs that were false negatives.")
    columns[2].metric("Recall", recall, help="Share of the false negatives that were clipped.")
    before, after = report.repulsion
    columns[3].metric(
        "Repulsion on false negatives", f"{after:.0%}", f"{after - before:+.0%}", delta_color="inverse",
        help="Share of the repulsive force, the softmax weights of the negatives, that falls on false ones.",
    )  # fmt: skip


def anchors(run, batch, report) -> None:
    st.subheader("Anchors and their most similar negatives")
    st.caption("Solid blue ✓: same class, so a false negative. Dashed orange ✗: another class. ✂: clipped.")
    data, b = cached.run_data(run), len(batch.rows)
    for anchor in np.linspace(0, b - 1, min(4, b)).astype(int):
        columns = st.columns(NEIGHBOURS + 1)
        with columns[0]:
            st.image(cached.tile(data, int(batch.rows[anchor]), None), width="stretch")
            st.caption("anchor")
        for column, other in zip(columns[1:], clipping.neighbours(batch, anchor, NEIGHBOURS), strict=False):
            same = None if batch.false is None else bool(batch.false[anchor, other])
            clipped = "✂ " if report.mask[anchor, other] else ""
            with column:
                st.image(cached.tile(data, int(batch.rows[other % b]), same), width="stretch")
                st.caption(f"{clipped}{MARKS[same]} {batch.similarity[anchor, other]:.2f}")


st.title("Clipping")
st.caption("Move the slider and see which pairs are taken out. Labels are for looking only: training never sees them.")
chosen = runs.finished()
if chosen is not None:
    explore(chosen)
