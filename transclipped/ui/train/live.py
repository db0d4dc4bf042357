"""A training while it is queued, runs and ends: its progress, its curves, and the buttons that control it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.clipping import RULES
from transclipped.config import WITHOUT_NEGATIVES
from transclipped.errors import InputError
from transclipped.runs import manage
from transclipped.runs.run import STOP_FILE, RunDir
from transclipped.training.collapse import COLLAPSED, has_collapsed
from transclipped.ui import absent, access, acts, charts, links, presenting, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.line_labels import label_ends
from transclipped.ui.quantities import duration, time_left
from transclipped.ui.text import for_plotly, plain
from transclipped.ui.train import jobs
from transclipped.ui.train import result as train_result
from transclipped.ui.train.network import OBJECTIVE_TEXTS
from transclipped.ui.train.words import in_app_words

COLLAPSE = (
    "The head has collapsed: it maps all images to nearly one point (mean cosine of different images above "
    f"{COLLAPSED:g}), so its hits mean nothing. Choose another objective, clip less, or lower the learning rate."
)
PATIENCE = 20.0  # seconds after which a training that does not stop may be killed
OBSERVED = "Labels are used for monitoring only; training never sees them."
CONTRASTIVE, ENTROPY = "contrastive", "entropy of soft codes"  # legends in `FIGURES`
FIGURES = {  # a sentence, the logged values by legend, axis, help
    "loss": (
        "**Loss and its terms.**",
        {"total": "loss", CONTRASTIVE: "contrastive", ENTROPY: "entropy", "diversity": "diversity"},
        "nats; cosine for diversity",
        "Total = contrastive + λ · entropy + γ · diversity; with λ = 0 the entropy is only monitored.",
    ),
    "clip_fraction": (
        "**Share clipped** of all pairs of an anchor and a negative.",
        {"clip fraction": "clip_fraction"},
        "share",
        "In a batch of B images each anchor has 2B − 2 negatives; the rule clips those that are probably false.",
    ),
    "clip_precision": (
        "**Precision of clipping**: share of the clipped pairs that are false negatives. Measured with labels.",
        {"precision": "clip_precision"},
        "share",
        f"A negative of the anchor's class is false. {OBSERVED}",
    ),
    "validation_map": (
        "**Validation mAP**: retrieval quality on held-out images. Measured with labels.",
        {"validation mAP": "validation_map"},
        "mAP",
        f"Validation images query the training images; test queries are never used. {OBSERVED}",
    ),
    "perplexity": (
        "**Codewords in use** per codebook (perplexity).",
        {"perplexity": "perplexity"},
        "codewords",
        "exp of the entropy of codeword usage in a batch, averaged over codebooks: at most the number of codewords "
        "and of images in a batch; 1 when a codebook has collapsed.",
    ),
    "images_per_s": (
        "**Training speed** in images per second.",
        {"images/s": "images_per_s"},
        "images per second",
        "Encoding the images beforehand is not counted.",
    ),
}
EPOCHS_ONLY = "validation_map"
SHARES = ("validation_map", "clip_fraction", "clip_precision")
LEAST = 0.05  # smallest range of the axis of a share: 0.01 is noise
GROUPS = {  # figures drawn together
    "learning": ("Loss and mAP", ("loss", "validation_map")),
    "clipping": ("Clipping", ("clip_fraction", "clip_precision")),
    "codes": ("Codewords and speed", ("perplexity", "images_per_s")),
    "all": ("All", tuple(FIGURES)),
}
MOST_POINTS = 500  # per curve; a long training logs thousands, and all are redrawn every second
NOTE = "train note"
WATCHED, BESIDE = "watched", "watched beside"  # session keys: the training shown, and the run chosen at that time
press = partial(acts.press, NOTE)


def action(callback: Callable, *args, of: str | None = None, **control) -> dict:
    """Arguments of a button: its callback, and whether this visitor may press it.

    Args:
        of: the training that it controls; without one, only the owner may press it.
        control: `disabled` and `help`.
    """
    act = access.MANAGE if of is None else access.TRAIN
    return {"on_click": press, "args": (callback, *args), **access.control(act, of=of, **control)}


def lines(events: list[dict], figure: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Curves of a figure by legend, as epochs and values; those without a value are left out."""
    kind = "epoch" if figure == EPOCHS_ONLY else "step"
    curves = {}
    for legend, name in FIGURES[figure][1].items():
        points = [(e["epoch"], e[name]) for e in events if e.get("kind") == kind and name in e and "epoch" in e]
        points = points[:: -(-len(points) // MOST_POINTS)] if len(points) > MOST_POINTS else points
        if points:
            curves[legend] = tuple(np.array(points, float).T)
    return curves


def follow(name: str) -> None:
    """Draw a training every second until it ends, then whenever another tab or process changes it."""
    if not presenting.folded():  # the result names it
        st.header(plain(name))
    if jobs.live(name):
        _follow_live(name)
    else:
        _draw(name)
        _follow_ended(name, _state(name))


@st.fragment(run_every="1s")
def _follow_live(name: str) -> None:
    _draw(name)
    if not jobs.live(name):
        st.rerun()


@st.fragment(run_every="3s")
def _follow_ended(name: str, previous: str | None) -> None:
    if jobs.live(name) or _state(name) != previous:
        st.rerun()


def _state(name: str) -> str | None:
    run = runs.all_runs().get(name)
    with suppress(InputError):
        return None if run is None else run.status().get("state")
    return "damaged"


@shows_input_errors
def _draw(name: str) -> None:
    acts.show(NOTE)
    run = runs.all_runs().get(name)
    others = [entry for entry in jobs.waiting() if entry.name != name]
    position = jobs.position(name)
    if position is not None:
        _draw_queued(name, position)
    elif run is None and jobs.live(name):
        st.progress(0.0, f"{plain(name)} is being prepared …")
    elif run is None:
        error = jobs.last_words(name)
        gone = f"Run {plain(name)} no longer exists: it was renamed, deleted or cancelled."
        st.error(in_app_words(error) if error else gone)
        return
    if others:
        _draw_queue(others)
    if run is None:
        st.caption("Curves appear here after the first steps.")
        return
    status = run.status()
    state = status.get("state", "interrupted")
    if state == "running" and not jobs.live(name):
        state = "interrupted"  # it died just now, and its last heartbeat is still fresh
    if position is None and state != "running" and jobs.live(name):
        st.progress(0.0, f"{plain(name)} is being prepared …")
    elif position is None:
        _draw_status(run, status, state)
        buttons, below = st.container(), st.container()
        if state == "finished" and presenting.folded():  # a class sees the curves first
            buttons, below = below, buttons
        with buttons:
            _draw_controls(run, state)
        with below:
            curves(run)
        return
    curves(run)


def _draw_queued(name: str, position: int) -> None:
    left = None
    if (active := jobs.busy()) is not None:
        with suppress(InputError):
            left = active.status().get("seconds_left")
    seconds = jobs.wait_for(name, running=left)
    ahead = "It is next." if position == 0 else f"{position} ahead of it; one runs at a time."
    begins = "" if seconds is None or position == 0 else f" It starts in about {duration(seconds)}."
    st.info(f"**{plain(name)}** is queued. {ahead}{begins}", icon=":material/hourglass_top:")
    st.button("Cancel", key="cancel", icon=":material/close:", **action(_cancel, name, of=name))


def _draw_queue(others: list) -> None:
    with st.expander(f"{len(others)} other training run{'s' * (len(others) > 1)} in the queue", key="queue"):
        if (active := jobs.busy()) is not None:
            st.caption(f"Running: {plain(active.name)}")
        for number, other in enumerate(others, start=1):
            row = st.container(horizontal=True, vertical_alignment="center")
            seconds = "" if other.seconds is None else f", about {duration(other.seconds)}"
            row.write(f"{number}. {plain(other.name)}{seconds}")
            cancel = action(_cancel, other.name, of=other.name, help="Someone else may have started it; ask first.")
            row.button("Cancel", key=f"cancel {other.name}", type="tertiary", **cancel)


def _draw_status(run: RunDir, status: dict, state: str) -> None:
    if state == "running":
        done, total = status.get("done", 0), status.get("total") or 1
        text = f"{plain(status.get('stage', 'preparing'))}: {done:,} of {total:,}"
        st.progress(min(1.0, done / total), text + time_left(status.get("seconds_left")))
    elif state == "failed":
        st.error(train_result.failed(run, status.get("error") or ""))
    elif state == "finished":
        st.success(train_result.of(run))
    else:
        st.info(f"{plain(run.name)} {plain(runs.STATES.get(state, state))}.")


def _draw_controls(run: RunDir, state: str) -> None:
    bundled = runs.BUNDLED in run.path.parents
    row = st.container(horizontal=True)
    if state == "running":
        waited = None  # seconds since Stop was pressed
        with suppress(OSError):
            waited = time.time() - (run.path / STOP_FILE).stat().st_mtime
        stop = {"disabled": waited is not None, "help": "Saves the state first; Resume continues from there."}
        row.button("Stop", key="stop", icon=":material/stop:", **action(jobs.ask_to_stop, run, of=run.name, **stop))
        if waited is not None and waited > PATIENCE:
            kill = action(
                jobs.end_now, run, of=run.name, help="It is not responding. It can resume from its last save."
            )
            row.button("Kill", key="end", icon=":material/dangerous:", **kill)
        elif waited is not None:
            row.caption("Stopping: saving the state …")
    elif not bundled and (state in ("stopped", "interrupted") or (state == "failed" and train_result.resumable(run))):
        resume = action(_resume, run, of=run.name)
        row.button(f"Resume {plain(run.name)}", key="resume", icon=":material/resume:", **resume)
    elif not bundled and state == "failed":
        row.button(f"Delete {plain(run.name)}", key="discard", icon=":material/delete:", **action(delete, run))
    if state == "finished":
        train_result.links(run, select=partial(press, select), compare=_compare)


def chosen() -> list[str]:
    """Draw the choice of curves; returns the names in `FIGURES` of those to draw."""
    texts = {name: text for name, (text, _) in GROUPS.items()}
    options = {"default": "learning", "required": True, "label_visibility": "collapsed"}
    group = links.choose(st.segmented_control, "Curves", texts, key="curves", **options)
    return [name for name in FIGURES if name in GROUPS[group][1]]


def curves(run: RunDir) -> None:
    """The chosen curves of a run, two in a row; an empty figure keeps its place."""
    figures, events = chosen(), run.events("step", "epoch")
    if events and has_collapsed(events[-1].get("mean_cosine")):
        st.warning(COLLAPSE, icon=":material/warning:")
    for column, figure in cells(figures):
        sentence, _, axis, meaning = FIGURES[figure]
        if figure == "loss" and run.config.loss.objective in WITHOUT_NEGATIVES:
            axis = "loss"  # not in nats
        values = lines(events, figure)
        with column:
            st.caption(sentence, help=meaning)
            empty = "" if values else _why_empty(run, figure)
            labels = [label_of(run, name) for name in values]
            options = {"points": figure == EPOCHS_ONLY, "least": least_of(figure), "key": f"{run.name} {figure}"}
            chart = _curves(values, labels, axis, empty, **options)
            charts.show(chart, key=f"live {figure}", name=f"{run.name}-{figure}")


def label_of(run: RunDir, legend: str) -> str:
    """The label of a line: its legend, or the objective, if it is not contrastive, or whether entropy counts."""
    objective = run.config.loss.objective
    if legend == CONTRASTIVE and objective in WITHOUT_NEGATIVES:
        return OBJECTIVE_TEXTS[objective]
    return "entropy, not in the loss" if legend == ENTROPY and not run.config.loss.entropy else legend


def least_of(figure: str) -> float:
    """Smallest range of the y axis of a figure."""
    return LEAST if figure in SHARES else 0.0


@charts.cached_figure
def _curves(
    values: dict, labels: list[str], axis: str, empty: str, *, points: bool, least: float, key: str
) -> go.Figure:
    chart = charts.curves(values, x="epoch", y=axis, key=key)
    chart.update_traces(line_width=5, selector={"name": "total"})  # seen on both sides of the contrastive loss, which
    chart.update_traces(line_dash="dot", selector={"name": "contrastive"})  # equals it where λ and γ are 0
    chart.update_traces(line_dash="dash", line_width=1.5, selector={"name": ENTROPY})
    if points:
        chart.update_traces(mode="lines+markers")
    if empty:
        chart.add_annotation(text=empty, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return label_ends(chart, labels=labels, least=least)


def cells(figures: list[str]) -> Iterator[tuple[DeltaGenerator, str]]:
    """A column for each figure, two in a row, on a projector one; a narrow window keeps their order."""
    for i, figure in enumerate(figures):
        if presenting.projector():
            yield st.container(), figure
            continue
        if i % 2 == 0:
            row = st.columns(2)
        yield row[i % 2], figure


def _why_empty(run: RunDir, figure: str) -> str:
    if figure == EPOCHS_ONLY and not run.config.data.validation:
        return "no validation images were held out"
    rule = run.config.clipping.rule
    if figure == "clip_precision" and rule in RULES and not RULES[rule].clips:
        return f"the rule {for_plotly(rule)} clips nothing"
    return "no values yet" if run.running else "no values were logged"


def select(name: str) -> None:
    """Show a run on all pages."""
    if name not in runs.all_runs():
        raise InputError(jobs.gone(name))
    runs.look_at(name)


def watch(name: str) -> None:
    """Follow a training through reloads and beyond its end, until another run is chosen."""
    st.session_state[WATCHED], st.session_state[BESIDE] = name, st.session_state.get(runs.KEY)
    st.query_params["watch"] = name


def watched() -> str | None:
    """Name of the training to show: the watched one, else the running one, else None.

    It stays watched, whatever happens to it here or in another tab, until the visitor chooses another run in the
    sidebar. A renamed one is followed; a missing one is reported.
    """
    state = st.session_state
    name = state.get(WATCHED)
    if name is None and (linked := st.query_params.get("watch")):
        name = Path(linked).name.lstrip(".")  # a run, never a folder elsewhere
    if name and (name := _current_name(name)) is not None:
        beside = state.get(BESIDE)
        another = BESIDE in state and state.get(runs.KEY) != beside and beside in runs.all_runs()
        if jobs.live(name) or not another:
            if state.get(WATCHED) != name or st.query_params.get("watch") != name:
                watch(name)
            return name
    unwatch()
    if (active := jobs.busy()) is None:
        return None
    watch(active.name)
    return active.name


def _current_name(name: str) -> str | None:
    """The name of a training, its new one if it was renamed; a notice says so, or that it does not exist."""
    existing = runs.all_runs()
    if name in existing or jobs.live(name) or jobs.last_words(name):
        return name
    if (new := manage.renamed(name, existing.values())) is not None:
        absent.note("watch", runs.renamed_notice(name, new.name))
        return new.name
    text = f"Training *{plain(name[: absent.LONGEST])}* does not exist; it may have been renamed, deleted or cancelled."
    absent.note("watch", text)
    return None


def unwatch() -> None:
    """Stop following a training."""
    for key in (WATCHED, BESIDE):
        st.session_state.pop(key, None)
    st.query_params.pop("watch", None)


def delete(run: RunDir) -> str:
    """Delete a run, and stop watching it."""
    access.require()
    manage.delete(run)
    if st.session_state.get(WATCHED) == run.name:
        unwatch()
    return f"{run.name} was deleted."


def _compare(names: list[str]) -> None:
    st.query_params["part"], st.session_state["compare"] = "compare", names


def _cancel(name: str) -> None:
    jobs.cancel(name)
    if st.session_state.get(WATCHED) == name:
        unwatch()


def _resume(run: RunDir) -> None:
    jobs.resume(run)
    watch(run.name)
