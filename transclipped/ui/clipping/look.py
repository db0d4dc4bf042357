"""Sections of Clipping that look at one batch: tuning, one anchor in steps, anchors with mistakes, all rules."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis.baselines import Setting
from transclipped.analysis.clipping import mistakes
from transclipped.analysis.clipping import report as clipping
from transclipped.analysis.clipping.report import AnchorSteps, Report
from transclipped.clipping import amount_of, described
from transclipped.ui import charts, glossary, headline, links, presenting
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import charts as figures
from transclipped.ui.clipping import pair, rules, suggestions, tune
from transclipped.ui.clipping.batch import View
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain
from transclipped.ui.theme import MARKS

ANCHORS, NEIGHBOURS, TOP = 6, 6, 10
CLASSES = 20  # most classes of a readable table
TILE, SMALL = 96, 64  # pixels of an image: whole multiples of CIFAR-10's
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
    """Controls of a section, and what it draws: "tune", "steps", "mistakes" or "rules"."""
    tune.begin(view)
    if name == "rules":
        with presenting.controls("Temperature"):
            tune.temperature_control(view)
        rules.side_by_side(view)
        presenting.say(rules.SAY)
        return
    order = ("controls", "slider", "content")
    if presenting.folded():  # what there is to see comes first
        order = ("slider", "controls", "content") if name == "tune" else ("content", "slider", "controls")
    places = {part: st.container() for part in order}
    with places["controls"]:
        tune.controls(view)
    with places["slider"]:
        report = tune.dial(view, figures=name == "tune")
        st.caption(f"{plain(view.what)}.")
    with places["content"]:
        CONTENT[name](view, report)


def tuning(view: View, report: Report) -> None:
    """What a setting does to the batch, to one anchor and to training, and settings that need no labels."""
    tune.effects(view, report)
    headline.draw(*baselines_of(view))
    tune.to_train(view)
    gradient(view)
    pair.section(view)
    suggestions.section(view)
    presenting.say(tune.sentence(view))


def baselines_of(view: View) -> list[Setting | None]:
    """Values without clipping that the slider and the suggestions show."""
    settings, study = [lab_batch.unclipped(tune.reached(view))], suggestions.results()
    return settings if study is None else [*settings, headline.study(study.temperature)]


def mistaken(view: View, report: Report) -> None:
    """Anchors and classes, with what is clipped of them."""
    anchors(view, report)
    confusion(view, report)
    presenting.say(
        "A rule sees no labels, so it errs both ways: it clips look-alikes of other classes, and it misses "
        "images of the same class that look different."
    )


def anchors(view: View, report: Report) -> None:
    """Anchors with their most similar negatives."""
    st.header("Anchors and their most similar negatives")
    orders = ORDERS if view.labelled else {"drawn": ORDERS["drawn"]}
    options = {"key": "order", "default": "drawn", "required": True, "help": HELP["order"]}
    order = links.choose(st.segmented_control, "Show first", orders, **options)
    st.caption(FRAMES if view.labelled else PLAIN_FRAMES)
    count = NEIGHBOURS - presenting.projector()  # so that a row of larger images fits
    rows = mistakes.anchor_rows(view.batch, report, order=ORDERS[order], anchors=ANCHORS, count=count)
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
    st.header("Which classes get clipped together")
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


def gradient(view: View) -> None:
    """The force on one anchor's positive and negatives: the last of its steps."""
    st.header("What clipping does to one anchor")
    steps, anchor = _chosen(view)
    _draw(view, anchor, steps, len(STEPS) - 1)


def one_anchor(view: View, report: Report) -> None:
    """The loss of one anchor, step by step."""
    row, drawing, below = st.container(horizontal=True, vertical_alignment="bottom"), st.container(), st.container()
    with below if presenting.folded() else row:
        steps, anchor = _chosen(view)
    with row:
        name = links.choose(st.segmented_control, "Step", STEPS, key="step", default="similarities", required=True)
    with drawing:
        _draw(view, anchor, steps, list(STEPS).index(name))
    presenting.say(
        "The more similar a negative, the harder it is pushed; and the most similar ones are often of the "
        "anchor's own class. Clipping takes that push away."
    )


def _chosen(view: View) -> tuple[AnchorSteps, int]:
    """Draw the choice of an anchor; returns its steps under the current setting, and its row."""
    b = len(view.batch.rows)
    if st.session_state.get("anchor") is not None and not 0 <= st.session_state["anchor"] < b:
        st.session_state["anchor"] = 0
    options = {"key": "anchor", "bind": "query-params", "help": HELP["anchor"], "width": int(150 * presenting.scale())}
    anchor = int(st.number_input("Anchor", 0, b - 1, 0, **options))
    return clipping.anchor_steps(view.batch, anchor, tune.current(), temperature=tune.temperature(view)), anchor


def _draw(view: View, anchor: int, steps: AnchorSteps, step: int) -> None:
    config = tune.current()
    glossary.markdown(_explanation(steps, step), rule=described(config.rule, amount_of(config)))
    left, right = st.columns([3, 2])
    with left:
        charts.show(_figure(steps, step), key=f"step {list(STEPS)[step]}", name=f"clipping-step-{step + 1}")
    with right:
        _top(view, anchor, steps, step)


def _explanation(steps: AnchorSteps, step: int) -> str:
    """What a step shows, as `glossary.markdown` takes it."""
    n, clipped = len(steps.other), int(steps.clipped.sum())
    before, after = steps.before, steps.after
    texts = (
        f"The anchor is compared with its other view ([cosine] {steps.positive_similarity:.2f}) and with its "
        f"negatives, the {n} views of the other images, in the order of the batch.",
        "The same negatives, the most similar on the right. Those of the anchor's class gather there: false negatives.",
        f"The rule **{{rule}}** clips the {clipped} most similar of {n} negatives: the pale bars."
        if clipped
        else f"The rule **{{rule}}** clips none of the {n} negatives of this anchor.",
        f"The [softmax weight] of a negative is how strongly it is pushed away. Loss of this anchor: "
        f"{before.loss:.3f} [nats] without clipping, **{after.loss:.3f}** with it. Weight of the positive: "
        f"{before.positive_weight:.1%} without, {after.positive_weight:.1%} with it.",
        "The gradient pulls the positive closer and pushes negatives away, the more similar the more strongly. Clipped "
        f"ones ({clipped} of {n}) get no push; pale arrows show the push that clipping removes.",
    )
    return texts[step]


def _figure(steps: AnchorSteps, step: int):
    height = figures.LOW if presenting.folded() else figures.SQUARE
    style, cosine = {"key": f"step {step} {len(steps.other)}", "height": height}, "cosine to the anchor"
    if step == 0:
        order = np.argsort(steps.other, kind="stable")
        return figures.by_negative(steps.similarity, steps, y=cosine, order=order, **style)
    if step in (1, 2):
        return figures.by_negative(steps.similarity, steps, y=cosine, clipped=step == 2, **style)
    if step == 3:
        return figures.by_negative(steps.after.weight, steps, y="softmax weight", clipped=True, **style)
    return figures.forces(steps, **style)


def _top(view: View, anchor: int, steps: AnchorSteps, step: int) -> None:
    """The anchor, its other view, and its most similar negative images, each with the values of both views."""
    b = len(view.batch.rows)
    positive = f"other view {steps.positive_similarity:.2f}"
    tiles = [_tile(view, anchor, "anchor ", None, on=True), _tile(view, steps.positive, positive, None, named=False)]
    for image, places in _images(steps.other, b).items():
        same = None if steps.false is None else bool(steps.false[places[0]])
        mark = ("", "✂ one view ", "✂ ")[int(steps.clipped[places].sum())] if step >= 2 else ""
        values = " / ".join(f"{value:.2f}" for value in steps.similarity[places])
        if step >= 3:
            before, after = (float(force.weight[places].sum()) for force in (steps.before, steps.after))
            values = f"{before:.1%} → {after:.1%}"
        tiles.append(_tile(view, image, f"{mark}{MARKS[same]} {values} ", same))
    values = "the cosine of each view" if step < 3 else "the softmax weight of both views, without → with clipping"
    st.caption(f"The anchor, its other view, and the {TOP} most similar images, with {values}.")
    gallery.draw(tiles, key="anchor and negatives", size=SMALL)


def _images(other: np.ndarray, b: int) -> dict[int, list[int]]:
    """Positions in `other` of both views of each image, by image, for the first `TOP` images."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(other.tolist()):
        if row % b in places or len(places) < TOP:
            places.setdefault(row % b, []).append(place)
    return places


def _tile(
    view: View, row: int, caption: str, same: bool | None, *, on: bool = False, named: bool = True
) -> gallery.Tile:
    """The image of a row, its classes appended to the caption if `named`."""
    image, classes = int(view.batch.rows[row % len(view.batch.rows)]), view.classes_of(row)
    name, text = f"image {image} {classes}".strip(), caption + classes if named else caption
    return gallery.Tile(f"{row}{' anchor' if on else ''}", gallery.of_row(view.data, image), text, same, name, on=on)


CONTENT = {"tune": tuning, "steps": one_anchor, "mistakes": mistaken}
