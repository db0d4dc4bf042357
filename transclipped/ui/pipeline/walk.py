"""Loops of a walk: all frames against all by two kinds of features, and how many loops each finds without an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.analysis import closures
from transclipped.analysis.closures import Curve, Matches
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.models.zoo import CNN
from transclipped.ui import access, cached, charts, links, presenting
from transclipped.ui.glossary import paragraph
from transclipped.ui.pipeline import html, sayings
from transclipped.ui.pipeline.data import WALK, Place, place_of
from transclipped.ui.pipeline.jobs import jobs
from transclipped.ui.pipeline.query import crisp, thumbnail
from transclipped.ui.text import for_plotly, plain
from transclipped.ui.theme import class_colour

SOURCE, FOLDER, LENGTH, EXCLUDE, FRAME = "walk_of", "walk_folder", "walk_length", "walk_t", "walk_frame"
MADE, OWN = "made", "folder"
SOURCES = {MADE: "The synthetic walk", OWN: "Your frames"}
LINES = {"sda": "Auto-encoder (SDA)", CNN: "EfficientNet-Lite0"}
CELLS = 250  # of the heat map, each way
MOST = 4000  # frames: all are compared with all
ABOUT = (
    "A camera comes back to where it was: a loop. Which earlier frame shows the same place? In the synthetic walk, a "
    "window slides along a wall of photographs, one step to the right each frame. After 700 frames it goes back and "
    "passes 300 of these 700 places again, in another light, with an offset and out of focus. Each frame is compared "
    "with all earlier ones; the return is the bright diagonal. A mean along the diagonal lets the frames before a "
    "match count too, so that a chance resemblance is outvoted."
)
NOTE = (
    "The stacked denoising auto-encoder learns to restore grey images of 32 × 32 pixels from noise, without labels; "
    "its 64 numbers describe a frame. It is a reconstruction: only the abstract of Ding et al. 2018 (CAC) is public. "
    "Sequences follow SeqSLAM, doi 10.1109/ICRA.2012.6224623; the same mean is the stage `sequence` of a pipeline."
)
HELP = {
    LENGTH: "Frames of the mean along the diagonal; 1 compares single frames.",
    EXCLUDE: "The frames just before are like this one without being a return, so the last t of them are left out.",
    FRAME: "The frame, then its most similar earlier frame by each kind of features.",
    SOURCE: "A folder of frames is read in the order of their names; where its frames return is unknown.",
}


@dataclass(frozen=True)
class Frames:
    """Similarities `[n, n]` by a kind of features, with its name and key, and each frame's place if it is known."""

    name: str
    key: tuple[str, str]
    s: np.ndarray
    place: np.ndarray | None


@dataclass(frozen=True)
class Compared:
    """Matches of all frames, and their scores `[m, m]` in blocks of `side` frames."""

    matches: Matches
    cells: np.ndarray
    side: int


def draw() -> None:
    """The section."""
    paragraph(ABOUT)
    place = _source()
    if place is None:
        return
    frames = _frames(place)
    if frames:
        _explore(frames, place)
    st.caption(NOTE)
    presenting.say(sayings.WALK)


def _source() -> Place | None:
    """Where the frames are from; None as long as no folder is given."""
    options = {"key": SOURCE, "default": MADE, "required": True, "help": HELP[SOURCE]}
    if links.choose(st.segmented_control, "Frames", SOURCES, **options) == MADE:
        return place_of(Pipeline("sda").line, WALK)
    text = st.text_input("Folder of frames", key=FOLDER, help="Images whose names sort in the order of time.").strip()
    if not text:
        st.info("Type the path of a folder on this machine.")
        return None
    path = access.readable(text)
    config = DataConfig(dataset="folder", data=str(path))
    images, name = load(config), cached.named_data(config)
    if len(images) > MOST:
        raise InputError(f"{text} has {len(images):,} images; choose a folder with at most {MOST:,} frames")
    if cached.images(name).fingerprint != images.fingerprint:  # frames have changed since
        cached.images.clear(name)
    return Place(f"walk {images.fingerprint}", config, None)


def _frames(place: Place) -> list[Frames]:
    """Similarities by each kind of features; none while they have to be started, are computed or have failed."""
    lines = [str(Pipeline(name).line) for name in LINES]
    started = [jobs().find(line, place) for line in lines]
    if any(job is not None and job.running for job in started):
        _follow(lines, place)
        return []
    for job in started:
        if job is not None and job.error:
            st.error(plain(job.error), icon=":material/error:")
    if all(job is not None and job.result is not None for job in started):
        each = zip(LINES.values(), lines, started, strict=True)
        return [_described(title, line, place, job.result) for title, line, job in each]
    st.info("The auto-encoder learns from the frames, and both networks describe them: about a minute, once.")

    def start() -> None:
        access.require(access.TRAIN)
        for line in lines:
            jobs().start(line, place)

    about = access.control(access.TRAIN)
    st.button("Compute", icon=":material/play_arrow:", key="walk compute", on_click=start, **about)
    return []


@st.fragment(run_every="1s")
def _follow(lines: Sequence[str], place: Place) -> None:
    """Progress, until the computation ends."""
    started = [jobs().find(line, place) for line in lines]
    if not any(job is not None and job.running for job in started):
        st.rerun()
    ended = sum(job is not None and job.result is not None for job in started)
    st.progress(ended / len(lines), f"Describing the frames, {ended} of {len(lines)} kinds of features done …")


def _described(title: str, line: str, place: Place, pipeline: Pipeline) -> Frames:
    return Frames(title, (line, place.key), _similarity(line, place.key, pipeline), _places(place))


@st.cache_resource(max_entries=4, show_spinner="Comparing all frames …")
def _similarity(line: str, place: str, _pipeline: Pipeline) -> np.ndarray:
    source, step = _pipeline.source, _pipeline.line.steps[0]
    batches = source.features(step, source.images).batches(_in_order(source.images))
    return closures.similarity(np.concatenate([np.asarray(batch, np.float32) for batch in batches]))


@st.cache_resource(max_entries=32, show_spinner=False)
def compared(key: tuple[str, str], length: int, exclude: int, _s: np.ndarray) -> Compared:
    """What is drawn of similarities `[n, n]`, which change with `key`."""
    summed = closures.scores(_s, length=length, exclude=exclude)
    return Compared(closures.matches(summed, exclude=exclude), *closures.reduced(summed, CELLS))


def _in_order(images) -> np.ndarray:
    """Rows in order of time: of the walk as they are, of a folder by name."""
    return np.arange(len(images)) if images.ids.dtype.kind == "i" else np.argsort(images.ids, kind="stable")


def _places(place: Place) -> np.ndarray | None:
    route = getattr(place.images, "route", None)
    return None if route is None else route.place


@st.fragment
def _explore(frames: list[Frames], place: Place) -> None:
    n = len(frames[0].s)
    with presenting.controls("Sequences"), st.container(horizontal=True):
        bound = {"bind": "query-params"}
        length = st.slider("Length of a sequence", 1, 30, 10, key=LENGTH, help=HELP[LENGTH], **bound)
        exclude = int(st.slider("t, frames left out", 1, 60, 20, key=EXCLUDE, help=HELP[EXCLUDE], **bound))
    if n <= exclude + 1:
        st.info(f"{n} frames are too few for t = {exclude}; choose a smaller t.")
        return
    both = [compared(each.key, length, exclude, each.s) for each in frames]
    results = [each.matches for each in both]
    for column, each, of in zip(st.columns(len(frames), gap="medium"), frames, both, strict=True):
        with column:
            st.header(plain(each.name))
            key = f"walk {each.name}"
            charts.show(heat(each.name, of.cells, of.side), key=key, name="walk-similarity")
    if frames[0].place is not None:
        _loops(frames, results, length, exclude)
    _frame(frames, results, place, exclude)


def _loops(frames: list[Frames], results: list[Matches], length: int, exclude: int) -> None:
    """Precision and recall of both."""
    st.header("Loops that are found")
    lines = {}
    for each, result in zip(frames, results, strict=True):
        lines[each.name] = closures.curve(result, each.place, exclude=exclude)
    recalls = ", ".join(f"{plain(name)} {curve.recall_at_1:.0%}" for name, curve in lines.items())
    st.markdown(f"Recall without a single wrong loop, at length {length}: **{recalls}**.")
    charts.show(precision_recall(lines), key="walk curve", name="walk-precision-recall")
    paragraph(
        "A loop is reported where the score of the best earlier frame exceeds a threshold, and is right within "
        f"{closures.WITHIN} frames of the true place. [Precision](precision): right among reported; recall: among "
        "the frames that return. The walk is synthetic, so its ground truth is known; no method sees it."
    )


def _frame(frames: list[Frames], results: list[Matches], place: Place, exclude: int) -> None:
    """One frame and its matches."""
    st.header("A frame and its match")
    n = len(frames[0].s)
    if FRAME in st.session_state:  # of other frames, or of another t
        st.session_state[FRAME] = int(np.clip(st.session_state[FRAME], exclude, n - 1))
    number = int(st.slider("Frame", exclude, n - 1, min(850, n - 1), key=FRAME, help=HELP[FRAME]))
    order, names = _in_order(place.images), [f"frame {number}"]
    rows, right = [number], [None]
    for each, result in zip(frames, results, strict=True):
        at = number - exclude
        rows.append(int(result.earlier[at]))
        ok = None if each.place is None else bool(closures.right(result, each.place)[at])
        right.append(ok)
        names.append(f"{each.name}: frame {rows[-1]}")
    images = [thumbnail(place, place.images.ids[order[row]].item()) for row in rows]
    cells = [html.Cell(*cell, 0) for cell in zip(images, names, right, strict=True)]
    st.html(html.row(cells, label="The frame and its matches", crisp=crisp(place)))
    st.caption(plain(" · ".join(names)) + ". Solid blue: the same place; dashed orange: another.")


def heat(name: str, cells: np.ndarray, side: int) -> go.Figure:
    """Scores `[m, m]` of blocks of `side` frames; bright is similar."""
    finite = cells[np.isfinite(cells)]
    low, high = np.quantile(finite, [0.5, 0.9995]) if len(finite) else (0.0, 1.0)
    at = np.arange(len(cells)) * side
    look = {"zmin": float(low), "zmax": float(high), "colorscale": "Cividis", "colorbar": {"thickness": 10}}
    hover = "frame %{y}, earlier frame %{x}: %{z:.3f}<extra></extra>"
    z = np.round(cells, 3)
    figure = go.Figure(go.Heatmap(z=z, x=at, y=at, name=for_plotly(name), hovertemplate=hover, **look))
    figure.update_yaxes(autorange="reversed")
    return charts.set_layout(figure, "earlier frame", "frame", key="walk").update_layout(height=360)


def precision_recall(lines: dict[str, Curve]) -> go.Figure:
    """Precision by recall of each kind of features."""
    figure = go.Figure()
    for i, (name, curve) in enumerate(lines.items()):
        line = {"color": class_colour(i), "width": 3, "dash": ("solid", "dash")[i % 2]}
        figure.add_scatter(x=curve.recall, y=curve.precision, mode="lines", name=for_plotly(name), line=line)
    axes = {"xaxis": {"range": [0, 1.01]}, "yaxis": {"range": [0, 1.03]}}
    return charts.set_layout(figure, "recall", "precision", key="walk curve", **axes)
