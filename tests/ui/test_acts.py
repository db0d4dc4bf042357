"""What a button did is said once, on the next run of the page."""

import streamlit as st
from streamlit.testing.v1 import AppTest

from transclipped.errors import InputError
from transclipped.ui import acts


def refuse(name: str) -> None:
    raise InputError(f"{name} cannot be")


def test_a_sentence_or_a_refusal_is_kept_and_silence_is_not():
    acts.press("a", "{} is done".format, "x")
    acts.press("b", refuse, "x")
    acts.press("c", print)
    assert st.session_state.pop("a") == ("success", "x is done")
    assert st.session_state.pop("b") == ("error", "x cannot be")
    assert "c" not in st.session_state


def script() -> None:
    from transclipped.ui import acts

    acts.show("note")


def test_it_is_shown_once_as_text():
    for kind in ("success", "error"):
        app = AppTest.from_function(script)
        app.session_state["note"] = (kind, "![x](http://host)")
        said = app.run().get(kind)
        assert len(said) == 1 and "![" not in said[0].value
        assert not app.run().get(kind)
