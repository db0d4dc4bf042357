"""Benchmarks: measured runs side by side, published numbers set apart, and the study behind the defaults."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis import benchmarks, benchmarks_study, report, tables
from transclipped.ui import absent, charts, links, runs, sections
from transclipped.ui.benchmarks import charts as drawn
from transclipped.ui.benchmarks import view
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

RUNS, STUDY, PUBLISHED = "measured", "study", "published"
SECTIONS = {RUNS: "Measured here", STUDY: "The study", PUBLISHED: "Published elsewhere"}
SHOWN = 8  # runs over each other, at first
CLASSES = "classes"
CURVES = {
    "precision": ("precision at k", "k, hits looked at", "Share of relevant pictures among the first k hits."),
    "recall": ("recall at k", "k, hits looked at", "Share of all relevant pictures among the first k hits."),
    "precision_recall": ("precision over recall", "recall", "Precision where so much of what is relevant was found."),
}
VALUES = {
    "map": "mAP", "map_tie_aware": "mAP, tie-aware", "symmetric": "mAP, symmetric search", "float": "mAP, float search",
    "validation_map": "validation mAP", "clip_fraction": "share of pairs clipped",
    "clip_precision": "precision of clipping",
}  # fmt: skip
SYMBOLS = {name: symbol for name, (_, symbol) in benchmarks.AMOUNT.items()}
LABELS = "Labels are for measuring only: no training saw them."


def asked() -> str:
    """By which search."""
    return st.segmented_control(
        "Search", list(benchmarks.SEARCHES), default="asymmetric", key="search", bind="query-params", required=True,
        help="Asymmetric: the query's numbers against codes. Symmetric: code against code. Float: no codes at all.",
    ) or "asymmetric"  # fmt: skip


@guarded
def measured() -> None:
    search = asked()
    lines = table(search)
    if lines:
        together(lines, search)


def table(search: str) -> list:
    """Table of all runs; returns its lines."""
    known = runs.all_runs()
    lines, problems = view.lines(known, search)
    for name, problem in problems.items():
        st.warning(f"{plain(name)} is left out: {plain(problem)}")
    if not lines:
        st.info("No run was measured yet. Train one: the small sample is enough for a first look.")
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return []
    st.caption(
        f"Every measured run by {search} search. Compare rows of the same data set, protocol, K and database alone. "
        + LABELS
    )
    view.shown(view.table(lines, known), key="table")
    return lines


def published() -> None:
    st.subheader("Published elsewhere, not measured here")
    view.shown(benchmarks.published(), key="published")
    st.caption(f"mAP@1000 by asymmetric search. Source: {benchmarks.REFERENCES[0].source}.")
    st.caption(benchmarks.DIFFERENCES)


def choice(lines: list) -> list:
    """The runs to draw over each other: those measured as the sidebar's run was, unless others were chosen."""
    names = [line.run for line in lines]
    current = runs.current()
    like = next((line for line in lines if current is not None and line.run == current.name), lines[0])
    same = [line.run for line in lines if _comparable(line) == _comparable(like)]
    absent.settle("runs", names, same[:SHOWN])
    wanted = st.multiselect(
        "Runs", names, same[:SHOWN], key="runs", bind="query-params", help="Drawn over each other below."
    )
    return [line for line in lines if line.run in wanted]


def _comparable(line) -> tuple:
    """What is the same for runs that may be drawn over each other."""
    return line.dataset, line.protocol, line.whole, line.k, line.database


def figure(kind: str, found: dict, search: str):
    """The sentence above a figure and the figure; None where nothing of it was measured."""
    if kind == CLASSES:
        names, columns, cells = benchmarks.per_class(found, search=search)
        sentence = "mAP of each run by the class of the query: which classes it finds easily, and which it confuses."
        return (sentence, drawn.class_map(names, columns, cells, key=kind)) if names else None
    name, x, sentence = CURVES[kind]
    known = {run: benchmarks.curve(metrics, kind, search=search) for run, metrics in found.items()}
    points = {run: curve for run, curve in known.items() if curve}
    log = kind != "precision_recall"
    return (sentence, drawn.curves(points, x=x, y=name, key=kind, log_x=log)) if points else None


def over_each_other(found: dict, search: str) -> None:
    texts = {kind: about[0] for kind, about in CURVES.items()} | {CLASSES: "mAP by class"}
    kind = links.choose(st.segmented_control, "Figure", texts, key="curve", default="precision", required=True)
    made = figure(kind, found, search)
    if made is None:
        st.info("None of the chosen runs has labels, so there is nothing to measure.")
        return
    st.caption(f"{made[0]} {LABELS}")
    charts.show(made[1], key="curves", name=f"benchmarks-{kind}")


def downloads(lines: list, found: dict, search: str) -> None:
    known = runs.all_runs()
    commands = {line.run: known[line.run].record.get("command", "") for line in lines if line.run in known}
    columns = view.table(lines, known)

    def whole() -> bytes:
        figures = dict(filter(None, (figure(kind, found, search) for kind in (*CURVES, CLASSES))))
        return view.html_report(columns, figures, commands, search).encode()

    with st.container(horizontal=True):
        st.download_button(
            "CSV", lambda: report.csv(columns), "benchmarks.csv", "text/csv", key="csv", on_click="ignore",
            icon=":material/table:",
        )  # fmt: skip
        st.download_button(
            "Markdown", lambda: tables.markdown(view.columns(columns), number=".4g") + "\n", "benchmarks.md",
            "text/markdown", key="md", on_click="ignore", icon=":material/notes:",
        )  # fmt: skip
        st.download_button(
            "Report (HTML)", whole, "benchmarks.html", "text/html", key="report", on_click="ignore",
            icon=":material/article:",
            help="The chosen runs, all their figures, the references and the commands that repeat each run, in one "
            "file of 5 MB that needs no network.",
        )  # fmt: skip


@st.fragment
@guarded
def together(lines: list, search: str) -> None:
    st.subheader("Over each other")
    chosen = choice(lines)
    known = runs.all_runs()
    found = {
        line.run: view.metrics(known[line.run].fingerprint, known[line.run]) for line in chosen if line.run in known
    }
    if not found:
        st.info("Choose a run to draw.")
        return
    over_each_other(found, search)
    if rounded := view.rounded(chosen, known):
        st.caption(plain(rounded))
    st.caption("Take the chosen runs along:")
    downloads(chosen, found, search)


@st.fragment
@guarded
def study() -> None:
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
        inverted_u(view.study(version, "curve", view.STUDY))
    others = [part for part in there if part in view.PARTS]
    if others:
        part_of(others, version)


def inverted_u(found) -> None:
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
    name = {"threshold": "δ, similarity above which a pair is clipped"}.get(rule, f"{SYMBOLS.get(rule, '')} of {rule}")
    figure = drawn.inverted_u(lines, unclipped, x=name, value="mAP", key=f"inverted u {rule}")
    charts.show(figure, key="inverted u", name=f"study-curve-{rule}")


def part_of(there: list, version: tuple) -> None:
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


st.title("Benchmarks")
st.caption("What was measured here, run by run; set apart from it, what others have published.")
runs.current()  # opens the app around a page that was opened alone
section = sections.choose(SECTIONS, told_by=dict.fromkeys(("study_rule", "study_part", "study_value"), STUDY))
{RUNS: measured, STUDY: study, PUBLISHED: published}[section]()
