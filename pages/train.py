"""Train: choose settings, see how long they take, start, watch, stop, go on; compare and keep runs."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.flags import command
from transclipped.ui import links, runs
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain
from transclipped.ui.train import form as train_form
from transclipped.ui.train import keep as train_keep
from transclipped.ui.train import live as train_live
from transclipped.ui.train import start as train_start

CURVES, COMPARE, KEEP = "curves", "compare", "keep"
PARTS = {CURVES: "Curves", COMPARE: "Compare runs", KEEP: "Keep and share"}


@guarded
def new_training():
    """Where the estimate goes, and of what; None of settings that cannot train."""
    form = train_form.form()
    config = form.config
    name = train_start.name_and_button(form)
    place = st.container()
    with st.expander("The same from a terminal", icon=":material/terminal:"):
        st.code(command(config, f"runs/{name}"), language="bash", wrap_lines=True)
    return place, None if form.problems else config


@guarded
def look(current) -> None:
    part = links.choose(
        st.segmented_control, "Show", PARTS, key="part", default=CURVES, required=True, label_visibility="collapsed"
    )
    train_live.notes()
    name = train_live.watched() or (current and current.name)
    run = runs.all_runs().get(name, current)
    if part == COMPARE:
        train_keep.compare(run)
    elif part == KEEP:
        train_keep.keep(run)
    elif name is None:
        st.info("No run yet: choose a preset and press Start.")
    else:
        st.subheader(plain(name))
        train_live.follow(name)


st.title("Train")
st.caption(
    "A head and a quantizer learn from unlabelled pictures, in a process of its own: closing this page loses nothing."
)
current = runs.current()
drawn = new_training()
st.divider()
look(current)
if drawn is not None and drawn[1] is not None:  # last, since the first one measures this machine
    with drawn[0]:
        train_start.estimate(drawn[1])
