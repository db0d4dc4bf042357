"""Text that is not ours, shown as text: labels, file names, run names, errors, addresses.

Streamlit renders Markdown and Plotly a subset of HTML, so a class called `![x](http://host/x.png)` would make the
visitor's browser ask that host. Whatever comes from a file, an address or a visitor passes through one of these.

A backslash makes punctuation literal (CommonMark 0.31, section 2.4); it stands where the punctuation would mean
something, so that names and sentences stay readable in the source. Extensions of Streamlit's renderer look at the text
again after that: icons and emoji (`:smile:`), bare addresses (`http://…`, `www.…`, `a@b.c`) and arrows (`->`). They
search one piece of text at a time, so the middle of such a pattern becomes a piece of its own, by a `:color[…]` that
names no colour.
"""

from __future__ import annotations

import html
import re

_SPECIAL = re.compile(
    r"""[\\`*\[\]{}<$&|~]  # wherever it stands
    | (?<![^\W_])_ | _(?![^\W_])  # at the edge of a word
    | :(?!\ ) | (?<=:material)/  # before the name of a directive or an icon
    | ^[#>+-] | (?<=\d)[.)](?=\s|$)  # where a heading, a quotation or a list would begin""",
    re.VERBOSE,
)
_MIDDLE = re.compile(
    r"""(?P<emoji> : (?=[\w+-]+:) )
    | (?P<address> (?<=http) : (?=//) | (?<=https) : (?=//) | (?<=www) \. | (?<=[\w.+-]) @ (?=[\w-]) )
    | (?P<arrow> (?<=[<>~-]) [=>-] )""",
    re.VERBOSE | re.IGNORECASE,
)
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)  # control characters, direction of writing, separators of lines, halves of a pair, byte order
_SPACES = re.compile(r"(?<= ) |^\s|\s$")  # HTML shows none of these
_NBSP = "\u00a0"


def plain(text: object) -> str:
    """`text` as Markdown that renders as exactly these characters, on one line."""
    text = _SPACES.sub(_NBSP, visible(text))
    pieces, end = [], 0
    for middle in _MIDDLE.finditer(text):
        pieces += [_escaped(text[end : middle.start()]), f":color[{_escaped(middle[0])}]"]
        end = middle.end()
    return "".join(pieces) + _escaped(text[end:])


def for_plotly(text: object) -> str:
    """`text` for titles, axes and hover boxes of Plotly, which take `<a>`, `<b>`, `$…$` and entities for markup."""
    return html.escape(visible(text), quote=False).replace("$", "&#36;")


def visible(text: object) -> str:
    """`text` with something to see for each character that draws nothing, or turns the writing round."""
    return _INVISIBLE.sub(_stand_in, str(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace(_NBSP, "&nbsp;")  # as a character, Streamlit strips it


def _stand_in(match: re.Match) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)  # ␀ ␉ ␊
    return f"⟨U+{code:04X}⟩"
