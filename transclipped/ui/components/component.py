"""Declares the components of this folder to Streamlit."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

SHARED = "dom.js"  # comes first in the script of every component


def component(name: str, *more: str):
    """Declare a component: `<div class="name">`, drawn by `name.js`, styled by `name.css`.

    Args:
        name: of the files.
        more: further scripts that `name.js` needs; the browser gets all of them as one module.
    """
    return st.components.v2.component(
        f"transclipped_{name}",
        html=f'<div class="{name}"></div>',
        css=_text(f"{name}.css"),
        js="\n".join(map(_text, (SHARED, f"{name}.js", *more))),
    )


def _text(file: str) -> str:
    return Path(__file__).with_name(file).read_text(encoding="utf-8")
