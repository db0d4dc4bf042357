"""The study on Benchmarks: mAP over the amount of clipping, and its other parts as table and figure."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks_study
from transclipped.clipping import amount_for
from transclipped.ui import charts, headline, links, presenting
from transclipped.ui.benchmarks import charts as figures
from transclipped.ui.benchmarks import view
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

LOWER = (0.2, 0.3)  # temperatures of the curve where a head without clipping is worse than at its best one
NARROW = 360  # px, of a choice of a few words
SETTINGS = ("amount", "temperature")  # columns of a table besides those that a figure shows
VALUES = {
    "map": "mAP",
    "map_tie_aware": "mAP, tie-aware",
    "symmetric": "mAP, symmetric search",
    "float": "mAP, float search",
    "validation_map": "validation mAP",
    "clip_fraction": "share of pairs clipped",
    "clip_precision": "precision of clipping",
    "mean_cosine": "mean cosine of images",
}


@st.fragment
@shows_input_errors
def draw() -> None:
    """All parts of the study that have results here."""
    parts = benchmarks_study.parts(view.STUDY)
    if not parts:
        st.info("No results of the study yet; `python -m transclipped study` computes them.")
        return
    st.header("The study")
    st.caption(
        "Linear heads, trained and measured by `python -m transclipped study`. Only the varied setting differs, and "
        "with a rule the temperature that suits it. "
        f"Whiskers: 95% interval of the mean over seeds, if there are several. {view.LABELS}"
    )
    if "curve" in parts:
        _inverted_u(view.study("curve"))
    if others := [part for part in parts if part in view.PARTS]:
        _part(others)


def _inverted_u(results) -> None:
    st.header("How much clipping helps")
    rules = benchmarks_study.curve_rules(results)
    if not rules:
        st.caption("Too few amounts tried so far to draw a curve.")
        return
    options = {"key": "study_rule", "bind": "query-params", "required": True, "format_func": plain}
    with presenting.controls("Rule"):
        rule = st.segmented_control("Rule", rules, default="threshold" if "threshold" in rules else rules[0], **options)
    st.caption(
        "mAP over the amount of clipping, more of it to the left, for each temperature τ; dashed, and at the right "
        "end: no clipping. Some clipping helps, too much destroys the embedding, and the optimum moves with τ."
    )
    lines, unclipped = benchmarks_study.inverted_u(results, rule)
    amount = amount_for(rule)
    name = f"{amount.symbol}, {amount.help}" if amount else rule
    headline.beside(*map(headline.study, LOWER))
    figure = figures.inverted_u(lines, unclipped, x=name, value="mAP", key=f"inverted u {rule}")
    charts.show(figure, key="inverted u", name=f"study-curve-{rule}")


def _part(parts: list[str]) -> None:
    texts = {name: view.PARTS[name][0] for name in parts}
    options = {"key": "study_part", "default": parts[0], "required": True}
    st.header("Other settings")
    with presenting.controls("Setting and value"):
        part = links.choose(st.segmented_control, "Setting", texts, **options)
        results = view.study(part)
        values = {name: text for name, text in VALUES.items() if name in results and results[name].notna().any()}
        with st.container(width=NARROW):
            value = links.choose(st.selectbox, "Value", values, key="study_value", default=next(iter(values)))
    _, question, x, lines, panels = view.PARTS[part]
    table = benchmarks_study.means(results, [x, *lines, *panels], value=value)
    st.caption(f"{question} Mean over seeds of the {VALUES[value]}. A dashed line, if any: no clipping.")
    lines, panels = ([name for name in names if name in table] for names in (lines, panels))
    figure = figures.means(table, x=x, line=lines, panel=panels, value=VALUES[value], key=f"study {part}")
    with st.container(width=charts.WIDEST):
        charts.show(figure, key="study part", name=f"study-{part}")
    settings = [x, *lines, *panels, *(name for name in SETTINGS if name not in (x, *lines, *panels))]
    table = benchmarks_study.means(results, settings, value=value)
    table = benchmarks_study.ranked(table, x, [*panels, *lines])
    headings = {"n": "seeds", "mean": VALUES[value], "half": "± (95%)", "gain": "over none", "temperature": "τ"}
    st.dataframe(table.rename(columns=headings).round(4), hide_index=True, key="study table", placeholder=view.EMPTY)
