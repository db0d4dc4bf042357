"""Comparing the curves of several runs, and managing runs: open, rename, delete, download, import."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from transclipped.errors import InputError
from transclipped.runs import manage
from transclipped.runs.run import RunDir
from transclipped.ui import absent, access, charts, names, runs
from transclipped.ui.line_labels import label_ends, split, without_prefix
from transclipped.ui.text import plain
from transclipped.ui.theme import class_colour
from transclipped.ui.train import jobs
from transclipped.ui.train import result as train_result
from transclipped.ui.train.live import FIGURES, WATCHED, action, cells, chosen, delete, least_of, lines, press, select

NO_RUN = "No run yet: choose a preset and press Start."
TOTAL_LOSS = "**Total loss**, which training minimises."
INCOMPARABLE = (
    "These runs differ in objective, temperature, clipping or batch size, so their losses are not comparable and each "
    "has an axis of its own: lower is not better. Compare mAP instead."
)
MOST = 8  # compared runs; more lines are hard to tell apart


def compare(current: RunDir | None) -> None:
    """Draw the curves of several runs in the same charts."""
    existing = runs.all_runs()
    if not existing:
        st.info(NO_RUN)
        return
    default = train_result.compared(current or next(iter(existing.values())))
    absent.settle("compare", existing, default)
    st.session_state.setdefault("compare", default)
    options = {"bind": "query-params", "max_selections": MOST, "help": "A run has the same colour in all charts."}
    selected = st.multiselect("Runs", list(existing), key="compare", **options)
    events = {}
    for name in selected:
        try:
            events[name] = existing[name].events("step", "epoch")
        except InputError as error:
            st.error(plain(error))
    st.caption("Curves by epoch. A run that has not logged a value is left out of its chart.")
    figures = chosen()
    groups = loss_groups([existing[name] for name in selected])
    if "loss" in figures and len(groups) > 1:
        st.caption(f":material/warning: {INCOMPARABLE}")
    colours = {name: class_colour(i) for i, name in enumerate(selected)}
    for column, figure in cells(figures):
        sentence, _, axis, meaning = FIGURES[figure]
        with column:
            st.caption(TOTAL_LOSS if figure == "loss" else sentence, help=meaning)
            curves = {name: lines(of_run, figure) for name, of_run in events.items()}
            first = {name: next(iter(of_run.values())) for name, of_run in curves.items() if of_run}
            panels = [[name for name in group if name in first] for group in groups]
            panels = [*filter(None, panels)] if figure == "loss" else [[*first]]
            chart = _compared(first, panels, axis, colours, least=least_of(figure), key=f"compare {figure}")
            charts.show(chart, key=f"compare {figure}", name=f"compared-{figure}")


def loss_groups(of: list[RunDir]) -> list[list[str]]:
    """Names of runs, grouped by equal scales of the loss: its terms, τ, clipping and batch size."""
    groups: dict[tuple, list[str]] = {}
    for run in of:
        scale = (run.name,)  # unreadable settings compare with nothing
        with suppress(InputError):
            scale = (run.config.loss, run.config.clipping, run.config.schedule.batch)
        groups.setdefault(scale, []).append(run.name)
    return list(groups.values())


@charts.cached_figure
def _compared(
    lines: dict, panels: list[list[str]], axis: str, colours: dict[str, str], *, least: float, key: str
) -> go.Figure:
    """Lines of runs, in a panel of its own for each list of names, one below the other."""
    ordered = {name: lines[name] for panel in panels for name in panel}
    chart = charts.curves(ordered, x="epoch", y=axis, key=key)
    for trace, name in zip(chart.data, ordered, strict=True):
        trace.update(line_color=colours[name])
    chart.update_traces(mode="lines+markers", marker_size=5)
    split(chart, [len(panel) for panel in panels])
    return label_ends(chart, labels=without_prefix([*ordered]), least=least)


def keep(current: RunDir | None) -> None:
    """Draw the actions on existing runs, and the import of another."""
    existing = runs.all_runs()
    left, right = st.columns(2)
    with left.container(border=True):
        if existing:
            _actions(existing, current)
        else:
            st.info(NO_RUN)
    with right.container(border=True):
        _import()


def _actions(existing: dict[str, RunDir], current: RunDir | None) -> None:
    if st.session_state.get("kept") not in existing:  # set rather than deleted, so that the browser's box follows
        shown = current is not None and current.name in existing
        st.session_state["kept"] = current.name if shown else next(iter(existing))
    run = existing[st.selectbox("Run to open, rename or share", list(existing), key="kept")]
    name, bundled = plain(run.name), runs.BUNDLED in run.path.parents
    live = not bundled and jobs.live(run.name)
    st.caption(f"{name}: {plain(runs.summary(run))}{' (bundled: read-only)' if bundled else ''}")
    row = st.container(horizontal=True)
    visit = {"on_click": press, "args": (_open, run.name), "help": "All pages then show this run."}
    row.button(f"Open {name}", key="open", icon=":material/visibility:", **visit)
    file = {"file_name": f"{run.name}.zip", "mime": "application/zip", "on_click": "ignore"}
    download = {"icon": ":material/download:", "disabled": live, "help": "A zip that any copy of this app can import."}
    row.download_button(f"Download {name}", lambda: packed(run), key="download", **file, **download)
    with row.popover("Rename", icon=":material/edit:", **access.control(disabled=bundled or live)):
        taken = set(existing) - {run.name}
        new = names.field(f"New name of {name}", run.name, key=f"name of {run.name}", taken=taken)
        st.button(f"Rename {name}", key="rename", **action(_rename, run, new, disabled=new in (None, run.name)))
    with row.popover("Delete", icon=":material/delete:", **access.control(disabled=bundled or live)):
        st.warning(f"Delete **{name}** permanently?")
        st.button(f"Delete {name}", key="delete", type="primary", **action(delete, run))
    if live:
        st.caption("It is training or queued: stop or cancel it first.")


def _import() -> None:
    about = (
        "A zip made by Download. It is checked completely before the import. Nothing in it is executed, and the files "
        "that it names are neither opened nor downloaded until you confirm them. The run is named after the zip."
    )
    with st.form("take in", clear_on_submit=True, border=False):
        st.file_uploader("Import a run", type=["zip"], key="upload", **access.control(help=about))
        st.form_submit_button("Import", key="take", icon=":material/upload:", **action(_unpack))


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


def _open(name: str) -> str:
    select(name)
    return f"All pages now show {name}."


def _rename(run: RunDir, name: str) -> str:
    access.require()
    if name != run.name and name in runs.all_runs():
        raise InputError(f"a run {name} already exists; choose another name")
    new = manage.rename(run, name)
    if st.session_state.get(runs.KEY) == run.name:
        runs.look_at(new.name)
    if st.session_state.get(WATCHED) == run.name:
        st.session_state[WATCHED] = new.name
    st.session_state["kept"] = new.name
    return f"{run.name} was renamed to {new.name}."
