"""Imports happen in one visitor's thread while the others wait.

Each visitor's page runs in its own thread, and torch, torchvision and timm have circular imports. Two threads that
enter such a circle at different points would deadlock, so Python lets one of them see a half-initialised module. Hence
pages import nothing while they draw: `first` imports the modules of Overview, in a fraction of a second, and
`everything` the rest, in a few seconds, before any other page starts.
"""

from __future__ import annotations

import gc
import pkgutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from threading import RLock, local

import streamlit as st

import transclipped
from transclipped.errors import InputError
from transclipped.ui.streamlit_internals import forget_page_folder, main_script
from transclipped.ui.text import plain

UI_FIRST = """absent access glossary guard headline train.imported_form overview.cached overview.numbers
    overview.sections overview.story overview.strip presenting quantities runs shell threads tour warm"""
SETS = "caltech101 cifar10 collage embeddings fashion_mnist flickr25k folder nuswide registry walk"  # of any run
FIRST = (  # modules of app.py and Overview
    "pyarrow.parquet",  # of the bundled images
    "transclipped.analysis.benchmarks",
    *(f"transclipped.datasets.{name}" for name in SETS.split()),
    *(f"transclipped.ui.{name}" for name in UI_FIRST.split()),
)
LIBRARIES = """faiss pandas plotly.graph_objects plotly.offline plotly.subplots pyarrow.parquet scipy.linalg
    scipy.special timm torch torchvision.transforms.v2.functional"""
_lock = RLock()
_thread = local()
_done: set[str] = set()


def first() -> None:
    """Import the modules of the first page, once; other threads wait.

    For app.py only: it also marks this thread as inside the app.
    """
    _thread.inside = True
    _once("first", lambda: FIRST)


def through_app() -> None:
    """Rerun a page through app.py if Streamlit opened it directly.

    Until the first call of st.navigation, Streamlit treats a folder `pages/` as its older kind of multipage app. The
    first visitors of a deep link would then import in parallel and see pages without their sidebar.
    """
    if not getattr(_thread, "inside", False) and main_script() == "app.py":
        forget_page_folder()
        st.rerun()


def everything() -> None:
    """Import the modules of all pages, as `first` does."""
    _once("everything", lambda: [*LIBRARIES.split(), *_ours()])


def plugins() -> None:
    """Load the plug-ins named in the environment, so that lists include what they register; show one that fails."""
    from transclipped import plugins

    with _lock:
        try:
            plugins.load_named()
        except InputError as error:
            st.error(plain(error))


def _once(name: str, modules: Callable[[], Iterable[str]]) -> None:
    if name in _done:
        return
    with _lock:
        if name not in _done:
            for module in modules():
                with suppress(ImportError, OSError):  # the page that needs it reports the error
                    import_module(module)
            gc.freeze()  # modules stay; scanning them for garbage would halt all pages for 0.6 s
            _done.add(name)


def _ours() -> list[str]:
    modules = pkgutil.walk_packages(transclipped.__path__, "transclipped.")
    return [module.name for module in modules if not module.name.endswith("__main__")]
