"""Component: a page in steps, by `?step=`, buttons and arrow keys; a new step scrolls into view."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from transclipped.ui.components.component import component
from transclipped.ui.presenting import folded

KEY, VISIT = "step", "walk visit"  # in the session: the step (also in the address), and the number of changes

_component = component("steps")


def choose(steps: Sequence[str]) -> int:
    """The last step to show, 1 … len(steps): by default all of them, to be read; in front of a class the first."""
    numbers = range(1, len(steps) + 1)
    if st.session_state.get(KEY, 1) not in numbers:  # another page's
        st.session_state.pop(KEY)
    about = "In a lecture, start at 1 and continue with the arrow keys."
    options = {"required": True, "key": KEY, "bind": "query-params", "on_change": _visit, "help": about}
    return st.segmented_control("Show up to step", numbers, default=1 if folded() else len(steps), **options)


def here(steps: Sequence[str], step: int) -> None:
    """Mark the position to scroll to, and listen for the arrow keys."""
    visit = st.session_state.get(VISIT, 0)
    back = visit > 0 or step < len(steps)  # if all steps were shown from the start, ← goes to the previous page
    _component(key="walk", data={"step": step, "visit": visit, "back": back})


def buttons(steps: Sequence[str], step: int) -> None:
    """Draw the buttons Back, Next and From the start."""
    first, last = step == 1, step == len(steps)
    following = "Next" if last else f"Next: {steps[step]}"
    go = {"on_click": _to, "icon": ":material/arrow_forward:", "type": "primary", "disabled": last}
    with st.container(horizontal=True, key="walk-buttons"):
        st.button("Back", icon=":material/arrow_back:", key="walk-back", disabled=first, on_click=_to, args=(step - 1,))
        st.button(following, key="walk-next", args=(step + 1,), **go)
        st.button("From the start", icon=":material/first_page:", disabled=first, on_click=_to, args=(1,))


def _to(step: int) -> None:
    st.session_state[KEY] = step
    _visit()


def _visit() -> None:
    st.session_state[VISIT] = st.session_state.get(VISIT, 0) + 1
