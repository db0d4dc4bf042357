"""The Streamlit internals that the app relies on exist."""

import inspect

import pytest
from streamlit.runtime import Runtime
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from transclipped.ui import streamlit_internals
from transclipped.ui.components.shell import AHEAD


def test_the_class_remembers_a_pages_folder(monkeypatch, tmp_path):
    (tmp_path / "pages").mkdir()
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    PagesManager(str(tmp_path / "app.py"))
    assert PagesManager.uses_pages_directory is True
    streamlit_internals.forget_page_folder()
    PagesManager(str(tmp_path / "app.py"))
    assert PagesManager.uses_pages_directory is False


def test_the_server_stores_files_by_data_kind_and_place():
    assert isinstance(inspect.getattr_static(Runtime, "media_file_mgr"), property)
    assert list(inspect.signature(MediaFileManager.add).parameters)[1:4] == ["path_or_data", "mimetype", "coordinates"]


@pytest.mark.parametrize("name", AHEAD)
def test_browser_scripts_are_located_by_name(name):
    assert streamlit_internals.script_files((name,))


def test_apptest_is_not_a_server_and_stores_no_files():
    def script() -> None:
        import streamlit as st

        from transclipped.ui import streamlit_internals as module

        st.session_state["result"] = module.is_served(), module.main_script() is not None

    app = AppTest.from_function(script).run()
    assert app.session_state["result"] == (False, True)
    assert not streamlit_internals.is_served() and streamlit_internals.main_script() is None
    assert streamlit_internals.add_file(b"", "image/png", "here") == ""
