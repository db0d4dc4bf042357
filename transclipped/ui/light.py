"""The same query asked twice, by what it shows and by its light: what the pages of both questions share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.images.relight import STOPS, WARMEST
from transclipped.errors import InputError
from transclipped.experiments.pipelines.lighting import Lighting
from transclipped.experiments.pipelines.same_light import TINY, SameLight
from transclipped.ui import absent, access
from transclipped.ui.text import plain

EXPOSURE, WARMTH = "exposure", "warmth"  # keys of the sliders, and names in the address
SHOWN = 12  # hits of each answer
AT_ONCE = 0.5  # seconds that a page waits before it shows progress
BREATH = 0.02  # seconds after each batch, for the threads of visitors
IDEA = (
    "Similar in which sense? The first answer ranks by what an image *shows*, the second by its *light* alone: hue, "
    "saturation and intensity of ten windows, 18 numbers without a network. Move a slider: the second answer follows, "
    "the first changes less."
)
MEASURED = (
    "300 photographs were rendered in three lights each. Of the first ten hits, 0.745 have the query's light; of those "
    "of a network 0.340; a third by chance."
)
SAYING = "Similar in which sense? A network is trained to overlook the light, and these 18 numbers see nothing else."
HELP = {
    EXPOSURE: "Stops: +1 doubles the light of the query, −1 halves it.",
    WARMTH: "Stops by which the query's red light grows and its blue light shrinks; below 0 the other way around.",
}
_turn = threading.Lock()  # one computation at a time


class Work:
    """The light of a database, computed in a thread.

    Args:
        opened: gives the reader of light and the rows `[N]` of the database.

    Attributes:
        done, total: images. error: why it failed, "" unless it did. ranker: when it is finished.
    """

    def __init__(self, opened: Callable[[], tuple[Lighting, np.ndarray]]) -> None:
        self.done, self.total, self.error = 0, 0, ""
        self.ranker: SameLight | None = None
        self.thread = threading.Thread(target=self._run, args=(opened,), name="light", daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        return self.ranker is None and not self.error

    def _run(self, opened: Callable[[], tuple[Lighting, np.ndarray]]) -> None:
        try:
            with _turn:
                reader, rows = opened()
                for self.done, self.total in reader.cache.fill(rows):
                    time.sleep(BREATH)
                self.ranker = SameLight(reader.cache.values[rows], reader.side)
        except InputError as error:
            self.error = str(error)
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"


@st.cache_resource(max_entries=8, show_spinner=False)
def work(key: str, _opened: Callable[[], tuple[Lighting, np.ndarray]]) -> Work:
    """The computation for a database, started once; `key` changes with its content."""
    _started().add(key)
    return Work(_opened)


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
    st.caption(IDEA, help=MEASURED)
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
    elif job.ranker.size < TINY:
        side = job.ranker.size
        st.caption(f"These images are {side:,} pixels wide, so a window has {side // 4} × {side // 4} pixels.")
    return job.ranker


def _without_sliders() -> None:
    """Keep what the address says about them."""
    for name in (EXPOSURE, WARMTH):
        absent.resolve(name)


@st.fragment(run_every="1s")
def _follow(job: Work) -> None:
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
