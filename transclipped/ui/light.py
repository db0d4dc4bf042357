"""The same query asked twice, by what it shows and by its light: what the pages of both questions share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.images.relight import STOPS, WARMEST
from transclipped.experiments.pipelines.lighting import Lighting
from transclipped.experiments.pipelines.same_light import LINE, NETWORK, TINY, SameLight, light_test
from transclipped.ui import absent, access
from transclipped.ui.text import plain
from transclipped.ui.thread_job import Job

EXPOSURE, WARMTH = "exposure", "warmth"  # keys of the sliders, and names in the address
SHOWN = 12  # hits of each answer
AT_ONCE = 0.5  # seconds that a page waits before it shows progress
BREATH = 0.02  # seconds after each batch, for the threads of visitors
IDEA = (
    "Similar in which sense? The first answer ranks by what an image *shows*, the second by its *light* alone: hue, "
    "saturation and intensity of ten windows, 18 numbers without a network. Move a slider: the second answer follows, "
    "the first changes less."
)
SAYING = "Similar in which sense? A network is trained to overlook the light, and these 18 numbers see nothing else."
HELP = {
    EXPOSURE: "Stops: +1 doubles the light of the query, −1 halves it.",
    WARMTH: "Stops by which the query's red light grows and its blue light shrinks; below 0 the other way around.",
}
_turn = threading.Lock()  # one computation at a time


@st.cache_resource(max_entries=8, show_spinner=False)
def work(key: str, _opened: Callable[[], tuple[Lighting, np.ndarray]]) -> Job:
    """The light of a database, computed in a thread that is started once; `key` changes with its content.

    Args:
        _opened: gives the reader of light and the rows `[N]` of the database.
    """
    _started().add(key)
    return Job("light", total=0).start(partial(_rank, opened=_opened), turn=_turn)


def _rank(job: Job, opened: Callable[[], tuple[Lighting, np.ndarray]]) -> SameLight:
    """The ranker of a job, which counts images."""
    reader, rows = opened()
    for job.done, job.total in reader.cache.fill(rows):
        time.sleep(BREATH)
    return SameLight(reader.cache.values[rows], reader.side)


@st.cache_resource(show_spinner=False)
def _started() -> set[str]:
    """Keys of all computations."""
    return set()


def bundled(data: DataConfig) -> bool:
    """Whether a set comes with the app, so that its light is cheap."""
    return data.data is None


def ready(key: str, opened: Callable[[], tuple[Lighting, np.ndarray]], *, free: bool) -> SameLight | None:
    """The ranker of a database; None while its light is computed, which is drawn, or after showing why it cannot be.

    Args:
        free: any visitor may start the computation.
    """
    st.caption(IDEA, help=_quality())
    if not (free or key in _started() or access.may(access.TRAIN)):
        _without_sliders()
        st.info(access.NEEDS_OWNER)
        return None
    job = work(key, opened)
    job.thread.join(AT_ONCE)
    if job.running:
        _without_sliders()
        _follow(job)
    elif job.error:
        _without_sliders()
        st.error(plain(job.error), icon=":material/error:")
        work.clear(key, opened)  # the next visit tries again
    elif job.result.size < TINY:
        side = job.result.size
        st.caption(f"These images are {side:,} pixels wide, so a window has {side // 4} × {side // 4} pixels.")
    return job.result


def _quality() -> str | None:
    """What both kinds of answer reach where the light is known; None where no measurement is stored."""
    if (test := light_test()) is None or not {LINE, NETWORK} <= test.precision.keys():
        return None
    own, network = (f"{test.precision[line]:.3f}" for line in (LINE, NETWORK))
    return (
        f"Measured on {test.photographs:,} photographs in {test.lights} lights each: of the first {test.first} hits, "
        f"{own} have the query's light, against {network} for a network and {test.chance:.3f} by chance."
    )


def _without_sliders() -> None:
    """Keep what the address says about them."""
    for name in (EXPOSURE, WARMTH):
        absent.resolve(name)


@st.fragment(run_every="1s")
def _follow(job: Job) -> None:
    """Progress, until the computation ends."""
    if not job.running:
        st.rerun()
    if job.total:
        st.progress(job.done / job.total, f"Looking at the light of {job.done:,} of {job.total:,} images, once …")
    else:
        st.caption("Waiting for another computation …")


def sliders() -> tuple[float, float]:
    """Draw the sliders; returns exposure and warmth."""
    state = {"bind": "query-params"}
    exposure = st.slider("Exposure", -STOPS, STOPS, 0.0, 0.25, key=EXPOSURE, help=HELP[EXPOSURE], **state)
    warmth = st.slider("Warmth", -WARMEST, WARMEST, 0.0, 0.125, key=WARMTH, help=HELP[WARMTH], **state)
    return exposure, warmth


def replaced(before: np.ndarray, after: np.ndarray) -> str:
    """How many hits `[k]` the sliders have replaced."""
    n = len(np.setdiff1d(after, before))
    return f"The sliders replaced **{n}** of these {len(after)} hits."
