"""The frame around every page: order of the pages, arrow keys, projector scale, lesson view, a fresh start.

`aside` holds what a class need not see; `?lesson=1` hides it. On a projector text, points and lines are larger: the
base font and the CSS variable `--scale` grow, and figures use `presenting.scale`. components/shell.js is the
browser's part.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.ui.components import shell as browser
from transclipped.ui.presenting import LESSON, PROJECTOR, folded, lesson, scale
from transclipped.ui.styles import sheet
from transclipped.ui.theme import FOCUS, IRRELEVANT, RELEVANT

ROOT = Path(__file__).resolve().parents[2]
ORDER = (  # file, title, icon
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
LINK = '[data-testid="stSidebarNavLink"]'
STYLE = sheet(__file__) + sheet(Path(__file__).with_name("glossary.css"))
LESSON_STYLE, PRESENTING_STYLE = (sheet(Path(__file__).with_name(f"{name}.css")) for name in ("lesson", "presenting"))


def pages() -> list:
    """The pages in the order of a lesson.

    shell.css draws their icons in the sidebar: with `icon` of `st.Page`, the browser would fetch a favicon from another
    host.
    """
    return [st.Page(f"pages/{name}.py", title=title, default=name == "overview") for name, title, _ in ORDER]


def frame(pages: list, page) -> None:
    """Style, links to the neighbouring pages, and the sidebar's controls; call it before the page runs."""
    with st.sidebar:
        _controls()
    colours = f"--relevant: {RELEVANT}; --irrelevant: {IRRELEVANT}; --focus: {FOCUS}"
    variables = f":root {{ --scale: {scale()}; {colours} }}"
    urls = [(other.url_path, icon) for other, (_, _, icon) in zip(pages, ORDER, strict=True)]
    icons = "".join(f'{LINK}[href$="/{url}"] {{ --icon: "{icon}" }}' for url, icon in urls)
    st.html(f"<style>{variables}{icons}</style>{STYLE}{PRESENTING_STYLE * folded()}{LESSON_STYLE * lesson()}")
    _neighbours(pages, page)


def aside(name: str):
    """A container for what a class need not see; `name` is unique on the page."""
    return st.container(key=f"aside-{name}")


def _controls() -> None:
    if LESSON not in st.session_state:
        st.session_state[LESSON] = st.query_params.get(LESSON) == "1"
    with st.container(gap="xsmall", key="class-controls"):
        st.caption("Presenting", help="The arrow keys ← and → step through the pages.")
        st.toggle("Projector", key=PROJECTOR, bind="query-params", help="Larger text, points and lines.")
        st.toggle("Lesson view", key=LESSON, help="Charts and images first, controls folded, file choices hidden.")
        browser.draw()
    if lesson() and st.query_params.get(LESSON) != "1":
        st.query_params[LESSON] = "1"
    elif not lesson():
        st.query_params.pop(LESSON, None)


def _neighbours(pages: list, page) -> None:
    at = next((i for i, other in enumerate(pages) if other.url_path == page.url_path), 0)
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="lesson-steps"
    ):
        with st.container(key="lesson-previous", width="content"):
            if at:
                _link(pages, at - 1, "← {}")
        st.caption(f"{at + 1} of {len(pages)}", width="content")
        with st.container(key="lesson-next", width="content"):
            if at + 1 < len(pages):
                _link(pages, at + 1, "{} →")


def _link(pages: list, at: int, label: str) -> None:
    _, title, icon = ORDER[at]
    st.page_link(pages[at], label=label.format(title), icon=f":material/{icon}:")
