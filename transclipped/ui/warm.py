"""Warm-up: what the pages behind the first one need is made ready while the visitor looks at that one.

Once a server, in a thread: the modules that take seconds to import, then the run's database and network, the lab set
and the batch that Clipping shows first. All of it lies in caches that the pages ask anyway, so a visitor who comes
earlier waits for the same result instead of computing it twice, and one who comes never finds anything different.
What fails here fails again, with a sentence, on the page that needs it.

Streamlit collects garbage after every rerun, over all objects there are: a third of a second once torch is loaded, in
which nobody is answered. What is loaded here stays, so it is taken out of the collector's sight.
"""

from __future__ import annotations

import gc
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from threading import Thread

import streamlit as st
from streamlit import runtime
from streamlit.runtime import Runtime

from transclipped import ui
from transclipped.training.run import RunDir

HEAVY = ("torch", "timm", "faiss", "pandas", "plotly.graph_objects")  # seconds, and the first page does without
PAUSE = 1.0  # seconds in which the first page is drawn undisturbed
BREATH = 0.05  # seconds between two steps, for whoever waits


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
    _each(_modules())
    gc.freeze()
    if run is not None:
        with suppress(Exception):
            _first_screens(run.fingerprint, run)
    gc.freeze()


def _each(steps: Iterator[Callable[[], object]]) -> None:
    """Do one step after the other, whatever becomes of it."""
    for step in steps:
        with suppress(Exception):
            step()
        time.sleep(BREATH)


def _modules() -> Iterator[Callable[[], object]]:
    names = [*HEAVY, *(f"{ui.__name__}.{found.name}" for found in pkgutil.iter_modules(ui.__path__))]
    return (lambda name=name: import_module(name) for name in names)


@st.cache_resource(max_entries=1, show_spinner=False)  # inside a cached function, others draw no spinner
def _first_screens(fingerprint: str, _run: RunDir) -> None:
    _each(_screens(fingerprint, _run))


def _screens(fingerprint: str, run: RunDir) -> Iterator[Callable[[], object]]:
    """In the order of the lesson."""
    from transclipped.ui import anatomy_cached, cached, lab_batch, retrieval_cached
    from transclipped.ui.anatomy_subject import Subject

    engine, data = cached.engine(fingerprint, run), cached.run_data(run)
    row = cached.rows_of_ids(fingerprint, run)[engine.stored.query_ids[0].item()]
    subject = Subject(f"row {row}", "", lambda: cached.pictures(data).picture(row))
    yield lambda: anatomy_cached.seen(fingerprint, subject.key, run, subject)
    yield lambda: lab_batch.first(run)
    yield lambda: retrieval_cached.rows_of_names(data)
    yield lambda: engine.embed([subject.image()])  # a network's first pass takes longer
