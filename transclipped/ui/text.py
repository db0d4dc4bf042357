"""Text that is not ours, shown as text: labels, file names, run names, errors, addresses.

Streamlit renders Markdown and Plotly a subset of HTML, so a class called `![x](http://host/x.png)` would make the
visitor's browser ask that host. Whatever comes from a file, an address or a visitor passes through one of these.
"""

from __future__ import annotations

import html
import re

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: object) -> str:
    """`text` as Markdown that renders as exactly these characters."""
    return _MARKDOWN.sub(r"\\\1", str(text))


def for_plotly(text: object) -> str:
    """`text` for titles, axes and hover boxes of Plotly, which take `<a>`, `<b>` and entities for markup."""
    return html.escape(str(text), quote=False)
