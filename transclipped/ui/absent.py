"""Values in the address that do not exist: a notice above the page names them; they are never replaced silently.

Streamlit ignores a value in the address that a widget cannot take. So app.py records the values before a page runs
(`begin`) and then compares them with those of the widgets (`draw`). A value without a widget, such as the image of
`?point=`, is reported by the code that reads it (`note`). A notice stays until the visitor chooses another value or
page.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import streamlit as st

from transclipped.ui.text import plain

LONGEST = 80  # characters of a value that are repeated


@dataclass(frozen=True)
class Notice:
    """A sentence, as Markdown, and the widget's value when it was drawn; with another value it no longer holds."""

    text: str
    value: tuple | None = None


def begin(page: str) -> None:
    """Record the values in the address; call it before any widget is drawn.

    Args:
        page: its path; notices of another page are dropped.
    """
    state, address = st.session_state, st.query_params
    if state.get("absent page") != page:
        state["absent page"], state["absent"] = page, {}
    state["absent"] = {name: n for name, n in state["absent"].items() if n.value in (None, _value(name))}
    unresolved = {name: values for name, values in state.get("address asks", {}).items() if name in address}
    state["address asks"] = unresolved | {name: address.get_all(name) for name in address if name not in state}


def resolve(name: str) -> None:
    """The value of this name in the address exists, or was reported already."""
    st.session_state.get("address asks", {}).pop(name, None)


def note(name: str, text: str) -> None:
    """Report above the page that something does not exist.

    Args:
        name: in the address.
        text: Markdown; foreign words in it passed through `plain`.
    """
    resolve(name)
    st.session_state.setdefault("absent", {})[name] = Notice(text)


def missing(name: str, value: object, *, instead: str = "") -> None:
    """Report a value in the address that does not exist, where no widget has this name."""
    note(name, _sentence(name, [str(value)], instead))


def settle(name: str, options: Collection, otherwise: Any) -> None:
    """Before a widget is drawn: replace a value that is no longer an option by `otherwise`, in the browser too.

    Deleting its state instead would leave the old value in the browser's box. A list loses only the values that are no
    options, and becomes `otherwise` if none is left.
    """
    state = st.session_state
    if state.get(name) is None:
        return
    several = isinstance(state[name], list)
    gone = [each for each in (state[name] if several else [state[name]]) if each not in options]
    if gone:
        left = [each for each in state[name] if each in options] if several else None
        state[name] = left or otherwise
        note(name, _sentence(name, [str(each) for each in gone], _text(state[name])))


def draw(place) -> None:
    """Compare the values in the address with those of the widgets, and fill `place` with the notices."""
    state = st.session_state
    for name, values in list(state.get("address asks", {}).items()):
        if name in state:
            resolve(name)
            if gone := differing(values, state[name]):
                note(name, _sentence(name, gone, _text(state[name])))
    if notices := state.get("absent"):
        state["absent"] = {name: Notice(notice.text, _value(name)) for name, notice in notices.items()}
        place.warning("\n\n".join(notice.text for notice in notices.values()), icon=":material/link_off:")


def _value(name: str) -> tuple:
    """Value of the widget of this name; without one, the values in the address."""
    return (st.session_state[name],) if name in st.session_state else tuple(st.query_params.get_all(name))


def differing(values: list[str], value: Any) -> list[str]:
    """The values in the address that a widget's value does not match."""
    if isinstance(value, list | tuple):
        chosen = {str(each) for each in value}
        return [each for each in values if each not in chosen]
    return [] if _same(values[-1], value) else values[-1:]


def _same(text: str, value: Any) -> bool:
    if isinstance(value, bool):
        return text.lower() in (str(value).lower(), str(int(value)))
    if isinstance(value, int | float):
        try:
            return abs(float(text) - value) < 1e-9
        except ValueError:
            return False
    return text == _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _sentence(name: str, gone: list[str], instead: str) -> str:
    values = ", ".join(plain(each[:LONGEST]) for each in gone)
    rest = f" Showing {plain(instead[:LONGEST])} instead." if instead else ""
    return f"This link sets *{plain(name[:LONGEST])}* to **{values}**, which does not exist here.{rest}"
