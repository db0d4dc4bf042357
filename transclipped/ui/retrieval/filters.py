"""The choice of which hits are shown and in which order, folded behind one button."""

from __future__ import annotations

import streamlit as st

from transclipped.search import arrange
from transclipped.search.arrange import Arrangement
from transclipped.ui import absent, links
from transclipped.ui.retrieval.query import SearchTarget

CLASSES, KIND, ORDER = "hit_classes", "hit_kind", "hit_order"  # keys of widgets, and names in the address
KINDS = {arrange.ALL: "all", arrange.SAME: "✓ same class", arrange.OTHER: "✗ other class"}
ORDERS = {
    arrange.BEST: "best first",
    arrange.WORST: "worst first",
    arrange.CLASS: "by class",
    arrange.MISTAKES: "✗ first",
}
HELP = {
    CLASSES: f"Only hits of these classes, among the {arrange.DEPTH:,} best. Each keeps its rank.",
    KIND: "Whether a hit shares a class with the query.",
    ORDER: "Order of the hits that are shown.",
}


def draw(target: SearchTarget, *, judged: bool) -> Arrangement:
    """Draw the button; returns the choice.

    Args:
        judged: whether it is known which items share a class with the query.
    """
    names = class_names(target)
    absent.settle(CLASSES, names, [])
    how = current()
    label = "Filter and sort" if how == Arrangement() else "Filtered and sorted"
    with st.popover(label, icon=":material/filter_list:"):
        if names:
            st.multiselect("Classes", names, key=CLASSES, bind="query-params", help=HELP[CLASSES], placeholder="all")
        segments = {"required": True, "disabled": not judged}
        links.choose(st.segmented_control, "Hits", KINDS, key=KIND, default=arrange.ALL, help=HELP[KIND], **segments)
        links.choose(
            st.segmented_control, "Order", ORDERS, key=ORDER, default=arrange.BEST, required=True, help=HELP[ORDER]
        )
        st.button("Show all", key="hits unfiltered", icon=":material/filter_list_off:", on_click=clear)
    return current()


def current() -> Arrangement:
    """The choice in the session and the address."""
    state, address = st.session_state, st.query_params
    kind = links.key_of(address.get(KIND), KINDS) or arrange.ALL
    order = links.key_of(address.get(ORDER), ORDERS) or arrange.BEST
    return Arrangement(frozenset(state.get(CLASSES) or ()), kind, order)


def clear() -> None:
    """Show all hits, best first."""
    st.session_state[CLASSES] = []
    for name in (KIND, ORDER):
        st.query_params.pop(name, None)


def class_names(target: SearchTarget) -> list[str]:
    """Classes of the items that are searched, none without labels."""
    return [] if target.searcher.stored.database_labels is None else target.searcher.class_names
