"""The lab's other sections: anchors with their worst mistakes, one anchor step by step, all rules side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from transclipped.analysis.clipping import mistakes
from transclipped.analysis.clipping import report as clipping
from transclipped.analysis.clipping.report import AnchorSteps, Report
from transclipped.clipping import RULES, amount_of, described, turned
from transclipped.ui import charts, links
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import charts as lab_charts
from transclipped.ui.clipping import tune as lab_tune
from transclipped.ui.clipping.batch import View
from transclipped.ui.components import gallery
from transclipped.ui.text import plain
from transclipped.ui.theme import MARKS

ANCHORS, NEIGHBOURS, TOP = 6, 7, 10
TILE = 80  # pixels of an image
STEPS = {
    "similarities": "1 Similarities",
    "sorted": "2 Sorted",
    "clipped": "3 Clipped",
    "loss": "4 Loss",
    "gradient": "5 Gradient",
}
ORDERS = dict(zip(("drawn", "clipped", "missed"), mistakes.ORDERS, strict=True))  # by what a link calls them
FRAMES = "Solid blue frame ✓: same class, so a false negative. Dashed orange frame ✗: another class. ✂: clipped."
PLAIN_FRAMES = "✂: clipped. This batch has no labels, so nobody knows which negatives are false."


def anchors(view: View, done: Report) -> None:
    """Anchors with their most similar negatives."""
    st.subheader("Anchors and their most similar negatives")
    orders = ORDERS if view.labelled else {"drawn": ORDERS["drawn"]}
    order = links.choose(
        st.segmented_control, "Show first", orders, key="order", default="drawn", required=True,
        help="Worst mistakes: true negatives that are clipped, or false negatives that are missed, by similarity.",
    )  # fmt: skip
    st.caption(FRAMES if view.labelled else PLAIN_FRAMES)
    rows = mistakes.anchor_rows(view.batch, done, order=ORDERS[order], anchors=ANCHORS, count=NEIGHBOURS)
    if not rows:
        st.info("This setting makes no such mistake in this batch.")
    for place, row in enumerate(rows):
        shown = [_tile(view, row.anchor, f"anchor {view.classes_of(row.anchor)}", None, on=True)]
        for other in row.others:
            same = None if view.batch.false is None else bool(view.batch.false[row.anchor, other])
            cut = "✂ " if done.mask[row.anchor, other] else ""
            text = f"{cut}{MARKS[same]} {view.batch.similarity[row.anchor, other]:.2f} {view.classes_of(other)}"
            shown.append(_tile(view, other, text, same))
        gallery.draw(shown, key=f"anchor row {place}", size=TILE)


def confusion(view: View, done: Report) -> None:
    """Which classes are taken for each other."""
    if not view.labelled or view.batch.classes is None or view.batch.classes.shape[1] < 2:
        return
    st.subheader("Which classes are taken for each other")
    st.caption(
        "Share of the pairs of two classes that is clipped. The diagonal is right to clip: false negatives. Bright "
        "cells off it are true negatives that look alike. Observed with labels."
    )
    rates, counts, names = mistakes.class_rates(view.batch, done), done.confusion, view.class_names
    if len(names) > 20:  # too many to read: those with the most clipped pairs
        top = np.sort(np.argsort(-counts.sum(1), kind="stable")[:20])
        rates, counts, names = rates[np.ix_(top, top)], counts[np.ix_(top, top)], tuple(names[i] for i in top)
        st.caption("The 20 classes with the most clipped pairs.")
    charts.show(lab_charts.rates(rates, counts, names, key="rates"), key="rates", name="clipping-class-pairs")


def one_anchor(view: View) -> None:
    """One batch step by step, for one anchor."""
    b = len(view.batch.rows)
    if st.session_state.get("anchor") is not None and not 0 <= st.session_state["anchor"] < b:
        st.session_state["anchor"] = 0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        anchor = int(
            st.number_input("Anchor", 0, b - 1, 0, key="anchor", bind="query-params", width=130,
                            help="Which image of the batch looks at all others.")
        )  # fmt: skip
        name = links.choose(st.segmented_control, "Step", STEPS, key="step", default=next(iter(STEPS)), required=True)
    step, config = list(STEPS).index(name), lab_tune.setting()
    steps = clipping.anchor_steps(view.batch, anchor, config, temperature=lab_tune.temperature(view))
    st.markdown(_told(view, steps, step))
    left, right = st.columns([2, 1])
    with left:
        figure = _figure(steps, step)
        charts.show(figure, key=f"step {name}", name=f"clipping-step-{step + 1}")
    with right:
        _top(view, anchor, steps, step)


def _told(view: View, steps: AnchorSteps, step: int) -> str:
    n, cut = len(steps.other), int(steps.clipped.sum())
    before, after = steps.before, steps.after
    config = lab_tune.setting()
    rule = f"The rule **{plain(described(config.rule, amount_of(config)))}**"
    texts = (
        f"The anchor is compared with its other view (cosine {steps.positive_similarity:.2f}) and with the "
        f"{n} views of the other images: its negatives, in the order of the batch.",
        "The same negatives, the most similar first. Those of its own class gather at the left: they are false.",
        f"{rule} clips the {cut} most similar of {n} negatives: the faint bars."
        if cut
        else f"{rule} clips none of the {n} negatives of this anchor.",
        f"Each negative's softmax weight says how strongly it is pushed. Loss of this anchor: {before.loss:.3f} nats "
        f"without clipping, **{after.loss:.3f}** with it. The positive's own weight: {before.positive_weight:.1%} "
        f"before, {after.positive_weight:.1%} after.",
        "What the gradient does to the similarities: the positive is pulled in, kept negatives are pushed away, the "
        "stronger the more similar. Clipped ones feel nothing; faint arrows are what clipping took away.",
    )
    return texts[step]


def _figure(steps: AnchorSteps, step: int):
    key = f"step {step} {len(steps.other)}"
    if step == 0:
        order = np.argsort(steps.other, kind="stable")
        return lab_charts.by_negative(steps.similarity, steps, y="cosine to the anchor", key=key, order=order)
    if step in (1, 2):
        return lab_charts.by_negative(steps.similarity, steps, y="cosine to the anchor", key=key, clipped=step == 2)
    if step == 3:
        return lab_charts.by_negative(steps.after.weight, steps, y="softmax weight", key=key, clipped=True)
    return lab_charts.forces(steps, key=key)


def _top(view: View, anchor: int, steps: AnchorSteps, step: int) -> None:
    b = len(view.batch.rows)
    positive = _tile(view, steps.positive, f"other view {steps.positive_similarity:.2f}", None)
    shown = [_tile(view, anchor, f"anchor {view.classes_of(anchor)}", None, on=True), positive]
    for i in range(min(TOP, len(steps.other))):
        same = None if steps.false is None else bool(steps.false[i])
        cut = "✂ " if step >= 2 and steps.clipped[i] else ""
        value = f"{steps.similarity[i]:.2f}"
        if step >= 3:
            value = f"{steps.before.weight[i]:.1%} → {steps.after.weight[i]:.1%}"
        view_of = "" if steps.other[i] < b else ", flipped"
        tile = _tile(
            view, int(steps.other[i]), f"{cut}{MARKS[same]} {value} {view.classes_of(int(steps.other[i]))}", same
        )
        shown.append(gallery.Tile(f"{tile.id} {i}", tile.image, tile.caption, same, tile.title + view_of))
    told = "the cosine" if step < 3 else "the softmax weight without clipping → with it"
    st.caption(f"The anchor, its other view, and its {TOP} most similar negatives, with {told}.")
    gallery.draw(shown, key="anchor and negatives", size=TILE)


def side_by_side(view: View) -> None:
    """All rules and treatments on this batch."""
    st.subheader("Every rule and treatment on this batch")
    tau = lab_tune.temperature(view)
    st.caption(
        f"Each rule at the amount that its slider was left at, τ = {tau:g}. `clamp` keeps a "
        "clipped pair in the denominator."
        + (" Precision, recall and repulsion are observed with labels." * view.labelled)
    )
    lines = []
    for config in lab_tune.every_rule():
        done = lab_tune.report(view, config)
        line = {
            "rule": described(config.rule, amount_of(config)),
            "clipped pairs": config.treatment if RULES[config.rule].clips else "",
            "share clipped": done.share,
        }
        if view.labelled:
            repulsion = done.repulsion[1] if done.repulsion else None
            line |= {"precision": done.precision, "recall": done.recall, "repulsion on false negatives": repulsion}
        lines.append(line | {"mean loss (nats)": lab_batch.mean_loss(view, config, temperature=tau)})
    shares = [
        name for name in lines[0] if name in ("share clipped", "precision", "recall", "repulsion on false negatives")
    ]
    shown = {name: st.column_config.NumberColumn(format="percent") for name in shares}
    shown["mean loss (nats)"] = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(pd.DataFrame(lines), hide_index=True, column_config=shown, width="stretch")
    if view.labelled:
        _rule_curves(view)


def _rule_curves(view: View) -> None:
    st.subheader("Which rule finds false negatives best")
    st.caption(
        "Precision over recall along each rule's whole slider; diamonds are where the sliders stand. Higher and "
        "further right is better. Observed with labels."
    )
    dials, chosen = [], {}
    for rule in turned():
        config = lab_tune.at(rule)
        dial, _ = lab_batch.turned(view, config)
        dials.append(dial)
        k = int(np.abs(dial.amounts - lab_tune.amount(rule)).argmin())
        if dial.clipped[k]:
            chosen[rule] = (float(dial.recall[k]), float(dial.precision[k]))
    charts.show(lab_charts.precision_recall(dials, chosen, key="rule curves"), key="rule curves", name="clipping-rules")


def _tile(view: View, row: int, caption: str, same: bool | None, *, on: bool = False) -> gallery.Tile:
    image = int(view.batch.rows[row % len(view.batch.rows)])
    name = f"image {image} {view.classes_of(row)}".strip()
    return gallery.Tile(f"{row}{' anchor' if on else ''}", gallery.of_row(view.data, image), caption, same, name, on=on)
