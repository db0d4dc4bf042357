"""Warm-up: what the pages behind the first one need is made ready while the visitor looks at that one.

Once a server, in a thread: all modules, then `warm(run)` of each page's folder, in the order of the lesson. It fills
the caches that the page uses anyway, so a visitor who comes earlier waits for the same result instead of computing it
twice, and one who comes later finds nothing different.
What fails here fails again, with a sentence, on the page that needs it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from threading import Thread

import streamlit as st

from transclipped.runs.run import RunDir
from transclipped.ui import imports, shell, streamlit_internals

PAUSE = 1.0  # seconds in which the first page is drawn undisturbed
BREATH = 0.05  # seconds after a page, for whoever waits


def up(run: RunDir | None) -> None:
    """Begin, unless this server has begun already.

    Args:
        run: that the visitor looks at; None warms the modules alone.
    """
    if streamlit_internals.is_served():
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


@st.cache_resource(max_entries=1, show_spinner=False)  # inside a cached function, others draw no spinner
def _first_screens(fingerprint: str, _run: RunDir) -> None:
    for page, *_ in shell.ORDER:
        with suppress(Exception):  # a folder without warm.py has nothing to make ready
            import_module(f"transclipped.ui.{page}.warm").warm(_run)
        time.sleep(BREATH)
