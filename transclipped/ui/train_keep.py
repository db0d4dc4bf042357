"""Runs laid over each other, and runs as things to keep: open, name, delete, download, take in."""

from __future__ import annotations

import io
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from transclipped.analysis import benchmarks
from transclipped.errors import InputError
from transclipped.training import manage
from transclipped.training.run import RunDir
from transclipped.ui import access, charts, jobs, runs
from transclipped.ui.kept import kept
from transclipped.ui.text import plain
from transclipped.ui.train_live import FIGURES, cells, chosen, lines, select, told

WHOLE_LOSS = "**Whole loss**: what training lowers."
MOST = 8  # runs over each other; more cannot be told apart


def overlay(events: dict[str, list[dict]], figure: str) -> dict[str, tuple[list, list]]:
    """First curve of a figure of each run by the run's name; runs without it are left out."""
    found = {name: lines(of_run, figure) for name, of_run in events.items()}
    return {name: next(iter(curves.values())) for name, curves in found.items() if curves}


def compare(current: RunDir | None) -> None:
    """Curves of several runs over each other."""
    known = runs.all_runs()
    if not known:
        st.info("No run yet: choose a preset and press Start.")
        return
    state = st.session_state
    if "compare" in state:  # without what was deleted or renamed meanwhile
        state["compare"] = [name for name in state["compare"] if name in known]
    elif "compare" not in st.query_params:
        first = current or next(iter(known.values()))
        state["compare"] = [run.name for run in (first, *benchmarks.alike(first, known.values()))][:2]
    names = st.multiselect(
        "Runs", list(known), key="compare", bind="query-params", max_selections=MOST,
        help="Each run keeps one colour in all charts.",
    )  # fmt: skip
    events = {}
    for name in names:
        try:
            events[name] = known[name].events("step", "epoch")
        except InputError as error:
            st.error(plain(error))
    st.caption("Runs over the epochs. A run is missing where it has logged no such value.")
    colours = {name: charts.CLASS_COLOURS[i % len(charts.CLASS_COLOURS)] for i, name in enumerate(names)}
    for column, figure in cells(chosen()):
        sentence, _, axis, meaning = FIGURES[figure]
        with column:
            st.caption(WHOLE_LOSS if figure == "loss" else sentence, help=meaning)
            drawn = _compared(overlay(events, figure), axis, colours, key=f"compare {figure}")
            charts.show(drawn, key=f"compare {figure}", name=f"compared-{figure}")


@kept
def _compared(lines: dict, axis: str, colours: dict[str, str], *, key: str) -> go.Figure:
    drawn = charts.curves(lines, x="epoch", y=axis, key=key)
    for trace, name in zip(drawn.data, lines, strict=True):
        trace.update(line_color=colours[name])
    return drawn.update_traces(mode="lines+markers", marker_size=5).update_layout(showlegend=True)


def keep(current: RunDir | None) -> None:
    """Open, rename, delete and download a run, and take one in."""
    known = runs.all_runs()
    left, right = st.columns(2)
    with left.container(border=True):
        if known:
            _actions(known, current)
        else:
            st.info("No run yet: choose a preset and press Start.")
    with right.container(border=True):
        _take_in()


def _actions(known: dict[str, RunDir], current: RunDir | None) -> None:
    names = list(known)
    if st.session_state.get("kept") not in names:
        st.session_state.pop("kept", None)
    first = names.index(current.name) if current is not None and current.name in names else 0
    run = known[st.selectbox("Run to open, name or share", names, first, key="kept")]
    own = runs.BUNDLED not in run.path.parents
    live = own and jobs.live(run.name)
    st.caption(plain(runs.summary(run) if own else f"{runs.summary(run)} (comes with the app: read-only)"))
    row = st.container(horizontal=True)
    row.button("Open", key="open", icon=":material/visibility:", on_click=told, args=(_opened, run.name),
               help="All pages then look at this run.")  # fmt: skip
    row.download_button("Download", lambda: packed(run), f"{run.name}.zip", "application/zip", key="download",
                        icon=":material/download:", on_click="ignore", disabled=live,
                        help="A zip that any copy of this app takes in.")  # fmt: skip
    with row.popover("Rename", icon=":material/edit:", **access.control(disabled=not own or live)):
        name = st.text_input("New name", run.name, key=f"name of {run.name}")
        st.button("Rename it", key="rename", on_click=told, args=(_rename, run, name), **access.control())
    with row.popover("Delete", icon=":material/delete:", **access.control(disabled=not own or live)):
        st.warning(f"**{plain(run.name)}** and all that it learnt will be gone for good.")
        st.button("Delete it", key="delete", type="primary", on_click=told, args=(_delete, run),
                  **access.control())  # fmt: skip
    if live:
        st.caption("It is being trained, or waits for it: stop or cancel that first.")


def _take_in() -> None:
    with st.form("take in", clear_on_submit=True, border=False):
        st.file_uploader(
            "Run from elsewhere", type=["zip"], key="upload",
            **access.control(help="A zip that Download made. Everything in it is checked before it is taken in. "
                             "Nothing in it is run, and nothing that it names is opened or fetched before you say so."),
        )  # fmt: skip
        st.form_submit_button("Take it in", key="take", icon=":material/upload:", on_click=told, args=(_unpack,),
                              **access.control())  # fmt: skip


def packed(run: RunDir) -> bytes:
    """A run as a zip."""
    file = io.BytesIO()
    manage.pack(run, file)
    return file.getvalue()


def _unpack() -> str:
    access.require()
    file = st.session_state.get("upload")
    if file is None:
        raise InputError("choose the zip of a run first")
    name = Path(file.name).stem
    try:
        manage.check_name(name)
    except InputError:
        name = "uploaded"
    run = manage.unpack(file, runs.home(), name=name, taken=set(runs.all_runs()))
    st.session_state["kept"] = run.name
    return f"{run.name} was taken in. Open shows it on all pages."


def _opened(name: str) -> str:
    select(name)
    return f"All pages now look at {name}."


def _rename(run: RunDir, name: str) -> str:
    access.require()
    if name != run.name and name in runs.all_runs():
        raise InputError(f"there is a run {name} already; choose another name")
    new = manage.rename(run, name.strip())
    if st.session_state.get("run") == run.name:
        st.session_state["run"] = new.name
    if st.session_state.get("watched") == run.name:
        st.session_state["watched"] = new.name
    st.session_state["kept"] = new.name
    return f"{run.name} is now {new.name}."


def _delete(run: RunDir) -> str:
    access.require()
    manage.delete(run)
    return f"{run.name} was deleted."
