"""Streamlit internals that the app relies on: not a public interface, so check this file when upgrading."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit
from streamlit import runtime
from streamlit.runtime import Runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

TRIED = "1.67.0"  # newest version tested


def main_script() -> str | None:
    """File name of the script that the server runs; None outside a script run."""
    context = get_script_run_ctx()
    return Path(context.main_script_path).name if context else None


def forget_page_folder() -> None:
    """Stop treating `pages/` as Streamlit's older kind of multipage app, as the first st.navigation call does."""
    PagesManager.uses_pages_directory = False


def is_served() -> bool:
    """Whether a real server is running, not the one that AppTest mocks."""
    return runtime.exists() and type(runtime.get_instance()) is Runtime


def add_file(data: bytes, kind: str, name: str) -> str:
    """URL of a file for the browser; "" without a server.

    Args:
        kind: MIME type.
        name: of the place on the page, where a later file replaces this one.
    """
    return runtime.get_instance().media_file_mgr.add(data, kind, name) if runtime.exists() else ""


@cache
def script_files(names: tuple[str, ...]) -> list[str]:
    """Scripts of Streamlit's browser part by the names that precede the hash in their file names."""
    folder = Path(streamlit.__file__).parent / "static" / "static" / "js"
    return [file.name for name in names for file in sorted(folder.glob(f"{name}.*.js"))]
