"""Escaping of foreign text: labels, file names, run names, errors, addresses.

Streamlit renders Markdown and Plotly a subset of HTML, so a class named `![x](http://host/x.png)` would make the
visitor's browser contact that host. All text from a file, an address or a visitor passes through these functions.

A backslash makes punctuation literal (CommonMark 0.31, section 2.4). It is added only where the punctuation would have
a meaning, so the source stays readable. Streamlit's extensions then scan the text again for icons and emoji
(`:smile:`), bare addresses (`http://…`, `www.…`, `a@b.c`) and arrows (`->`). They scan one text node at a time, so a
`:color[…]` without a colour around the middle of such a pattern splits it into separate nodes.
"""

from __future__ import annotations

import html
import re

_SPECIAL = re.compile(
    r"""[\\`*\[\]{}<$&|~]  # anywhere
    | (?<![^\W_])_ | _(?![^\W_])  # at the edge of a word
    | :(?!\ ) | (?<=:material)/  # before the name of a directive or an icon
    | ^[#>+-] | (?<=\d)[.)](?=\s|$)  # where a heading, a quotation or a list would start""",
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
)  # control characters, text direction, line separators, lone surrogates, byte order mark
_SPACES = re.compile(r"(?<= ) |^\s|\s$")  # HTML collapses these
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
    """`text` for titles, axes and hover boxes of Plotly, which treat `<a>`, `<b>`, `$…$` and entities as markup."""
    return html.escape(visible(text), quote=False).replace("$", "&#36;")


def visible(text: object) -> str:
    """`text` with a visible symbol for each invisible character and each one that changes the text direction."""
    return _INVISIBLE.sub(_symbol, str(text))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace(_NBSP, "&nbsp;")  # Streamlit would strip the character itself


def _symbol(match: re.Match) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"  # ␀ ␉ ␊ have symbols
