"""Words of the field, explained where they stand."""

import pytest

from transclipped.ui.glossary import TERMS, prose, term


def test_every_entry_is_one_sentence():
    for name, sentence in TERMS.items():
        assert (sentence[-1] == "." and len(sentence) <= 130 and sentence[0].isupper()) or sentence[0] in "τδ", name


def test_a_term_is_reached_by_the_keyboard_and_described():
    text = term("view", "views")
    assert 'tabindex="0"' in text and 'role="tooltip"' in text and ">views<" in text and TERMS["view"] in text


def test_marked_words_are_terms_and_all_else_is_text():
    text = prose("<b> [view] and [anchors](anchor) & co")
    assert text.startswith("&lt;b&gt; <span") and text.endswith(" &amp; co") and text.count('class="term"') == 2


def test_an_unknown_word_is_an_error():
    with pytest.raises(KeyError):
        prose("a [nonsense]")
