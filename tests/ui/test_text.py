"""Foreign text as Markdown and as Plotly's HTML; tests/browser/test_text.py asks the real renderers."""

from __future__ import annotations

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from transclipped.ui import charts
from transclipped.ui.text import for_plotly, plain, visible

MEANS_SOMETHING = r"[\\`*\[\]{}<$&|~]|:[^ ]|:$"
BEGINS_A_BLOCK = r"[#>+-]|\d+[.)]( |$)|\s"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
ANY = st.one_of(st.text(), st.text(alphabet=PUNCTUATION + " ab1\n"), st.text(alphabet=":smile/>-@w.http"))


def rendered(markdown: str) -> list[str]:
    """Pieces of text that a renderer which knows backslashes, `&nbsp;` and `:color[…]` makes of Markdown.

    Raises:
        AssertionError: some punctuation could mean anything else.
    """
    pieces, piece, at = [], "", 0
    while at < len(markdown):
        if inner := re.match(r":color\[(\\?[:.@=>-])\]", markdown[at:]):
            pieces += [piece, inner[1][-1]]
            piece, at = "", at + len(inner[0])
        elif markdown.startswith("&nbsp;", at):
            piece, at = piece + "\u00a0", at + 6
        elif markdown[at] == "\\":
            assert markdown[at + 1] in PUNCTUATION
            piece, at = piece + markdown[at + 1], at + 2
        else:
            assert not re.match(MEANS_SOMETHING, markdown[at:]), markdown[at:]
            piece, at = piece + markdown[at], at + 1
    return [*pieces, piece]


@given(ANY)
def test_no_block_begins_and_no_word_is_stressed(text: str) -> None:
    assert not re.match(BEGINS_A_BLOCK, plain(text))
    words = re.sub(r"\\.", "", plain(text))  # without what is escaped
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", words)


@given(ANY)
@example(":smile::smile: :material_home: :material/home: www.a.b http://a a@b.c -> <-> -- >= ~=")
@example(" a  b ")
def test_plain_renders_as_these_characters(text: str) -> None:
    assert "".join(rendered(plain(text))).split() == visible(text).split()


@given(ANY)
def test_no_piece_holds_what_the_renderer_looks_for(text: str) -> None:
    looked_for = (
        r":\+1:|:-1:|:[\w-]+:", r"https?://", r"www\.", r"[\w.+-]@[\w-]", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
    )  # fmt: skip
    for piece in rendered(plain(text)):
        assert not [pattern for pattern in looked_for if re.search(pattern, piece, re.IGNORECASE)]
    assert ":material/" not in plain(text)  # which Streamlit looks for before Markdown is read


@given(ANY)
def test_text_stays_on_one_line_and_in_one_direction(text: str) -> None:
    assert len(plain(text).splitlines()) <= 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff\x00-\x1f]", plain(text))
    plain(text).encode("utf-8")  # what a lone surrogate would not let pass


def test_control_characters_are_to_be_seen() -> None:
    assert visible("a\x00\n\x7f\x85\u202eb\udc80") == "a␀␊⟨U+007F⟩⟨U+0085⟩⟨U+202E⟩b⟨U+DC80⟩"


def test_ordinary_text_of_any_script_stays_what_it_is() -> None:
    for text in ("Füße 日本 שלום", "👩‍👩‍👧 é e\u0301"):  # with a joiner and a combining accent
        assert plain(text) == text == for_plotly(text)


@given(ANY)
def test_plotly_text_holds_no_tag_and_reads_back(text: str) -> None:
    assert not re.search(r"[<>$]|&(?!amp;|lt;|gt;|#36;)", for_plotly(text))
    assert html.unescape(for_plotly(text)) == visible(text)


def test_csv_of_a_figure_holds_names_unescaped() -> None:
    name = '<a href="http://host">x</a> & $y$'
    figure = charts.curves({name: ([1], [2])}, x="x", y="y", key="k")
    assert figure.data[0].name == for_plotly(name)
    assert charts.csv_of(figure).decode("utf-8-sig").splitlines()[1] == '"<a href=""http://host"">x</a> & $y$",1,2'
