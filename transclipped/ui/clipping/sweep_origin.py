"""Whose results a visitor of the live sweep sees, and from when; a visitor may start from an empty figure.

All visitors of a server share the results of a sweep. A session knows which it started itself; those of others, or of
an earlier session, are drawn pale. Starting empty hides results from this session only.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import streamlit as st

from transclipped.experiments.lab.sweep import RESULTS, Sweep
from transclipped.ui.clipping import sweep_jobs

STARTED, EMPTY = "sweeps started", "sweeps empty"  # in the session: time of each start by key; keys that are hidden


def start(sweep: Sweep, *, again: bool) -> None:
    """Start a sweep as this session's, unless it is running or queued already; see `sweep_jobs.ask`."""
    when = sweep_jobs.ask(sweep, again=again)
    if when is not None:
        st.session_state.setdefault(STARTED, {})[sweep.key] = when
    show(sweep)


def mine(sweep: Sweep) -> bool:
    """Whether this session was the last to start the sweep."""
    when = st.session_state.get(STARTED, {}).get(sweep.key)
    return when is not None and when == sweep_jobs.started(sweep)


def trained_at(sweep: Sweep) -> str:
    """Time of the last result in the visitor's time zone, such as 21:20, or 27 Nov 21:20 on another day."""
    try:
        when = (sweep_jobs.folder(sweep) / RESULTS).stat().st_mtime
    except OSError:
        return ""
    return clock(when, datetime.now().timestamp(), minutes=st.context.timezone_offset)


def clock(when: float, now: float, *, minutes: int | None) -> str:
    """A time of day, with its date unless it is today; `minutes` west of Greenwich, None for the server's own zone."""
    zone = None if minutes is None else timezone(-timedelta(minutes=minutes))
    then, today = (datetime.fromtimestamp(seconds, zone) for seconds in (when, now))
    day = "" if then.date() == today.date() else f"{then.day} {then:%b} "
    return f"{day}{then:%H:%M}"


def hide(sweep: Sweep) -> None:
    """Start empty: hide the results from this session."""
    st.session_state.setdefault(EMPTY, set()).add(sweep.key)


def show(sweep: Sweep) -> None:
    """Show the results again."""
    st.session_state.setdefault(EMPTY, set()).discard(sweep.key)


def hidden(sweep: Sweep) -> bool:
    """Whether this session hides the results."""
    return sweep.key in st.session_state.get(EMPTY, set())
