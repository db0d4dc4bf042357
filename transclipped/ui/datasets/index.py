"""A visitor's folder on the Data sets page: index it, then search it, map it, or train on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.search import collection_job, collection_list
from transclipped.search.collection_job import Encoding
from transclipped.ui import access, acts, collection_links, runs
from transclipped.ui.datasets import run_offer
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import duration, time_left
from transclipped.ui.text import plain
from transclipped.utils.jobs import FAILED, FINISHED, INTERRUPTED, RUNNING, STOPPED

SAMPLED = 16  # images whose size distinguishes photographs from icons
LISTED = 1000  # skipped files in a table
RUN = "run that encodes"
NOTE = "index note"
RUN_HELP = "Runs trained on photographs suit photographs; those of CIFAR-10 distinguish only its ten classes."
ENDED = {FAILED: "Indexing failed", STOPPED: "Indexing was cancelled", INTERRUPTED: "Indexing was interrupted"}


@shows_input_errors
def section(images: ImageSet, config: DataConfig) -> None:
    """Draw the choice of a run, the button or the progress, and links to what the index is for."""
    st.header("Search, map or train")
    st.caption("Indexing encodes each image into a few bytes with a run; then you can search the folder.")
    folder = Path(config.data)
    coders = run_offer.coders()
    if not coders:
        st.info("No run here encodes images. Train one first.")
        collection_links.train(folder, config.labels, key="train on it")
        return
    if st.session_state.get(RUN) not in coders:
        st.session_state[RUN] = _suited(images, coders)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = coders[st.selectbox("With the run", list(coders), key=RUN, width=300, help=RUN_HELP)]
        path = collection_job.find(runs.home(), run, folder)
        job = None if path is None else collection_job.state(path)
        entry = None if path is None else collection_list.read(path)
        busy = job is not None and job.state == RUNNING
        label = "Index it" if path is None else "Index it again" if entry is not None else "Resume"
        options = {"type": "secondary" if entry is not None else "primary", "on_click": acts.press}
        options |= access.control(disabled=busy, help="Only new and changed files are encoded again.")
        args = (NOTE, _start, run, folder, config.labels)
        st.button(label, key="index", icon=":material/bolt:", args=args, **options)
        collection_links.train(folder, config.labels, key="train on it")
    acts.show(NOTE)
    if busy:
        _follow(str(job.path))
        return
    if job is not None and job.state != FINISHED:
        _draw_ended(job)
    if entry is not None:
        _draw_indexed(entry, run)


@st.fragment(run_every="1s")
@shows_input_errors
def _follow(path: str) -> None:
    """Redraws every second until the encoding ends, then the whole page once."""
    job = collection_job.state(Path(path))
    if job is None or job.state != RUNNING:
        st.rerun(scope="app")
    text = "Opening the images …"
    if job.total:
        text = f"{job.done:,} of {job.total:,} images{time_left(job.seconds_left)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, job.done / job.total) if job.total else 0.0, text)
        if st.button("Cancel", key="cancel index", icon=":material/close:", **access.control()):
            access.require()
            collection_job.cancel(job.path)
            st.rerun(scope="app")


def _draw_ended(job: Encoding) -> None:
    """Why an encoding did not finish, and the button that discards it."""
    reason = f"{ENDED[job.state]}: {plain(job.error.rstrip('.'))}." if job.error else f"{ENDED[job.state]}."
    box = st.error if job.state == FAILED else st.warning
    box(f"{reason} Encoded images are stored, so Resume continues from there.")
    if collection_list.read(job.path) is None:  # else it is in the list of collections
        discard = {"on_click": acts.press, "args": (NOTE, _discard, job.path), **access.control()}
        st.button("Discard it", key="forget index", icon=":material/delete:", **discard)


def _draw_indexed(entry: collection_list.Collection, run: RunDir) -> None:
    """What was encoded and skipped, and links."""
    skipped = f"{len(entry.skipped):,} {'file' if len(entry.skipped) == 1 else 'files'} skipped"
    st.success(
        f"{entry.n:,} images are indexed as *{plain(entry.name)}*: {entry.n_encoded:,} encoded "
        f"in {duration(entry.seconds)}, {entry.n - entry.n_encoded:,} unchanged, {skipped}."
    )
    with st.container(horizontal=True):
        collection_links.search(entry, run, key="search in it", first=True)
        collection_links.map_of(entry, run, key="map it")
    if entry.skipped:
        with st.expander(skipped, icon=":material/rule:"):
            table = pd.DataFrame(entry.skipped[:LISTED], columns=["name", "why"])
            st.dataframe(table, hide_index=True, height="content" if len(table) < 8 else 240)


def _suited(images: ImageSet, coders: dict[str, RunDir]) -> str:
    """Name of the run for photographs if these are photographs, else of the selected one."""
    better, current = run_offer.for_photographs(), runs.current()
    if better is not None and _side(images.fingerprint, images) > run_offer.ICON:
        return better.name
    return current.name if current is not None and current.name in coders else next(iter(coders))


@st.cache_data(max_entries=16, show_spinner=False)
def _side(fingerprint: str, _images: ImageSet) -> float:
    """Median of the shorter sides of a few images, in pixels; 0 if none can be opened."""
    sides = []
    for row in np.linspace(0, len(_images) - 1, min(SAMPLED, len(_images))).astype(int):
        try:
            with Image.open(_images.path(row)) as image:
                sides.append(min(image.size))
        except (OSError, InputError):
            continue
    return float(np.median(sides)) if sides else 0.0


def _start(run: RunDir, folder: Path, labels: str | None) -> None:
    access.require()
    labels_file = None if labels is None else Path(labels)
    collection_job.start(runs.home(), run, folder, labels=labels_file, taken=runs.all_runs())


def _discard(path: Path) -> None:
    access.require()
    collection_job.delete(path)
