"""Warm-up: what the pages behind the first one need is made ready while the visitor looks at that one.

Once a server, in a thread: all modules, then what the pages show of the run first, in the order of the lesson, and at
last how fast the machine is, which Train wants to know. All of it lies in caches that the pages use anyway, so a
visitor who comes earlier waits for the same result instead of computing it twice, and one who comes later finds nothing
different.
What fails here fails again, with a sentence, on the page that needs it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import streamlit as st
from streamlit import runtime
from streamlit.runtime import Runtime

from transclipped.runs.run import RunDir
from transclipped.ui import imports

PAUSE = 1.0  # seconds in which the first page is drawn undisturbed
BREATH = 0.05  # seconds after a step that took as long, for whoever waits


def up(run: RunDir | None) -> None:
    """Begin, unless this server has begun already.

    Args:
        run: that the visitor looks at; None warms the modules alone.
    """
    if runtime.exists() and type(runtime.get_instance()) is Runtime:  # not the stand-in of page tests
        _begun(run)


@st.cache_resource(show_spinner=False)
def _begun(_run: RunDir | None) -> Thread:
    thread = Thread(target=_work, args=(_run,), name="warm-up", daemon=True)
    thread.start()
    return thread


def _work(run: RunDir | None) -> None:
    time.sleep(PAUSE)
    imports.everything()
    if run is not None:
        with suppress(Exception):
            _first_screens(run.fingerprint, run)


def _each(steps: Iterator[Callable[[], object]]) -> None:
    """Do one step after the other, whatever becomes of it."""
    for step in steps:
        begun = time.monotonic()
        with suppress(Exception):
            step()
        if time.monotonic() - begun > BREATH:
            time.sleep(BREATH)


@st.cache_resource(max_entries=1, show_spinner=False)  # inside a cached function, others draw no spinner
def _first_screens(fingerprint: str, _run: RunDir) -> None:
    _each(_screens(fingerprint, _run))


def _screens(fingerprint: str, run: RunDir) -> Iterator[Callable[[], object]]:
    """In the order of the lesson; the machine is measured last, when nothing else keeps it busy."""
    from transclipped.ui import cached, charts, runs
    from transclipped.ui.anatomy import cached as anatomy_cached
    from transclipped.ui.anatomy.subject import Subject
    from transclipped.ui.benchmarks import view as benchmarks_view
    from transclipped.ui.clipping import batch as lab_batch
    from transclipped.ui.codebooks import cached as codebook_cached
    from transclipped.ui.train import form as train_form
    from transclipped.ui.train import start as train_start

    def engine():
        return cached.engine(fingerprint, run)

    def query():  # the first one; a run may have none
        return engine().stored.queries[0].astype("float32")

    def subject() -> Subject:
        row = cached.pictures(cached.run_data(run)).row_of(engine().stored.query_ids[0])
        return Subject(f"row {row}", "", lambda: cached.pictures(cached.run_data(run)).picture(row))

    yield lambda: anatomy_cached.prepare(run, subject(), query().reshape(len(engine().stored.codebooks), -1))
    yield lambda: engine().search(query(), top=1)
    yield lambda: lab_batch.prepare(lab_batch.first(run))
    yield lambda: codebook_cached.usage(fingerprint, run)
    yield lambda: charts.curves({"": ([0], [0])}, x="", y="", key="").to_json()  # the first figure takes longer
    yield lambda: engine().embed([subject().image()])  # so does a network's first pass
    yield lambda: benchmarks_view.lines(runs.all_runs(), "asymmetric")
    yield lambda: train_start.estimated(train_form.usual())
