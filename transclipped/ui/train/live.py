"""A training while it waits, runs and ends: where it stands, its curves, and the buttons that act on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.clipping import RULES
from transclipped.errors import InputError
from transclipped.runs import manage
from transclipped.runs.run import STOP_FILE, RunDir
from transclipped.ui import absent, access, acts, charts, links, runs
from transclipped.ui.guard import guarded
from transclipped.ui.quantities import duration, time_left
from transclipped.ui.text import for_plotly, plain
from transclipped.ui.train import jobs
from transclipped.ui.train import result as train_result
from transclipped.ui.train.words import in_app_words

PATIENCE = 20.0  # seconds after which a training that was asked to stop may be ended at once
OBSERVED = "Labels are for looking only: training never sees them."
FIGURES = {  # what is drawn: a sentence, its values by name in the legend, axis, help
    "loss": (
        "**Loss by part**: what training lowers, and what it is made of.",
        {"whole": "loss", "contrastive": "contrastive", "entropy of soft codes": "entropy", "diversity": "diversity"},
        "nats; cosine for diversity",
        "The whole is contrastive + λ · entropy + γ · diversity, so with λ = 0 the entropy is only observed.",
    ),
    "clip_fraction": (
        "**Share clipped** of all pairs of an anchor and a negative.", {"clip fraction": "clip_fraction"}, "share",
        "In a batch of B images an anchor has 2B − 2 negatives; the rule takes the likely false ones out.",
    ),
    "clip_precision": (
        "**Precision of the clipped pairs**: how many were false negatives. Observed with labels.",
        {"precision": "clip_precision"}, "share",
        f"Share of the clipped pairs that show the same class. {OBSERVED}",
    ),
    "validation_map": (
        "**Validation mAP**: how well images set aside find their class. Observed with labels.",
        {"validation mAP": "validation_map"}, "mAP",
        f"Validation images ask, training images answer; queries are never looked at. {OBSERVED}",
    ),
    "perplexity": (
        "**Codewords in use** in a codebook, on average (perplexity).", {"perplexity": "perplexity"}, "codewords",
        "Perplexity: exp of the entropy of the codewords' use in a batch, averaged over codebooks. "
        "At most the number of codewords and of images in a batch; 1 when a codebook has collapsed.",
    ),
    "images_per_s": (
        "**Speed**: images a second that pass through what learns.",
        {"images/s": "images_per_s"}, "images a second",
        "Encoding the images beforehand is not counted.",
    ),
}  # fmt: skip
EPOCHS_ONLY = "validation_map"
SHOWN = {  # what is drawn together: a text, and its figures
    "learning": ("Loss and mAP", ("loss", "validation_map")),
    "clipping": ("Clipping", ("clip_fraction", "clip_precision")),
    "codes": ("Codewords and speed", ("perplexity", "images_per_s")),
    "all": ("All", tuple(FIGURES)),
}
MOST_POINTS = 500  # of a curve; a long training has thousands, and all are redrawn every second
NOTE = "train note"
WATCHED, BESIDE = "watched", "watched beside"  # in the session: the training that is followed, and the run chosen then
press = partial(acts.press, NOTE)


def lines(events: list[dict], figure: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Curves of a figure by legend: epochs and values; those without a value are left out."""
    kind = "epoch" if figure == EPOCHS_ONLY else "step"
    found = {}
    for legend, name in FIGURES[figure][1].items():
        points = [(e["epoch"], e[name]) for e in events if e.get("kind") == kind and name in e and "epoch" in e]
        points = points[:: -(-len(points) // MOST_POINTS)] if len(points) > MOST_POINTS else points
        if points:
            found[legend] = tuple(np.array(points, float).T)
    return found


def follow(name: str) -> None:
    """Draw one training; every second until it ends, then whenever another tab or process changes it."""
    if jobs.live(name):
        _following(name)
        return
    _drawn(name)
    _look_again(name, _state_of(name))


@st.fragment(run_every="1s")
def _following(name: str) -> None:
    _drawn(name)
    if not jobs.live(name):
        st.rerun()


@st.fragment(run_every="3s")
def _look_again(name: str, before: str | None) -> None:
    if jobs.live(name) or _state_of(name) != before:
        st.rerun()


def _state_of(name: str) -> str | None:
    run = runs.all_runs().get(name)
    with suppress(InputError):
        return None if run is None else run.status().get("state")
    return "damaged"


@guarded
def _drawn(name: str) -> None:
    notes()
    run = runs.all_runs().get(name)
    others = [w for w in jobs.waiting() if w.name != name]
    place = jobs.place(name)
    if place is not None:
        _in_queue(name, place)
    elif run is None and jobs.live(name):
        st.progress(0.0, f"{plain(name)} is being prepared …")
    elif run is None:
        said = jobs.last_words(name)
        st.error(in_app_words(said) if said else f"There is no run {plain(name)} any more: it was renamed, deleted or "
                 "cancelled.")  # fmt: skip
        return
    if others:
        _queue(others)
    if run is None:
        _empty_curves()
        return
    status = run.status()
    state = status.get("state", "interrupted")
    if state == "running" and not jobs.live(name):
        state = "interrupted"  # it died just now, and its last heartbeat is still fresh
    if place is None and state != "running" and jobs.live(name):
        st.progress(0.0, f"{plain(name)} is being prepared …")
    elif place is None:
        _status_line(run, status, state)
        _controls(run, state)
    curves(run)


def _in_queue(name: str, place: int) -> None:
    active = jobs.busy()
    left = None
    if active is not None:
        with suppress(InputError):
            left = active.status().get("seconds_left")
    wait = jobs.wait_for(name, running=left)
    before = "It is next." if place == 0 else f"{place} before it, one at a time."
    begins = "" if wait is None or place == 0 else f" It begins in about {duration(wait)}."
    st.info(f"**{plain(name)}** waits for its turn. {before}{begins}", icon=":material/hourglass_top:")
    st.button("Cancel", key="cancel", icon=":material/close:", on_click=press, args=(_cancel, name),
              **access.control(access.TRAIN, of=name))  # fmt: skip


def _queue(others: list) -> None:
    with st.expander(f"{len(others)} other training{'s' * (len(others) > 1)} in the queue", key="queue"):
        active = jobs.busy()
        if active is not None:
            st.caption(f"Being trained: {plain(active.name)}")
        for number, other in enumerate(others, start=1):
            row = st.container(horizontal=True, vertical_alignment="center")
            expected = "" if other.seconds is None else f", about {duration(other.seconds)}"
            row.write(f"{number}. {plain(other.name)}{expected}")
            row.button("Cancel", key=f"cancel {other.name}", type="tertiary", on_click=press,
                       args=(_cancel, other.name),
                       **access.control(access.TRAIN, of=other.name,
                                        help="It may be somebody else's: ask first."))  # fmt: skip


def _status_line(run: RunDir, status: dict, state: str) -> None:
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


def _controls(run: RunDir, state: str) -> None:
    own = runs.BUNDLED not in run.path.parents
    row = st.container(horizontal=True)
    if state == "running":
        asked = _stop_asked(run)
        row.button("Stop", key="stop", icon=":material/stop:", on_click=press, args=(jobs.ask_to_stop, run),
                   **access.control(access.TRAIN, of=run.name, disabled=asked is not None,
                                    help="Saves the state first; Resume continues from there."))  # fmt: skip
        if asked is not None and asked > PATIENCE:
            row.button("End it now", key="end", icon=":material/dangerous:", on_click=press, args=(jobs.end_now, run),
                       **access.control(access.TRAIN, of=run.name, help="It does not respond. What it saved last stays "
                                        "and can be resumed."))  # fmt: skip
        elif asked is not None:
            row.caption("Stopping: it saves its state …")
    elif own and (state in ("stopped", "interrupted") or (state == "failed" and train_result.resumable(run))):
        row.button(f"Resume {plain(run.name)}", key="resume", icon=":material/resume:", on_click=press,
                   args=(_resume, run), **access.control(access.TRAIN, of=run.name))  # fmt: skip
    elif own and state == "failed":
        row.button(f"Delete {plain(run.name)}", key="discard", icon=":material/delete:", on_click=press,
                   args=(delete, run), **access.control())  # fmt: skip
    if state == "finished":
        train_result.links(run, select=partial(press, select), compare=_lay_over)


def chosen() -> list[str]:
    """Draw the choice of figures; returns those of `FIGURES` to draw."""
    texts = {name: text for name, (text, _) in SHOWN.items()}
    part = links.choose(
        st.segmented_control, "Curves", texts, key="curves", default="learning", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    return [name for name in FIGURES if name in SHOWN[part][1]]


def curves(run: RunDir) -> None:
    """The chosen curves of a run so far, two in a row; places stay while a figure has nothing yet."""
    figures, events = chosen(), run.events("step", "epoch")
    for column, figure in cells(figures):
        sentence, _, axis, meaning = FIGURES[figure]
        found = lines(events, figure)
        with column:
            st.caption(sentence, help=meaning)
            empty = "" if found else _why_empty(run, figure)
            drawn = _curves(found, axis, empty, points=figure == EPOCHS_ONLY, key=f"{run.name} {figure}")
            charts.show(drawn, key=f"live {figure}", name=f"{run.name}-{figure}")


@charts.cached_figure
def _curves(found: dict, axis: str, empty: str, *, points: bool, key: str) -> go.Figure:
    drawn = charts.curves(found, x="epoch", y=axis, key=key)
    drawn.update_traces(line_dash="dot", selector={"name": "contrastive"})  # on the whole, where λ and γ are 0
    if points:
        drawn.update_traces(mode="lines+markers")
    if empty:
        drawn.add_annotation(text=empty, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    return drawn


def cells(figures: list[str]) -> Iterator[tuple[DeltaGenerator, str]]:
    """A place for each figure, two in a row, in this order on a narrow window too."""
    for i, figure in enumerate(figures):
        if i % 2 == 0:
            row = st.columns(2)
        yield row[i % 2], figure


def _why_empty(run: RunDir, figure: str) -> str:
    if figure == EPOCHS_ONLY and not run.config.data.validation:
        return "no validation images were set aside"
    rule = run.config.clipping.rule
    if figure == "clip_precision" and rule in RULES and not RULES[rule].clips:
        return f"the rule {for_plotly(rule)} clips nothing"
    return "nothing yet" if run.running else "nothing was logged"


def _empty_curves() -> None:
    st.caption("Curves appear here as soon as the first steps are done.")


def notes() -> None:
    """How the last act of this page went."""
    acts.show(NOTE)


def select(name: str) -> None:
    """Make all pages look at a run."""
    if name not in runs.all_runs():
        raise InputError(f"there is no run {name} any more; it was deleted or renamed")
    runs.look_at(name)


def watch(name: str) -> None:
    """Follow a training, also after a reload, and after its end until another run is chosen."""
    st.session_state[WATCHED], st.session_state[BESIDE] = name, st.session_state.get(runs.KEY)
    st.query_params["watch"] = name


def watched() -> str | None:
    """Whose curves are shown: the training that is watched already, else the one that is on, else none.

    It stays watched, whatever happens to it here or in another tab, until the visitor chooses another run in the
    sidebar. One that was renamed is followed; one that is gone is named.
    """
    state = st.session_state
    name = state.get(WATCHED)
    if name is None and (linked := st.query_params.get("watch")):
        name = Path(linked).name.lstrip(".")  # a run, and no folder elsewhere
    if name and (name := _there(name)) is not None:
        beside = state.get(BESIDE)
        chosen = BESIDE in state and state.get(runs.KEY) != beside and beside in runs.all_runs()
        if jobs.live(name) or not chosen:
            if state.get(WATCHED) != name or st.query_params.get("watch") != name:
                watch(name)
            return name
    unwatch()
    active = jobs.busy()
    if active is None:
        return None
    watch(active.name)
    return active.name


def _there(name: str) -> str | None:
    """The training of this name or, if it was renamed, what it is called now; says so, and also if there is none."""
    known = runs.all_runs()
    if name in known or jobs.live(name) or jobs.last_words(name):
        return name
    new = manage.renamed(name, known.values())
    if new is None:
        absent.note("watch", f"There is no training *{plain(name[: absent.LONGEST])}* here (it may have been renamed, "
                    "deleted or cancelled).")  # fmt: skip
        return None
    absent.note("watch", runs.is_called(name, new.name))
    return new.name


def unwatch() -> None:
    """Follow nothing of one's own any more."""
    st.session_state.pop(WATCHED, None)
    st.session_state.pop(BESIDE, None)
    st.query_params.pop("watch", None)


def delete(run: RunDir) -> str:
    """Delete a run; if it is watched, that ends."""
    access.require()
    manage.delete(run)
    if st.session_state.get(WATCHED) == run.name:
        unwatch()
    return f"{run.name} was deleted."


def _lay_over(names: list[str]) -> None:
    """Show the comparison of these runs."""
    st.query_params["part"], st.session_state["compare"] = "compare", names


def _cancel(name: str) -> None:
    jobs.cancel(name)
    if st.session_state.get(WATCHED) == name:
        unwatch()


def _resume(run: RunDir) -> None:
    jobs.resume(run)
    watch(run.name)


def _stop_asked(run: RunDir) -> float | None:
    """Seconds since somebody pressed Stop, None if nobody did."""
    try:
        return time.time() - (run.path / STOP_FILE).stat().st_mtime
    except OSError:
        return None
