"""Step 2: what the network looks at, by its attention, else by where its last feature map is strongest."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy.headings import heading
from transclipped.ui.components import attention as component
from transclipped.ui.guard import guarded

ALL = "all"
HELP = {
    "layer": "All layers multiplied up, each mixed half and half with what was there before: attention rollout, "
    "Abnar and Zuidema 2020. Or what one layer does.",
    "head": "A layer attends several times at once, in its heads, for different things. All: their mean.",
}


@st.fragment
@guarded
def draw(run, subject, seen) -> None:
    """The choice of layer and head, and the image under the weights of its places."""
    if seen.attention is None:
        _energy(run, subject, seen)
        return
    layers, heads, _, _ = seen.attention.shape
    heading(2, "Tokens look at each other. **Dark** places are ignored; point at a place to see what *it* looks at.")
    left, right = st.columns(2, gap="large")
    with right:
        layer = _options("layer", "Layer", layers)
        head = _options("head", "Head", heads, disabled=layer is None)
        where = "the class token" if seen.class_token else "the mean of all tokens"
        st.markdown(
            f"The embedding is read off {where}, so that is shown first. Click a place to keep it; press Esc to let go."
        )
    if layer is None:
        weights, verb, verbs = anatomy_cached.rolled(run.fingerprint, subject.key, run, subject), "draws on", "draw on"
    else:
        weights, verb, verbs = anatomy.layer(seen.attention, layer, head), "looks at", "look at"
    rows = np.stack([anatomy.over_places(weights, seen, token) for token in range(seen.grid[0] * seen.grid[1])])
    who = f"The class token {verb}" if seen.class_token else f"On average, tokens {verbs}"
    with left:
        _look(run, subject, seen, anatomy.over_places(weights, seen), rows, who=who, verb=verb)


def _energy(run, subject, seen) -> None:
    if seen.grid is None:
        heading(2, "What this network looks at forms no grid, so it cannot be drawn over the image.")
        return
    heading(2, "This network has no attention over the image. **Bright** places are strongest in its last map.")
    left, right = st.columns(2, gap="large")
    right.markdown("Brightness is *channel energy*: the mean square of a place's numbers, as a share of all places.")
    with left:
        _look(run, subject, seen, seen.energy, None, who="The map is strongest in", verb="")


def _options(key: str, label: str, n: int, **more) -> int | None:
    """A choice of 1 … n, or of all together (None)."""
    choices = [ALL, *map(str, range(1, n + 1))]
    if st.session_state.get(key, ALL) not in choices:  # a link to a network with more of them
        st.session_state[key] = ALL
    chosen = st.segmented_control(
        label, choices, default=ALL, required=True, key=key, bind="query-params", help=HELP[key], **more
    )
    return None if chosen == ALL else int(chosen) - 1


def _look(run, subject, seen, base, rows, *, who: str, verb: str) -> None:
    data = cached.run_data(run)
    component.draw(
        anatomy_cached.enlarged(data, subject.key, seen.grid, subject), base, rows,
        grid=seen.grid, who=who, verb=verb, crisp=anatomy_cached.crisp(data), key="look",
    )  # fmt: skip
