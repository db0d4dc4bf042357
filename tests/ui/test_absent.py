"""Values in the address that do not exist: when a value counts as missing, and how long its notice stays."""

import pytest
from streamlit.testing.v1 import AppTest

from transclipped.ui import absent


@pytest.mark.parametrize(
    ("values", "value", "gone"),
    [
        (["24"], 24, []),
        (["0.30"], 0.3, []),
        (["5"], 4, ["5"]),
        (["high"], 0.3, ["high"]),
        (["nan"], 0.3, ["nan"]),
        (["1"], True, []),
        (["TRUE"], True, []),
        (["false"], False, []),
        (["maybe"], False, ["maybe"]),
        (["UMAP"], "UMAP", []),
        (["TSNE"], "UMAP", ["TSNE"]),
        ([""], None, []),
        (["x"], None, ["x"]),
        (["a", "b"], ["b", "a"], []),
        (["a", "gone"], ["a"], ["gone"]),
        (["first", "last"], "last", []),
    ],
)
def test_a_value_is_missing_if_the_widget_has_another(values, value, gone):
    assert absent.differing(values, value) == gone


def script():
    import streamlit as st

    from transclipped.ui import absent

    absent.begin(st.session_state.get("go to", "one"))
    place = st.container()
    options = st.session_state.get("options", ["a", "b"])
    absent.settle("letter", options, options[0])
    st.selectbox("Letter", options, key="letter", bind="query-params")
    st.number_input("Number", 0, 9, 4, key="number", bind="query-params")
    absent.draw(place)


def opened(**query) -> AppTest:
    app = AppTest.from_function(script)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def test_existing_values_need_no_notice():
    assert not opened(letter="b", number="7", unknown="x").warning
    assert not opened().warning


def test_a_notice_names_the_missing_and_the_shown_value():
    app = opened(letter="z", number="70")
    notices = " ".join(w.value for w in app.warning)
    assert "**z**" in notices and "**70**" in notices and f"{app.number_input[0].value}" in notices
    assert app.selectbox[0].value == "a"


def test_a_notice_stays_until_another_value_or_page_is_chosen():
    app = opened(letter="z").run()
    assert len(app.warning) == 1
    assert not app.selectbox[0].set_value("b").run().warning
    app = opened(letter="z")
    app.session_state["go to"] = "two"
    assert not app.run().warning


def test_a_removed_option_is_named_and_the_box_shows_its_replacement():
    app = opened(letter="b")
    app.session_state["options"] = ["a", "c"]
    app.run()
    assert app.selectbox[0].value == "a" and "**b**" in app.warning[0].value
    assert app.selectbox[0].proto.set_value  # updates the browser's box


def test_foreign_words_in_a_notice_are_escaped():
    assert "![" not in opened(letter="![x](http://host/x.png)").warning[0].value
