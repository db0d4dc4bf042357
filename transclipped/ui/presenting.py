"""Pages in front of a class: what is on, larger type, folded controls, a sentence to say.

The lesson view shows what a class needs: chart or images first, controls folded, a sentence to say at the end. On a
projector everything is larger, and controls are folded as well, for want of room. The switches are in ui/shell.py.
"""

from __future__ import annotations

import streamlit as st

LESSON, PROJECTOR = "lesson", "projector"  # keys of the switches
LARGER = 1.35  # times the usual size, on a projector


def lesson() -> bool:
    """Whether the lesson view is on, which shows a class only what it needs."""
    return bool(st.session_state.get(LESSON))


def projector() -> bool:
    """Whether the page is shown on a projector."""
    return bool(st.session_state.get(PROJECTOR))


def folded() -> bool:
    """Whether controls are folded, and charts and images come first: in the lesson view, or on a projector."""
    return lesson() or projector()


def scale() -> float:
    """Factor by which text, points and lines grow: 1, or more on a projector."""
    return LARGER if projector() else 1.0


def controls(label: str = "Settings"):
    """A container for a page's controls: folded under `label` in lesson view and on a projector, plain otherwise.

    Draw in it only what a class can do without; a slider that moves the chart stays outside.

    Args:
        label: what they control, unique on the page, such as "Batch and rule".
    """
    if folded():
        return st.expander(label, icon=":material/tune:")
    return st.container()


def say(sentence: str) -> None:
    """Draw the sentence to say about a page, in lesson view only; call it last.

    Args:
        sentence: Markdown, as it would be spoken.
    """
    if lesson():
        with st.container(key="say"):
            st.markdown(sentence)
