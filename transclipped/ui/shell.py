"""The frame around every page: the order of a lesson, arrow keys, projector scale, lesson view, a fresh start.

What a class need not see goes into `aside`, which `?lesson=1` hides. A projector needs larger text, points and lines:
the page's base font and the CSS variable `--scale` grow, and `scale()` tells figures by how much. What the browser does
for the frame is in components/shell.js.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.ui.components import shell as browser
from transclipped.ui.styles import sheet
from transclipped.ui.theme import IRRELEVANT, RELEVANT

ROOT = Path(__file__).resolve().parents[2]
PROJECTOR = 1.35  # times the usual size
ORDER = (  # file, title, icon; a page whose file is missing is left out
    ("overview", "Overview", "home"),
    ("anatomy", "Anatomy", "account_tree"),
    ("clipping", "Clipping", "content_cut"),
    ("codebooks", "Codebooks", "grid_view"),
    ("embeddings", "Embeddings", "scatter_plot"),
    ("retrieval", "Retrieval", "image_search"),
    ("train", "Train", "model_training"),
    ("benchmarks", "Benchmarks", "leaderboard"),
    ("datasets", "Data sets", "photo_library"),
)
STYLE, LESSON = sheet(__file__), sheet(Path(__file__).with_name("lesson.css"))
COLOURS = f"--relevant: {RELEVANT}; --irrelevant: {IRRELEVANT}"


def pages() -> list:
    """The pages that there are, in the order of a lesson."""
    found = [entry for entry in ORDER if (ROOT / "pages" / f"{entry[0]}.py").is_file()]
    return [
        st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=name == "overview")
        for name, title, icon in found
    ]


def frame(shown: list, page) -> None:
    """Style, steps to the neighbouring pages, and the sidebar's controls; call it before the page runs."""
    with st.sidebar:
        _controls()
    variables = f"<style>:root {{ --scale: {scale()}; {COLOURS} }}</style>"
    st.html(variables + STYLE + LESSON * lesson())
    _steps(shown, page)


def lesson() -> bool:
    """Whether a class looks on, and sees only what it needs."""
    return bool(st.session_state.get("lesson"))


def scale() -> float:
    """By how much text, points and lines are to grow: 1, or more on a projector."""
    return PROJECTOR if st.session_state.get("projector") else 1.0


def aside(name: str):
    """A container for what a class need not see; `name` is its own on the page."""
    return st.container(key=f"aside-{name}")


def _controls() -> None:
    if "lesson" not in st.session_state:
        st.session_state["lesson"] = st.query_params.get("lesson") == "1"
    with st.container(gap="xsmall", key="class-controls"):
        st.caption(
            "In front of a class", help="The arrow keys ← and → step through the pages in the order of a lesson."
        )
        st.toggle("Projector", key="projector", bind="query-params", help="Larger text, points and lines.")
        st.toggle("Lesson view", key="lesson", help="Hides what a class need not see, such as choices of files.")
        browser.draw()
    if st.session_state["lesson"] and st.query_params.get("lesson") != "1":
        st.query_params["lesson"] = "1"
    elif not st.session_state["lesson"]:
        st.query_params.pop("lesson", None)


def _steps(shown: list, page) -> None:
    at = next((i for i, other in enumerate(shown) if other.url_path == page.url_path), 0)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="lesson-steps"
    ):
        with st.container(key="lesson-previous", width="content"):
            if at:
                st.page_link(shown[at - 1], label=f"← {shown[at - 1].title}")
        st.caption(f"{at + 1} of {len(shown)}", width="content")
        with st.container(key="lesson-next", width="content"):
            if at + 1 < len(shown):
                st.page_link(shown[at + 1], label=f"{shown[at + 1].title} →")
