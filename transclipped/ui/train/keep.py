"""Runs laid over each other, and runs as things to keep: open, rename, delete, download, import."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.errors import InputError
from transclipped.runs import manage
from transclipped.runs.run import RunDir
from transclipped.ui import absent, access, charts, names, runs
from transclipped.ui.text import plain
from transclipped.ui.train import jobs
from transclipped.ui.train import result as train_result
from transclipped.ui.train.live import FIGURES, WATCHED, cells, chosen, delete, lines, press, select

WHOLE_LOSS = "**Whole loss**: what training lowers."
INCOMPARABLE = (
    "These runs differ in temperature, clipping or batch, so their losses do not compare: a lower one is not better. "
    "Compare mAP."
)
MOST = 8  # runs over each other; more cannot be told apart


def overlay(events: dict[str, list[dict]], figure: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
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
    first = train_result.compared(current or next(iter(known.values())))
    absent.settle("compare", known, first)
    state.setdefault("compare", first)
    wanted = st.multiselect(
        "Runs", list(known), key="compare", bind="query-params", max_selections=MOST,
        help="Each run keeps one colour in all charts.",
    )  # fmt: skip
    events = {}
    for name in wanted:
        try:
            events[name] = known[name].events("step", "epoch")
        except InputError as error:
            st.error(plain(error))
    st.caption("Runs over the epochs. A run is missing where it has logged no such value.")
    figures = chosen()
    if "loss" in figures and not comparable([known[name] for name in wanted]):
        st.caption(f":material/warning: {INCOMPARABLE}")
    colours = {name: charts.CLASS_COLOURS[i % len(charts.CLASS_COLOURS)] for i, name in enumerate(wanted)}
    for column, figure in cells(figures):
        sentence, _, axis, meaning = FIGURES[figure]
        with column:
            st.caption(WHOLE_LOSS if figure == "loss" else sentence, help=meaning)
            drawn = _compared(overlay(events, figure), axis, colours, key=f"compare {figure}")
            charts.show(drawn, key=f"compare {figure}", name=f"compared-{figure}")


def comparable(of: list[RunDir]) -> bool:
    """Whether the losses of runs are on one scale: what is summed over, and τ, are the same."""
    scales = []
    for run in of:
        with suppress(InputError):
            scales.append((run.config.loss, run.config.clipping, run.config.schedule.batch))
    return all(scale == scales[0] for scale in scales)


@charts.cached_figure
def _compared(lines: dict, axis: str, colours: dict[str, str], *, key: str) -> go.Figure:
    drawn = charts.curves(lines, x="epoch", y=axis, key=key)
    for trace, name in zip(drawn.data, lines, strict=True):
        trace.update(line_color=colours[name])
    return drawn.update_traces(mode="lines+markers", marker_size=5).update_layout(showlegend=True)


def keep(current: RunDir | None) -> None:
    """Open, rename, delete and download a run, and import one."""
    known = runs.all_runs()
    left, right = st.columns(2)
    with left.container(border=True):
        if known:
            _actions(known, current)
        else:
            st.info("No run yet: choose a preset and press Start.")
    with right.container(border=True):
        _import()


def _actions(known: dict[str, RunDir], current: RunDir | None) -> None:
    if st.session_state.get("kept") not in known:  # set, not forgotten: only then the browser's box follows
        st.session_state["kept"] = current.name if current is not None and current.name in known else next(iter(known))
    run = known[st.selectbox("Run to open, name or share", list(known), key="kept")]
    own = runs.BUNDLED not in run.path.parents
    live = own and jobs.live(run.name)
    st.caption(f"{plain(run.name)}: {plain(runs.summary(run))}{'' if own else ' (comes with the app: read-only)'}")
    row = st.container(horizontal=True)
    row.button(f"Open {plain(run.name)}", key="open", icon=":material/visibility:", on_click=press,
               args=(_opened, run.name), help="All pages then show this run.")  # fmt: skip
    row.download_button(f"Download {plain(run.name)}", lambda: packed(run), f"{run.name}.zip", "application/zip",
                        key="download", icon=":material/download:", on_click="ignore", disabled=live,
                        help="A zip that any copy of this app can import.")  # fmt: skip
    with row.popover("Rename", icon=":material/edit:", **access.control(disabled=not own or live)):
        label, taken = f"New name of {plain(run.name)}", set(known) - {run.name}
        name = names.field(label, run.name, key=f"name of {run.name}", taken=taken)
        st.button(f"Rename {plain(run.name)}", key="rename", on_click=press, args=(_rename, run, name),
                  **access.control(disabled=name in (None, run.name)))  # fmt: skip
    with row.popover("Delete", icon=":material/delete:", **access.control(disabled=not own or live)):
        st.warning(f"Delete **{plain(run.name)}** for good?")
        st.button(f"Delete {plain(run.name)}", key="delete", type="primary", on_click=press, args=(delete, run),
                  **access.control())  # fmt: skip
    if live:
        st.caption("It is being trained, or waits for it: stop or cancel that first.")


def _import() -> None:
    with st.form("take in", clear_on_submit=True, border=False):
        st.file_uploader(
            "Import a run", type=["zip"], key="upload",
            **access.control(help="A zip that Download made. Everything in it is checked before it is imported. "
                             "Nothing in it is run, and nothing that it names is opened or fetched before you say so. "
                             "The run gets the name of the zip, as far as it is fit for one."),
        )  # fmt: skip
        st.form_submit_button("Import", key="take", icon=":material/upload:", on_click=press, args=(_unpack,),
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
    name = manage.fitting_name(Path(file.name).stem, otherwise="imported")
    run = manage.unpack(file, runs.home(), name=name, taken=set(runs.all_runs()))
    st.session_state["kept"] = run.name
    return f"{file.name} was imported as {run.name}. Open shows it on all pages."


def _opened(name: str) -> str:
    select(name)
    return f"All pages now show {name}."


def _rename(run: RunDir, name: str) -> str:
    access.require()
    if name != run.name and name in runs.all_runs():
        raise InputError(f"there is a run {name} already; choose another name")
    new = manage.rename(run, name)
    if st.session_state.get(runs.KEY) == run.name:
        runs.look_at(new.name)
    if st.session_state.get(WATCHED) == run.name:
        st.session_state[WATCHED] = new.name
    st.session_state["kept"] = new.name
    return f"{run.name} is called {new.name} now."
