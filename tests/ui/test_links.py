"""Keys in the address: written, followed, cleaned up, and independent of the displayed texts."""

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

    test = AppTest.from_function(script)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def choices(page) -> str:
    assert not page.exception, [error.value for error in page.exception]
    return page.text[0].value


def test_the_address_contains_the_key_unless_it_is_the_default():
    page = app()
    assert choices(page) == "tune a" and not page.query_params
    page.segmented_control(key="part").set_value("sweep").run()
    page.selectbox(key="kind").set_value("b").run()
    assert choices(page) == "sweep b"
    assert page.query_params == {"part": "sweep", "kind": "b"}
    page.segmented_control(key="part").set_value("tune").run()
    assert choices(page) == "tune b" and page.query_params == {"kind": "b"}


def test_texts_are_displayed():
    page = app()
    assert page.selectbox(key="kind").options == ["Apples", "Pears"]


@pytest.mark.parametrize("value", ["sweep", "Live sweep"])
def test_links_by_key_and_older_ones_by_text_are_followed(value):
    page = app(part=value)
    assert choices(page) == "sweep a"
    assert page.query_params == {"part": "sweep"}


@pytest.mark.parametrize("value", ["", "nonsense", "LIVE SWEEP"])
def test_nonsense_means_the_default_and_leaves_the_address(value):
    page = app(part=value)
    assert choices(page) == "tune a"
    assert not page.query_params


def test_a_changed_address_of_the_same_page_is_followed():
    page = app(part="sweep")
    page.query_params["part"] = "tune"
    assert choices(page.run()) == "tune a"
    page.query_params["part"] = "sweep"
    assert choices(page.run()) == "sweep a"


def test_key_of_prefers_keys():
    assert key_of("tune", {"sweep": "tune", "tune": "other"}) == "tune"
    assert key_of(None, TEXTS) is None
