"""Values in the address that do not exist here: named above the page, never silently replaced.

Streamlit passes over a value in the address that a widget cannot take. So app.py notes the values in the address
before a page runs (`begin`), and afterwards compares it with what the widgets hold (`draw`). What is no widget, such as
the image of `?point=`, says for itself that it is missing (`note`). A notice stays until the visitor chooses
something else there or goes to another page.
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
    """A sentence, as Markdown, and what was shown when it was drawn: with another value it is no longer true."""

    text: str
    held: tuple | None = None


def begin(page: str) -> None:
    """Note the values in the address; call it before any widget is drawn.

    Args:
        page: its path; notices of another page are dropped.
    """
    state, address = st.session_state, st.query_params
    if state.get("absent page") != page:
        state["absent page"], state["absent"] = page, {}
    state["absent"] = {name: n for name, n in state["absent"].items() if n.held in (None, _held(name))}
    waiting = {name: values for name, values in state.get("address asks", {}).items() if name in address}
    state["address asks"] = waiting | {name: address.get_all(name) for name in address if name not in state}


def resolve(name: str) -> None:
    """The value of this name in the address exists, or was named as missing already."""
    st.session_state.get("address asks", {}).pop(name, None)


def note(name: str, text: str) -> None:
    """Say above the page that something is not there.

    Args:
        name: in the address.
        text: Markdown; foreign words in it passed through `plain`.
    """
    resolve(name)
    st.session_state.setdefault("absent", {})[name] = Notice(text)


def missing(name: str, said: object, *, instead: str = "") -> None:
    """Say that a value in the address does not exist, where no widget of this name can tell."""
    note(name, _sentence(name, [str(said)], instead))


def settle(name: str, options: Collection, otherwise: Any) -> None:
    """Before a widget is drawn: what it held and is no option any more becomes `otherwise`, in the browser too.

    Forgetting its state instead would leave the old value in the browser's box, above what the new one shows. Of a
    list only what is no option goes, unless nothing else is left.
    """
    state = st.session_state
    if state.get(name) is None:
        return
    several = isinstance(state[name], list)
    gone = [each for each in (state[name] if several else [state[name]]) if each not in options]
    if gone:
        left = [each for each in state[name] if each in options] if several else None
        state[name] = left or otherwise
        note(name, _sentence(name, [str(each) for each in gone], _shown(state[name])))


def draw(place) -> None:
    """Compare the values in the address with those of the widgets, and fill `place` with the notices."""
    state = st.session_state
    for name, said in list(state.get("address asks", {}).items()):
        if name in state:
            resolve(name)
            if gone := differing(said, state[name]):
                note(name, _sentence(name, gone, _shown(state[name])))
    if notices := state.get("absent"):
        state["absent"] = {name: Notice(notice.text, _held(name)) for name, notice in notices.items()}
        place.warning("\n\n".join(notice.text for notice in notices.values()), icon=":material/link_off:")


def _held(name: str) -> tuple:
    """Value of the widget of this name; where there is none, those in the address."""
    return (st.session_state[name],) if name in st.session_state else tuple(st.query_params.get_all(name))


def differing(said: list[str], value: Any) -> list[str]:
    """Which of the values in the address are not what a widget holds."""
    if isinstance(value, list | tuple):
        there = {str(each) for each in value}
        return [each for each in said if each not in there]
    return [] if _same(said[-1], value) else said[-1:]


def _same(said: str, value: Any) -> bool:
    if isinstance(value, bool):
        return said.lower() in (str(value).lower(), str(int(value)))
    if isinstance(value, int | float):
        try:
            return abs(float(said) - value) < 1e-9
        except ValueError:
            return False
    return said == ("" if value is None else str(value))


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _sentence(name: str, gone: list[str], instead: str) -> str:
    words = ", ".join(plain(each[:LONGEST]) for each in gone)
    rest = f" Shown instead: {plain(instead[:LONGEST])}." if instead else ""
    return f"This link sets *{plain(name[:LONGEST])}* to **{words}**, which does not exist here.{rest}"
