"""The frame around every page: the order of a lesson, arrow keys, projector scale, lesson view, a fresh start.

What a class need not see goes into `aside`, which `?lesson=1` hides. A projector needs larger text, points and lines:
the page's base font and the CSS variable `--scale` grow, and `scale()` tells figures by how much. The browser loads
what other pages draw with while the visitor looks at the first one, as warm.py does on the server, and its Back button
takes back one act of the visitor at a press.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[2]
PROJECTOR = 1.35  # times the usual size
BASE = 16  # pixels of the base font
AHEAD = ("PlotlyChart", "DataFrame", "StreamlitSyntaxHighlighter")  # scripts of Streamlit's, 0.5 to 4.7 MB each
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
CSS = """
html { font-size: %(base)spx !important; } :root { --scale: %(scale)s; }
.stMainBlockContainer { padding-top: 3.2rem; }
@media (max-width: 768px) { .stMainBlockContainer { padding-top: 4.4rem; } }
.st-key-lesson-steps { margin-bottom: -0.6rem; opacity: 0.85; }
.st-key-lesson-steps p { font-size: 0.875rem; }
[class*="st-key-save-"] { margin-top: -0.9rem; }
[class*="st-key-save-"] button { min-height: 1.6rem; opacity: 0.75; }
[class*="st-key-save-"] button p { font-size: 0.8rem; }
@media print { .stSidebar, .st-key-lesson-steps, [class*="st-key-save-"] { display: none; } }
"""
LESSON_CSS = """
[class*="st-key-aside-"], [class*="st-key-save-"] { display: none !important; }
"""
_keys = st.components.v2.component(
    "transclipped_shell",
    html='<button type="button" class="restart" title="Opens Overview again, as at first."></button>',
    css="""
.restart { font: inherit; font-family: var(--st-font); font-size: 0.875rem;
  color: var(--st-text-color); background: transparent;
  border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); padding: 0.35rem 0.75rem;
  cursor: pointer; }
.restart:hover, .restart:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
""",
    js=Path(__file__).with_name("shell.js").read_text(encoding="utf-8"),
)


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
    factor = scale()
    st.html(f"<style>{CSS % {'base': round(BASE * factor, 1), 'scale': factor}}{LESSON_CSS * lesson()}</style>")
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
        base = st.get_option("server.baseUrlPath").strip("/")
        start = f"/{base}/" if base else "/"
        ahead = tuple(f"{start}static/js/{name}" for name in _scripts())  # for a list Streamlit would import pandas
        _keys(key="shell", data={"start": start, "label": "Back to the start", "ahead": ahead})
    if st.session_state["lesson"] and st.query_params.get("lesson") != "1":
        st.query_params["lesson"] = "1"
    elif not st.session_state["lesson"]:
        st.query_params.pop("lesson", None)


@cache
def _scripts() -> list[str]:
    """Files of the installed Streamlit that its browser part loads with the first chart, table or code."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    return [file.name for name in AHEAD for file in sorted(folder.glob(f"{name}.*.js"))]


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
