"""Component: rows of coloured cells, given as HTML; `st.html` would sanitise a thousand cells one by one."""

from __future__ import annotations

from transclipped.ui.components.component import component

_component = component("strips")


def draw(rows: str, *, key: str) -> None:
    """Draw the rows.

    Args:
        rows: HTML that only the app has written, since nothing sanitises it.
        key: unique on the page.
    """
    _component(key=key, data={"rows": rows})
