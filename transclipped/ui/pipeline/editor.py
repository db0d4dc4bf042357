"""The line of the page: typed, chosen from examples, or built from chips; `?pipe=` in the address."""

from __future__ import annotations

import streamlit as st

from transclipped.errors import InputError
from transclipped.experiments.pipelines import edit
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.same_light import LINE as LIGHT
from transclipped.retrieval.advice import advice
from transclipped.retrieval.line import Line, presets
from transclipped.retrieval.stages import NOTE, STAGES
from transclipped.ui import cached, links, presenting, runs
from transclipped.ui.components import share
from transclipped.ui.pipeline.data import CALTECH, NAMES, Place, place_of
from transclipped.ui.text import plain

LINE, DATA, ADD, EXAMPLE = "pipe", "pipe_data", "pipe add", "pipe example"
DEFAULT = "run:hybrid-caltech101-32-clipped | qe(10) | k-reciprocal"
EXAMPLES = {
    "codes of a run": DEFAULT,
    "features": "hybrid-vit | l2 | pca(128) | l2 | dba(10) | pq(32) | qe(10) | k-reciprocal",
    "maps": "head32 | gem(3) | l2 | pca(128) | l2 | float | qe(10)",
    "prominent channels": "stem16 | mpfa(0.5) | mean | l2",
    "regions": "stem16 | regions | mean | l2",
    "flatness": "stem16 | flatness | mean | l2",
    "bits": "hybrid-vit-photographs | l2 | udh(32)",
    "trees": "hybrid-vit-photographs | l2 | trees(100, 6, path)",
    "light": LIGHT,
    "fusion": "rrf(hybrid-vit | l2 + stem16 | scda | l2) | k-reciprocal",
}
HELP = {
    LINE: "Stages with | between them, from left to right. Options stand in brackets, by position or by name: "
    "`gem(3)` or `gem(p=3)`.",
    DATA: "The images that are searched.",
    ADD: "Stages that fit; a stage is added at the last place where it fits.",
}


def draw() -> tuple[Line, Place] | None:
    """Draw the editor; returns the line and where it searches, None after showing what is wrong."""
    with presenting.controls("Pipeline"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            text = _typed()
            _examples()
        problem, line = st.container(), None
        try:
            line = Pipeline(text).line
        except InputError as error:
            problem.error(plain(error), icon=":material/error:")
        with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="chips"):
            _chips(line)
            _add(line)
            data = CALTECH if line is None or line.steps[0].name == "run" else _data()
            share.link(key="pipe link", hint="Copies a link to this view.")
        for sentence in () if line is None else advice(line):
            st.caption(f":material/info: {plain(sentence)}")
        try:
            return None if line is None else (line, place_of(line, data))
        except InputError as error:
            problem.error(plain(error), icon=":material/error:")
            return None


def _typed() -> str:
    """The field, `?pipe=` in the address unless it holds the default."""
    if LINE not in st.session_state:
        st.session_state[LINE] = st.query_params.get(LINE, DEFAULT)
    text = st.text_input("Pipeline", key=LINE, help=HELP[LINE])
    if text == DEFAULT:
        st.query_params.pop(LINE, None)
    elif st.query_params.get(LINE) != text:
        st.query_params[LINE] = text
    return text


def _data() -> str:
    """The data set, for a line that begins with features."""
    about = {"key": DATA, "default": CALTECH, "required": True, "help": HELP[DATA], "label_visibility": "collapsed"}
    return links.choose(st.segmented_control, "Data set", NAMES, **about)


def _chips(line: Line | None) -> None:
    """The stages of the line as buttons that remove them."""
    if line is None:
        return
    for i, (text, whole) in enumerate(zip(edit.short(line), edit.chips(line), strict=True)):
        do = {"on_click": _set, "args": (edit.without(line, i),), "icon": ":material/close:"}
        st.button(plain(text), key=f"chip {i}", help=f"Removes {plain(whole)}.", **do)


def _add(line: Line | None) -> None:
    options = _fitting(None if line is None else str(line))
    if not _labelled(line):
        options = {name: text for name, text in options.items() if not STAGES[name].uses_labels}

    def added() -> None:
        if (name := st.session_state.get(ADD)) in options:
            st.session_state[LINE] = options[name]
        st.session_state[ADD] = None

    def described(name: str) -> str:
        note = f" · {NOTE}" if STAGES[name].uses_labels else ""
        return f"{name} · {STAGES[name].kind}{note}"

    about = {"placeholder": "Add a stage", "label_visibility": "collapsed", "width": 220, "help": HELP[ADD]}
    st.selectbox("Add a stage", list(options), None, key=ADD, format_func=described, on_change=added, **about)


def _labelled(line: Line | None) -> bool:
    """Whether the images have labels: bundled sets do, and runs of labelled data."""
    if line is None or line.steps[0].name != "run":
        return True
    try:
        run = place_of(line, CALTECH).run
        return run is None or cached.arrays(run).database_labels is not None
    except InputError:  # shown elsewhere
        return True


@st.cache_data(max_entries=64, show_spinner=False)
def _fitting(text: str | None) -> dict[str, str]:
    return edit.fitting(None if text is None else Pipeline(text).line)


def _examples() -> None:
    examples = EXAMPLES | {name: line for name, line in presets().items() if name != "run"}
    if (run := runs.current()) is not None:
        examples["the run in the sidebar"] = f"run:{_address(run)} | qe(10)"

    def chosen() -> None:
        if (name := st.session_state.get(EXAMPLE)) in examples:
            st.session_state[LINE] = examples[name]
        st.session_state[EXAMPLE] = None

    about = {"placeholder": "Choose an example", "width": 220}
    st.selectbox("Examples", list(examples), None, key=EXAMPLE, on_change=chosen, **about)


def _address(run) -> str:
    """How a line names a run: bundled ones by name, others by folder."""
    return run.name if runs.BUNDLED in run.path.parents else str(run.path)


def _set(text: str) -> None:
    st.session_state[LINE] = text
