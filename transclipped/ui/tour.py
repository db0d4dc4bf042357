"""Start here: a minute's tour from cause to outcome, as a bar above the pages that it visits.

Overview always has the first step; `?tour=` in the address numbers the others, on their own page only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from transclipped.ui.shell import ROOT

KEY = "tour"  # in the address
LEFT = "tour left"  # in the session: its first step is no longer drawn
HELP = "Back to the start, in the sidebar, shows it again."


@dataclass(frozen=True)
class Step:
    """A page of the tour, its address, its name, and what to look at."""

    page: str
    name: str
    text: str
    query: dict[str, str] = field(default_factory=dict)


STEPS = (
    Step("overview", "the idea", "Some negatives show the same thing as their anchor, and training pushes them away."),
    Step(
        "clipping",
        "the cause",
        "All negatives of a batch by similarity; blue ones are false. Move δ: what is more similar is clipped.",
        {"look": "tune", "clip_rule": "threshold"},
    ),
    Step(
        "clipping",
        "the gradient",
        "One anchor: the more similar a negative, the harder it is pushed away. Clipped ones get no push.",
        {"look": "steps", "step": "gradient"},
    ),
    Step(
        "clipping",
        "the outcome",
        "Each point is a head trained at another δ. With too much clipping nothing keeps classes apart.",
        {"look": "sweep"},
    ),
    Step("benchmarks", "the gain", "Pairs of runs in which nothing but the rule differs."),
)


def draw(page: str) -> None:
    """The bar of the step on this page, if the tour is here.

    Args:
        page: its path in the address, empty for Overview.
    """
    number = 1 if not page else _number(st.query_params.get(KEY))
    if number is None or STEPS[number - 1].page != (page or STEPS[0].page):
        return
    if number == 1 and st.session_state.get(LEFT):
        return
    step = STEPS[number - 1]
    if st.session_state.get("tour step") != number:
        st.session_state["tour step"] = number
        if number > 1:  # a link within a page leaves the browser's address as it was
            st.query_params[KEY] = str(number)
    with st.container(key="tour"):
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(f"**Start here, {number:,} of {len(STEPS)}: {step.name}.** {step.text}")
        if number < len(STEPS):
            _link(right, STEPS[number], f"Next: {STEPS[number].name} →", {KEY: str(number + 1)})
        else:
            _link(right, STEPS[0], "Back to Overview →", {})
        right.button("Leave this tour", key="leave tour", type="tertiary", on_click=_leave, help=HELP)


def _leave() -> None:
    st.session_state[LEFT] = True
    st.session_state.pop("tour step", None)
    st.query_params.pop(KEY, None)


def _number(value: str | None) -> int | None:
    return int(value) if value in {str(number) for number in range(1, len(STEPS) + 1)} else None


def _link(column, step: Step, label: str, query: dict[str, str]) -> None:
    if (ROOT / "pages" / f"{step.page}.py").is_file():
        column.page_link(f"pages/{step.page}.py", label=label, query_params=step.query | query)
