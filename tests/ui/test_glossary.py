"""Each word has one plain sentence, and its dotted form can be read by hand, by keyboard and by a screen reader."""

import re
from html.parser import HTMLParser

import pytest
from streamlit.testing.v1 import AppTest

from transclipped.ui.glossary import TERMS, prose, term

WORDS = """anchor view positive negative false·negative clipping threshold temperature head backbone hybrid stem
    embedding quantizer codebook codeword code subspace asymmetric·distance lab·set protocol query database mAP@K
    precision recall perplexity nats softmax·weight cosine Otsu F1 rank adaptive clamp remove"""


class Spans(HTMLParser):
    """The spans of a piece of HTML with their attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.spans, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        assert tag == "span"
        self.spans.append([dict(attrs), ""])
        self.open.append(self.spans[-1])

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        self.open[-1][1] += data


def test_words_that_readers_asked_for_are_explained():
    assert {word.replace("·", " ") for word in WORDS.split()} <= set(TERMS)


@pytest.mark.parametrize("name", TERMS)
def test_a_word_is_explained_in_one_sentence(name):
    assert re.fullmatch(r"[A-Z][^.!?]*\.", TERMS[name].replace("1.44", "")), TERMS[name]
    assert len(TERMS[name]) <= 130


@pytest.mark.parametrize("name", TERMS)
def test_focus_reaches_the_word_and_the_description_its_sentence(name):
    (word, text), (meaning, sentence) = Spans(term(name)).spans
    assert (text, sentence) == (name, TERMS[name])
    assert word["tabindex"] == "0" and meaning["role"] == "tooltip"
    assert word["aria-describedby"] == meaning["id"] and re.fullmatch(r"[a-z0-9-]+", meaning["id"])


def test_descriptions_have_different_ids():
    ids = {Spans(term(name)).spans[1][0]["id"] for name in TERMS}
    assert len(ids) == len(TERMS)


def test_the_sentence_decides_the_form_of_a_word():
    assert Spans(term("negative", "negatives")).spans[0][1] == "negatives"
    assert Spans(term("negative", "<b>")).spans[0][1] == "<b>"


def test_an_unknown_word_is_an_error():
    with pytest.raises(KeyError):
        term("no such word")


def test_marked_words_are_terms_and_all_else_is_text():
    text = prose("<b> [view] and [anchors](anchor) & co")
    assert text.startswith("&lt;b&gt; <span") and text.endswith(" &amp; co") and text.count('class="term"') == 2


def test_foreign_text_is_neither_markup_nor_marked():
    def page():
        from transclipped.ui import glossary

        glossary.markdown("The rule **{rule}** clips the [query].", rule="<b>[hit] {rule}</b>")

    text = AppTest.from_function(page).run().markdown[0].value
    assert r"\<b>\[hit\] \{rule\}\</b>" in text and text.count('class="term"') == 1


def test_an_unmarked_entry_is_an_error():
    with pytest.raises(KeyError):
        prose("a [nonsense]")
