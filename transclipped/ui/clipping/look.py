"""Sections of Clipping that look at one batch: tuning, anchors with mistakes, one anchor in steps, all rules."""

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
from transclipped.ui.clipping import charts as figures
from transclipped.ui.clipping import tune
from transclipped.ui.clipping.batch import View
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain
from transclipped.ui.theme import MARKS

ANCHORS, NEIGHBOURS, TOP = 6, 7, 10
CLASSES = 20  # most classes of a readable table
TILE = 80  # pixels of an image
STEPS = {
    "similarities": "1 Similarities",
    "sorted": "2 Sorted",
    "clipped": "3 Clipped",
    "loss": "4 Loss",
    "gradient": "5 Gradient",
}
ORDERS = dict(zip(("drawn", "clipped", "missed"), mistakes.ORDERS, strict=True))  # by name in the address
FRAMES = "Solid blue frame ✓: same class, so a false negative. Dashed orange frame ✗: another class. ✂: clipped."
PLAIN_FRAMES = "✂: clipped. Without labels, false negatives are unknown."
HELP = {
    "order": "Worst mistakes: true negatives that are clipped, or false negatives that are not, by similarity.",
    "anchor": "The image of the batch that all others are compared with.",
}


@st.fragment
@shows_input_errors
def section(name: str, view: View) -> None:
    """Controls of a section, and what it draws: "tune", "mistakes", "steps" or "rules"."""
    if name == "rules":
        tune.temperature_control(view)
        side_by_side(view)
        return
    tune.controls(view)
    if name == "steps":
        one_anchor(view)
        return
    report = tune.dial(view)
    if name == "mistakes":
        anchors(view, report)
        confusion(view, report)
    else:
        tune.effects(view, report)
        tune.to_train(view)
        tune.suggestions(view)


def anchors(view: View, report: Report) -> None:
    """Anchors with their most similar negatives."""
    st.subheader("Anchors and their most similar negatives")
    orders = ORDERS if view.labelled else {"drawn": ORDERS["drawn"]}
    options = {"key": "order", "default": "drawn", "required": True, "help": HELP["order"]}
    order = links.choose(st.segmented_control, "Show first", orders, **options)
    st.caption(FRAMES if view.labelled else PLAIN_FRAMES)
    rows = mistakes.anchor_rows(view.batch, report, order=ORDERS[order], anchors=ANCHORS, count=NEIGHBOURS)
    if not rows:
        st.info("This setting makes no such mistake in this batch.")
    for i, row in enumerate(rows):
        tiles = [_tile(view, row.anchor, "anchor ", None, on=True)]
        for other in row.others:
            same = None if view.batch.false is None else bool(view.batch.false[row.anchor, other])
            mark = "✂ " if report.mask[row.anchor, other] else ""
            tiles.append(
                _tile(view, other, f"{mark}{MARKS[same]} {view.batch.similarity[row.anchor, other]:.2f} ", same)
            )
        gallery.draw(tiles, key=f"anchor row {i}", size=TILE)


def confusion(view: View, report: Report) -> None:
    """Clipped share of the pairs of each two classes."""
    if not view.labelled or view.batch.classes is None or view.batch.classes.shape[1] < 2:
        return
    st.subheader("Confused classes")
    st.caption(
        "Share of the pairs of two classes that is clipped. The diagonal holds false negatives, which should be "
        "clipped; bright cells off it are true negatives that look alike. " + tune.LABELS
    )
    rates, counts, names = mistakes.class_rates(view.batch, report), report.confusion, view.class_names
    if len(names) > CLASSES:
        top = np.sort(np.argsort(-counts.sum(1), kind="stable")[:CLASSES])
        rates, counts, names = rates[np.ix_(top, top)], counts[np.ix_(top, top)], tuple(names[i] for i in top)
        st.caption(f"The {CLASSES} classes with the most clipped pairs.")
    charts.show(figures.rates(rates, counts, names, key="rates"), key="rates", name="clipping-class-pairs")


def one_anchor(view: View) -> None:
    """The loss of one anchor, step by step."""
    b = len(view.batch.rows)
    if st.session_state.get("anchor") is not None and not 0 <= st.session_state["anchor"] < b:
        st.session_state["anchor"] = 0
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        options = {"key": "anchor", "bind": "query-params", "width": 130, "help": HELP["anchor"]}
        anchor = int(st.number_input("Anchor", 0, b - 1, 0, **options))
        name = links.choose(st.segmented_control, "Step", STEPS, key="step", default="similarities", required=True)
    step = list(STEPS).index(name)
    steps = clipping.anchor_steps(view.batch, anchor, tune.current(), temperature=tune.temperature(view))
    st.markdown(_explanation(steps, step))
    left, right = st.columns([2, 1])
    with left:
        charts.show(_figure(steps, step), key=f"step {name}", name=f"clipping-step-{step + 1}")
    with right:
        _top(view, anchor, steps, step)


def _explanation(steps: AnchorSteps, step: int) -> str:
    n, clipped, config = len(steps.other), int(steps.clipped.sum()), tune.current()
    before, after = steps.before, steps.after
    rule = f"The rule **{plain(described(config.rule, amount_of(config)))}**"
    texts = (
        f"The anchor is compared with its other view (cosine {steps.positive_similarity:.2f}) and with its negatives, "
        f"the {n} views of the other images, in the order of the batch.",
        "The same negatives, the most similar first. Those of the anchor's class gather on the left: false negatives.",
        f"{rule} clips the {clipped} most similar of {n} negatives: the faint bars."
        if clipped
        else f"{rule} clips none of the {n} negatives of this anchor.",
        f"The softmax weight of a negative is how strongly it is pushed away. Loss of this anchor: {before.loss:.3f} "
        f"nats without clipping, **{after.loss:.3f}** with it. Weight of the positive: {before.positive_weight:.1%} "
        f"without, {after.positive_weight:.1%} with it.",
        "The gradient pulls the positive closer and pushes negatives away, the more similar the more strongly. Clipped "
        "ones get no gradient; faint arrows show what clipping removes.",
    )
    return texts[step]


def _figure(steps: AnchorSteps, step: int):
    key, cosine = f"step {step} {len(steps.other)}", "cosine to the anchor"
    if step == 0:
        order = np.argsort(steps.other, kind="stable")
        return figures.by_negative(steps.similarity, steps, y=cosine, key=key, order=order)
    if step in (1, 2):
        return figures.by_negative(steps.similarity, steps, y=cosine, key=key, clipped=step == 2)
    if step == 3:
        return figures.by_negative(steps.after.weight, steps, y="softmax weight", key=key, clipped=True)
    return figures.forces(steps, key=key)


def _top(view: View, anchor: int, steps: AnchorSteps, step: int) -> None:
    b = len(view.batch.rows)
    positive = f"other view {steps.positive_similarity:.2f}"
    tiles = [_tile(view, anchor, "anchor ", None, on=True), _tile(view, steps.positive, positive, None, named=False)]
    for i, other in enumerate(steps.other[:TOP].tolist()):
        same = None if steps.false is None else bool(steps.false[i])
        mark = "✂ " if step >= 2 and steps.clipped[i] else ""
        value = f"{steps.similarity[i]:.2f}"
        if step >= 3:
            value = f"{steps.before.weight[i]:.1%} → {steps.after.weight[i]:.1%}"
        tile = _tile(view, other, f"{mark}{MARKS[same]} {value} ", same)
        title = tile.title + ("" if other < b else ", flipped")
        tiles.append(gallery.Tile(f"{tile.id} {i}", tile.image, tile.caption, same, title))
    values = "the cosine" if step < 3 else "the softmax weight without → with clipping"
    st.caption(f"The anchor, its other view, and its {TOP} most similar negatives, with {values}.")
    gallery.draw(tiles, key="anchor and negatives", size=TILE)


def side_by_side(view: View) -> None:
    """All rules and treatments on this batch."""
    st.subheader("Every rule and treatment on this batch")
    tau = tune.temperature(view)
    caption = f"Each rule at the position of its slider, τ = {tau:g}. `clamp` keeps clipped pairs in the denominator."
    st.caption(caption + (" Precision, recall and repulsion are computed with labels." if view.labelled else ""))
    rows = []
    for rule in RULES:
        for treatment in ("remove", "clamp") if RULES[rule].clips else ("remove",):
            config = tune.config_of(rule, treatment)
            report = lab_batch.report(view, config, temperature=tau)
            row = {"rule": described(rule, amount_of(config)), "clipped pairs": treatment if RULES[rule].clips else ""}
            row["share clipped"] = report.share
            if view.labelled:
                row |= {"precision": report.precision, "recall": report.recall}
                row["repulsion on false negatives"] = report.repulsion[1] if report.repulsion else None
            rows.append(row | {"mean loss (nats)": lab_batch.mean_loss(view, config, temperature=tau)})
    formats = dict.fromkeys(list(rows[0])[2:-1], "percent") | {"mean loss (nats)": "%.3f"}
    columns = {name: st.column_config.NumberColumn(format=text) for name, text in formats.items()}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=columns, width="stretch")
    if view.labelled:
        _rule_curves(view)


def _rule_curves(view: View) -> None:
    st.subheader("Which rule finds false negatives best?")
    st.caption(
        "Precision over recall along each rule's slider; diamonds mark the current positions. Higher and further right "
        "is better. " + tune.LABELS
    )
    dials, points = [], {}
    for rule, amount in turned().items():
        dial, _ = lab_batch.turned(view, tune.config_of(rule))
        dials.append(dial)
        k = int(np.abs(dial.amounts - tune.position(amount)).argmin())
        if dial.clipped[k]:
            points[rule] = (float(dial.recall[k]), float(dial.precision[k]))
    charts.show(figures.precision_recall(dials, points, key="rule curves"), key="rule curves", name="clipping-rules")


def _tile(
    view: View, row: int, caption: str, same: bool | None, *, on: bool = False, named: bool = True
) -> gallery.Tile:
    """The image of a row, its classes appended to the caption if `named`."""
    image, classes = int(view.batch.rows[row % len(view.batch.rows)]), view.classes_of(row)
    name, text = f"image {image} {classes}".strip(), caption + classes if named else caption
    return gallery.Tile(f"{row}{' anchor' if on else ''}", gallery.of_row(view.data, image), text, same, name, on=on)
