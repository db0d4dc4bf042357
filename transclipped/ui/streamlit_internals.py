"""Streamlit's insides that the app relies on. None is a public interface, so an upgrade has this one file to read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import streamlit
from streamlit import runtime
from streamlit.runtime import Runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

TRIED = "1.67.0"  # the newest version that these were tried with


def main_script() -> str | None:
    """File name of the script that the server was started with; None outside a script's run."""
    context = get_script_run_ctx()
    return Path(context.main_script_path).name if context else None


def forget_page_folder() -> None:
    """Have `pages/` no longer taken for pages of Streamlit's older kind, as st.navigation does at its first call."""
    PagesManager.uses_pages_directory = False


def is_served() -> bool:
    """Whether a real server runs, not the stand-in of AppTest."""
    return runtime.exists() and type(runtime.get_instance()) is Runtime


def add_file(data: bytes, kind: str, name: str) -> str:
    """Address at which a browser can fetch a file; "" where no server runs.

    Args:
        kind: MIME type.
        name: of the place on the page, so that another file there replaces this one.
    """
    return runtime.get_instance().media_file_mgr.add(data, kind, name) if runtime.exists() else ""


@cache
def script_files(names: tuple[str, ...]) -> list[str]:
    """Files of Streamlit's browser part, whose names hold a hash, by the names before it."""
    folder = Path(streamlit.__file__).parent / "static" / "static" / "js"
    return [file.name for name in names for file in sorted(folder.glob(f"{name}.*.js"))]
