"""Warm-up: prepares the other pages while the visitor looks at the first one.

Once per server, in a thread: all imports, then `warm(run)` of each page's folder, in the order of the lesson. It fills
the caches that the pages use, so a visitor who opens a page meanwhile waits for the same result instead of computing it
twice. An error here is ignored: the page that needs the result raises it again and shows it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from threading import Thread

import streamlit as st

from transclipped.runs.run import RunDir
from transclipped.ui import imports, shell, streamlit_internals

PAUSE = 1.0  # seconds for drawing the first page undisturbed
BREATH = 0.05  # seconds after each page, for waiting threads


def up(run: RunDir | None) -> None:
    """Start the warm-up, once per server.

    Args:
        run: the visitor's; None only imports the modules.
    """
    if streamlit_internals.is_served():
        _start(run)


@st.cache_resource(show_spinner=False)
def _start(_run: RunDir | None) -> Thread:
    thread = Thread(target=_work, args=(_run,), name="warm-up", daemon=True)
    thread.start()
    return thread


def _work(run: RunDir | None) -> None:
    time.sleep(PAUSE)
    imports.everything()
    if run is not None:
        with suppress(Exception):
            _first_screens(run.fingerprint, run)


@st.cache_resource(max_entries=1, show_spinner=False)  # within a cached function, others draw no spinner
def _first_screens(fingerprint: str, _run: RunDir) -> None:
    for page, *_ in shell.ORDER:
        with suppress(Exception):  # a folder without warm.py needs no warm-up
            import_module(f"transclipped.ui.{page}.warm").warm(_run)
        time.sleep(BREATH)
