"""Foreign text as Markdown and as Plotly's HTML; tests/browser/test_text.py uses the real renderers."""

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from transclipped.ui import charts
from transclipped.ui.text import for_plotly, plain, visible

HAS_MEANING = r"[\\`*\[\]{}<$&|~]|:[^ ]|:$"
STARTS_A_BLOCK = r"[#>+-]|\d+[.)]( |$)|\s"
PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
ANY = st.one_of(st.text(), st.text(alphabet=PUNCTUATION + " ab1\n"), st.text(alphabet=":smile/>-@w.http"))


def rendered(markdown: str) -> list[str]:
    """Text nodes of Markdown with backslashes, `&nbsp;` and `:color[…]`; fails on any other markup."""
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
            assert not re.match(HAS_MEANING, markdown[at:]), markdown[at:]
            piece, at = piece + markdown[at], at + 1
    return [*pieces, piece]


@given(ANY)
def test_no_block_starts_and_no_word_is_emphasised(text: str) -> None:
    assert not re.match(STARTS_A_BLOCK, plain(text))
    words = re.sub(r"\\.", "", plain(text))  # without escaped characters
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", words)


@given(ANY)
@example(":smile::smile: :material_home: :material/home: www.a.b http://a a@b.c -> <-> -- >= ~=")
@example(" a  b ")
def test_plain_renders_as_these_characters(text: str) -> None:
    assert "".join(rendered(plain(text))).split() == visible(text).split()


@given(ANY)
def test_no_text_node_contains_a_pattern_of_an_extension(text: str) -> None:
    patterns = (r":\+1:|:-1:|:[\w-]+:", r"https?://|www\.|[\w.+-]@[\w-]", r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)")
    for piece in rendered(plain(text)):
        assert not [pattern for pattern in patterns if re.search(pattern, piece, re.IGNORECASE)]
    assert ":material/" not in plain(text)  # Streamlit searches for it before parsing Markdown


@given(ANY)
def test_text_stays_on_one_line_and_in_one_direction(text: str) -> None:
    assert len(plain(text).splitlines()) <= 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069\ud800-\udfff\x00-\x1f]", plain(text))
    plain(text).encode("utf-8")  # fails on a lone surrogate


def test_control_characters_become_visible() -> None:
    assert visible("a\x00\n\x7f\x85\u202eb\udc80") == "a␀␊⟨U+007F⟩⟨U+0085⟩⟨U+202E⟩b⟨U+DC80⟩"


def test_ordinary_text_of_any_script_is_unchanged() -> None:
    for text in ("Füße 日本 שלום", "👩‍👩‍👧 é e\u0301"):  # with a joiner and a combining accent
        assert plain(text) == text == for_plotly(text)


@given(ANY)
def test_plotly_text_contains_no_tag_and_unescapes_to_the_original(text: str) -> None:
    assert not re.search(r"[<>$]|&(?!amp;|lt;|gt;|#36;)", for_plotly(text))
    assert html.unescape(for_plotly(text)) == visible(text)


def test_the_csv_of_a_figure_has_unescaped_names() -> None:
    name = '<a href="http://host">x</a> & $y$'
    figure = charts.curves({name: ([1], [2])}, x="x", y="y", key="k")
    assert figure.data[0].name == for_plotly(name)
    assert charts.csv_of(figure).decode("utf-8-sig").splitlines()[1] == '"<a href=""http://host"">x</a> & $y$",1,2'
