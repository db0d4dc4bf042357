"""Short and stable names in the address: set, followed, cleaned, and independent of what is displayed."""

import pytest
from streamlit.testing.v1 import AppTest

from transclipped.ui.links import key_of

TEXTS = {"tune": "Tune the cut", "sweep": "Live sweep"}


def app(**query):
    def script():
        import streamlit as st

        from transclipped.ui import links

        texts = {"tune": "Tune the cut", "sweep": "Live sweep"}
        part = links.choose(st.segmented_control, "Part", texts, key="part", default="tune", required=True)
        kind = links.choose(st.selectbox, "Kind", {"a": "Apples", "b": "Pears"}, key="kind", default="a")
        st.text(f"{part} {kind}")

    made = AppTest.from_function(script)
    for name, value in query.items():
        made.query_params[name] = value
    return made.run()


def said(made) -> str:
    assert not made.exception, [error.value for error in made.exception]
    return made.text[0].value


def test_the_address_holds_the_key_and_nothing_for_the_default():
    made = app()
    assert said(made) == "tune a" and not made.query_params
    made.segmented_control(key="part").set_value("sweep").run()
    made.selectbox(key="kind").set_value("b").run()
    assert said(made) == "sweep b"
    assert made.query_params == {"part": "sweep", "kind": "b"}
    made.segmented_control(key="part").set_value("tune").run()
    assert said(made) == "tune b" and made.query_params == {"kind": "b"}


def test_texts_are_displayed():
    made = app()
    assert made.selectbox(key="kind").options == ["Apples", "Pears"]


@pytest.mark.parametrize("value", ["sweep", "Live sweep"])
def test_a_link_is_followed_by_key_or_by_the_text_of_an_old_one(value):
    made = app(part=value)
    assert said(made) == "sweep a"
    assert made.query_params == {"part": "sweep"}


@pytest.mark.parametrize("value", ["", "nonsense", "LIVE SWEEP"])
def test_nonsense_is_the_default_and_leaves_the_address(value):
    made = app(part=value)
    assert said(made) == "tune a"
    assert not made.query_params


def test_another_address_of_the_same_page_is_followed():
    made = app(part="sweep")
    made.query_params["part"] = "tune"
    assert said(made.run()) == "tune a"
    made.query_params["part"] = "sweep"
    assert said(made.run()) == "sweep a"


def test_key_of_prefers_keys():
    assert key_of("tune", {"sweep": "tune", "tune": "other"}) == "tune"
    assert key_of(None, TEXTS) is None
