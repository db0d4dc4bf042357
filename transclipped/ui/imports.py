"""Modules are imported by one visitor's thread, the others wait: Python gives up where two threads import in a circle.

Each visitor's page runs in a thread of its own, and torch, torchvision and timm import each other in circles. Two
threads that enter such a circle from different sides would wait for each other for ever, so Python lets one of them
see a module that is half there. Hence nothing is imported while a page draws: `first` imports what Overview needs, in a
fraction of a second, and `everything` the rest, in some seconds, before any other page begins.
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

FIRST = (
    "pyarrow.parquet",  # of the bundled images
    # app.py and Overview, with all data sets that a run may be of
    "transclipped.analysis.benchmarks",
    "transclipped.datasets.caltech101",
    "transclipped.datasets.cifar10",
    "transclipped.datasets.collage",
    "transclipped.datasets.embeddings",
    "transclipped.datasets.flickr25k",
    "transclipped.datasets.folder",
    "transclipped.datasets.nuswide",
    "transclipped.datasets.registry",
    "transclipped.ui.absent",
    "transclipped.ui.access",
    "transclipped.ui.guard",
    "transclipped.ui.train.imported_form",
    "transclipped.ui.overview.cached",
    "transclipped.ui.overview.doors",
    "transclipped.ui.overview.journey",
    "transclipped.ui.overview.readiness",
    "transclipped.ui.overview.results",
    "transclipped.ui.quantities",
    "transclipped.ui.runs",
    "transclipped.ui.shell",
    "transclipped.ui.overview.story",
    "transclipped.ui.threads",
    "transclipped.ui.warm",
)
LIBRARIES = (
    "faiss", "pandas", "plotly.graph_objects", "plotly.offline", "plotly.subplots", "pyarrow.parquet", "scipy.special",
    "timm", "torch", "torchvision.transforms.v2.functional",
)  # fmt: skip
_lock = RLock()
_thread = local()
_done: set[str] = set()


def first() -> None:
    """Import what the first page needs, unless that has been done; a thread that is at it is waited for.

    For app.py alone: pages of this thread then know that they are inside the app.
    """
    _thread.inside = True
    _once("first", lambda: FIRST)


def through_app() -> None:
    """Run a page again through app.py if Streamlit opened it alone.

    It takes a folder `pages/` for its older kind of app until st.navigation has been called once, so the first visitors
    of a server who come by a deep link would import all at the same time, and see pages without their sidebar.
    """
    if not getattr(_thread, "inside", False) and main_script() == "app.py":
        forget_page_folder()
        st.rerun()


def everything() -> None:
    """Import what any page needs, as `first` does."""
    _once("everything", lambda: [*LIBRARIES, *_ours()])


def plugins() -> None:
    """Run the plug-ins that the environment names, so that lists offer what they register; one that fails is said."""
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
                with suppress(ImportError, OSError):  # the page that needs it says what is wrong
                    import_module(module)
            gc.freeze()  # what was imported stays: to look through it for garbage would halt all pages for 0.6 s
            _done.add(name)


def _ours() -> list[str]:
    found = pkgutil.walk_packages(transclipped.__path__, f"{transclipped.__name__}.")
    return [module.name for module in found if not module.name.endswith("__main__")]
