"""The study on Benchmarks: mAP over the amount of clipping, and its other parts by table and figure."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks_study
from transclipped.clipping import amount_for
from transclipped.ui import charts, links
from transclipped.ui.benchmarks import charts as drawn
from transclipped.ui.benchmarks import view
from transclipped.ui.benchmarks.tables import LABELS
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

VALUES = {
    "map": "mAP", "map_tie_aware": "mAP, tie-aware", "symmetric": "mAP, symmetric search", "float": "mAP, float search",
    "validation_map": "validation mAP", "clip_fraction": "share of pairs clipped",
    "clip_precision": "precision of clipping",
}  # fmt: skip


@st.fragment
@guarded
def draw() -> None:
    """All parts of the study that have results here."""
    there = benchmarks_study.parts(view.STUDY)
    if not there:
        st.info("No result of the study is here; `python -m transclipped study` makes them.")
        return
    st.subheader("The study")
    st.caption(
        "Linear heads on one backbone, trained and measured by `python -m transclipped study`, so that only what is "
        "varied differs. Whiskers: 95 % interval of the mean over seeds, where there are several. " + LABELS
    )
    version = view.study_version(view.STUDY)
    if "curve" in there:
        _inverted_u(view.study(version, "curve", view.STUDY))
    others = [part for part in there if part in view.PARTS]
    if others:
        _part_of(others, version)


def _inverted_u(found) -> None:
    st.markdown("**How much clipping helps**")
    rules = benchmarks_study.curve_rules(found)
    if not rules:
        st.caption("Too few amounts were tried so far to draw a curve.")
        return
    rule = st.segmented_control(
        "Rule", rules, format_func=plain, default="threshold" if "threshold" in rules else rules[0], key="study_rule",
        bind="query-params", required=True,
    )  # fmt: skip
    st.caption(
        "mAP over the amount of clipping, more of it to the right, for each temperature τ; dashed: nothing clipped. "
        "Some helps, too much destroys the embedding, and where the best lies moves with τ."
    )
    lines, unclipped = benchmarks_study.inverted_u(found, rule)
    amount = amount_for(rule)
    name = f"{amount.symbol}, {amount.help}" if amount else rule
    figure = drawn.inverted_u(lines, unclipped, x=name, value="mAP", key=f"inverted u {rule}")
    charts.show(figure, key="inverted u", name=f"study-curve-{rule}")


def _part_of(there: list, version: tuple) -> None:
    texts = {name: view.PARTS[name][0] for name in there}
    part = links.choose(
        st.segmented_control, "What else matters", texts, key="study_part", default=there[0], required=True
    )
    _, question, x, lines, panels = view.PARTS[part]
    found = view.study(version, part, view.STUDY)
    values = [name for name in VALUES if name in found and found[name].notna().any()]
    value = links.choose(
        st.selectbox, "Value", {name: VALUES[name] for name in values}, key="study_value", default=values[0]
    )
    table = benchmarks_study.means(found, [x, *lines, *panels], value=value)
    st.caption(f"{question} Mean over seeds of the {VALUES[value]}.")
    there = {"line": [n for n in lines if n in table], "panel": [n for n in panels if n in table]}
    figure = drawn.means(table, x=x, **there, value=VALUES[value], key=f"study {part}")
    charts.show(figure, key="study part", name=f"study-{part}")
    headings = {"n": "seeds", "mean": VALUES[value], "half": "± (95 %)"}
    st.dataframe(table.rename(columns=headings).round(4), hide_index=True, key="study table", width="stretch")
