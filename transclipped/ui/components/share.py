"""Component: a button that copies the link to the current view, with all that the address holds."""

from __future__ import annotations

from transclipped.ui.components.component import component

_component = component("share")
TEXTS = {"label": "Copy link", "copied": "Copied", "failed": "Copy the address bar instead."}
HINT = "Copies a link to this view."


def link(*, key: str, hint: str = HINT) -> None:
    """Draw the button.

    Args:
        key: unique on the page.
        hint: what the link opens, as a tooltip.
    """
    _component(key=key, data=TEXTS | {"hint": hint})
