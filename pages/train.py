"""Train: choose settings, see how long they take, start, watch, stop, go on; compare and keep runs."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.flags import command
from transclipped.ui import links, runs
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain
from transclipped.ui.train import form as train_form
from transclipped.ui.train import keep, live, start

CURVES, COMPARE, KEEP = "curves", "compare", "keep"
PARTS = {CURVES: "Curves", COMPARE: "Compare runs", KEEP: "Keep and share"}


@guarded
def new_training():
    """Where the estimate goes, and of what; None of settings that cannot train."""
    form = train_form.form()
    name = start.name_and_button(form)
    place = st.container()
    with st.expander("The same from a terminal", icon=":material/terminal:"):
        st.code(command(form.config, f"runs/{name}"), language="bash", wrap_lines=True)
    return place, None if form.problems else form.config


@guarded
def look(current) -> None:
    part = links.choose(
        st.segmented_control, "Show", PARTS, key="part", default=CURVES, required=True, label_visibility="collapsed"
    )
    live.notes()
    name = live.watched() or (current and current.name)
    run = runs.all_runs().get(name, current)
    if part == COMPARE:
        keep.compare(run)
    elif part == KEEP:
        keep.keep(run)
    elif name is None:
        st.info("No run yet: choose a preset and press Start.")
    else:
        st.subheader(plain(name))
        live.follow(name)


st.title("Train")
st.caption(
    "A head and a quantizer learn from unlabelled images, in a process of its own: closing this page loses nothing."
)
current = runs.current()
place, config = new_training() or (None, None)
st.divider()
look(current)
if config is not None:  # last, since torch is loaded for it
    with place:
        start.estimate(config)
