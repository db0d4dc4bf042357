"""Step by step through a page: `?step=`, buttons, arrow keys, and a new step that scrolls into view."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from transclipped.ui.components.component import component
from transclipped.ui.shell import lesson

KEY, VISIT = "step", "walk visit"  # of the session: the step (in the address too), and how often it was changed

_component = component("steps")


def choose(steps: Sequence[str]) -> int:
    """The step to show up to, of 1 … len(steps): all at once, in a lesson the first, unless the address says more."""
    numbers = range(1, len(steps) + 1)
    if st.session_state.get(KEY, 1) not in numbers:  # another page's
        st.session_state.pop(KEY)
    return st.segmented_control(
        "Show up to step", numbers, default=1 if lesson() else len(steps), required=True, key=KEY,
        bind="query-params", on_change=_visit, help="In a lecture, start at 1 and go on with the arrow keys.",
    )  # fmt: skip


def here(steps: Sequence[str], step: int) -> None:
    """Marks the place that a visitor is taken to, and listens to the arrow keys."""
    visit = st.session_state.get(VISIT, 0)
    back = visit > 0 or step < len(steps)  # where all was shown from the start, the key belongs to the pages
    _component(key="walk", data={"step": step, "visit": visit, "back": back})


def buttons(steps: Sequence[str], step: int) -> None:
    """Back, next, and from the start."""
    following = f"Next: {steps[step]}" if step < len(steps) else "Next"
    with st.container(horizontal=True):
        st.button(
            "Back", icon=":material/arrow_back:", key="walk-back", disabled=step == 1, on_click=_go,
            args=(-1, len(steps)),
        )  # fmt: skip
        st.button(
            following, icon=":material/arrow_forward:", type="primary", key="walk-next", disabled=step == len(steps),
            on_click=_go, args=(1, len(steps)),
        )  # fmt: skip
        st.button("From the start", icon=":material/first_page:", disabled=step == 1, on_click=_to, args=(1,))


def _go(by: int, last: int) -> None:
    _to(min(last, max(1, st.session_state.get(KEY, last) + by)))


def _to(step: int) -> None:
    st.session_state[KEY] = step
    _visit()


def _visit() -> None:
    st.session_state[VISIT] = st.session_state.get(VISIT, 0) + 1
