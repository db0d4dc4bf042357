"""The outcome of a button is shown once, on the next run of the page."""

import streamlit as st
from streamlit.testing.v1 import AppTest

from transclipped.errors import InputError
from transclipped.ui import acts


def refuse(name: str) -> None:
    raise InputError(f"{name} is invalid")


def test_a_returned_sentence_or_an_error_is_stored():
    acts.press("a", "{} is done".format, "x")
    acts.press("b", refuse, "x")
    acts.press("c", print)
    assert st.session_state.pop("a") == ("success", "x is done")
    assert st.session_state.pop("b") == ("error", "x is invalid")
    assert "c" not in st.session_state


def script() -> None:
    from transclipped.ui import acts

    acts.show("note")


def test_the_outcome_is_shown_once_and_escaped():
    for kind in ("success", "error"):
        app = AppTest.from_function(script)
        app.session_state["note"] = (kind, "![x](http://host)")
        boxes = app.run().get(kind)
        assert len(boxes) == 1 and "![" not in boxes[0].value
        assert not app.run().get(kind)
