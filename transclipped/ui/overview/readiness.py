"""Whether this machine is ready for a lesson, and what a visitor can rely on."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import readiness
from transclipped.models.zoo import CNN, HYBRID, available
from transclipped.ui import access, runs, shell
from transclipped.ui.guard import guarded
from transclipped.ui.overview import cached as overview_cached
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

RELIABILITY = ASSETS / "reliability.md"
MARKS = {True: "✅", False: "⚠️", None: "ℹ️"}


@st.fragment
@guarded
def draw() -> None:
    """Checks of this machine, and the button that measures its speed."""
    with shell.aside("ready"), st.expander("Is this machine ready for a lesson?", icon=":material/fact_check:"):
        for check in readiness.checks(runs.home()):
            st.markdown(
                f"{MARKS[check.ok]} **{plain(check.name)}**: {plain(check.found)}"
                + (f" – {plain(check.remedy)}" if check.ok is False else "")
            )
        st.caption(access.ABOUT)
        if st.button("Measure its speed", icon=":material/speed:", key="speed"):
            backbone = HYBRID if HYBRID in available() else CNN
            speed = overview_cached.speed(backbone, 96)
            st.markdown(f"✅ **{speed:,.0f} images per second** through {backbone} at 96 pixels.")


def promises() -> None:
    """What holds of links, files and numbers."""
    with shell.aside("promises"), st.expander("What you can rely on", icon=":material/verified_user:"):
        st.markdown(RELIABILITY.read_text(encoding="utf-8").partition("\n\n")[2])
