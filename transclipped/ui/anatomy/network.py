"""Steps 1 to 3: the patches of the image, what the network attends to, and the embedding."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import html
from transclipped.ui.anatomy.strips import draw_numbers
from transclipped.ui.components import attention as component
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

ALL = "all"
HELP = {
    "layer": "All: attention rollout (Abnar and Zuidema 2020), the product over layers, each averaged with the "
    "identity. Or choose a single layer.",
    "head": "Each layer has several attention heads with different patterns. All: their mean.",
}


def patches(run, subject, view) -> None:
    """Step 1: the whole image and its patches; `view` is None if the network is unavailable."""
    h, w = grid = (1, 1) if view is None or view.grid is None else view.grid
    html.heading(1, _places(view, h, w))
    data = cached.run_data(run)
    image, crisp = anatomy_cached.enlarged(data, subject.key, grid, subject), anatomy_cached.crisp(data)
    left, right = st.columns(2, gap="large")
    left.html(html.CSS + html.patches(image, (1, 1), crisp=crisp))  # once for all steps
    left.caption(plain(subject.caption))
    if grid != (1, 1):
        right.html(html.patches(image, grid, crisp=crisp))
        size = anatomy_cached.model(run.fingerprint, run).microscope.backbone.image_size
        right.caption(f"The network's input is {size} × {size} pixels; a patch is {size / w:.3g} pixels wide.")


def _places(view, h: int, w: int) -> str:
    """What the network makes of an image, in a sentence of `glossary.prose`."""
    if view is None or view.grid is None:
        return "The input image. The patches of this network cannot be shown."
    if view.attention is None:
        return f"The network turns the image into a map of **{h} × {w} positions**, each a list of numbers."
    if view.stem:
        return (
            f"[A small CNN](stem) turns the image into **{h} × {w} places**; each sees its [patch] and some way around "
            f"it, and becomes one of **{h * w}** [tokens](token)."
        )
    return f"The image becomes **{h} × {w} = {h * w}** [tokens](token): a list of numbers for each [patch]."


@st.fragment
@shows_input_errors
def attention(run, subject, view) -> None:
    """Step 2: attention over the image by layer and head, or else the energy of the last feature map."""
    if view.attention is None:
        _energy(run, subject, view)
        return
    layers, heads, _, _ = view.attention.shape
    html.heading(
        2,
        "Tokens attend to each other ([attention]). **Dark** patches are ignored; point at one to see what it "
        "attends to.",
    )
    left, right = st.columns(2, gap="large")
    with right:
        layer = _select("layer", "Layer", layers)
        head = _select("head", "Head", heads, disabled=layer is None)
        source = "the class token" if view.class_token else "the mean of all tokens"
        st.markdown(f"Shown first: attention of {source}, which is the embedding. Click pins a patch, Esc unpins.")
    if layer is None:
        weights = anatomy_cached.rolled(run.fingerprint, subject.key, run, subject)
    else:
        weights = anatomy.layer(view.attention, layer, head)
    rows = np.stack([anatomy.over_places(weights, view, token) for token in range(view.grid[0] * view.grid[1])])
    who = "The class token attends most to" if view.class_token else "On average, tokens attend most to"
    with left:
        _overlay(run, subject, view.grid, anatomy.over_places(weights, view), rows, who=who)


def _energy(run, subject, view) -> None:
    if view.grid is None:
        html.heading(2, "This network's features form no grid, so they cannot be drawn over the image.")
        return
    html.heading(2, "This network has no attention. **Bright** positions have the strongest features.")
    left, right = st.columns(2, gap="large")
    right.markdown("Brightness is *channel energy*: the mean square over channels, as a share of the whole map.")
    with left:
        _overlay(run, subject, view.grid, view.energy, None, who="The map is strongest in")


def _select(key: str, label: str, n: int, **options) -> int | None:
    """A choice of 1 … n, or None for all of them."""
    choices = [ALL, *map(str, range(1, n + 1))]
    if st.session_state.get(key, ALL) not in choices:  # a link to a network with more layers or heads
        st.session_state[key] = ALL
    options |= {"required": True, "key": key, "bind": "query-params"}
    choice = st.segmented_control(label, choices, default=ALL, help=HELP[key], **options)
    return None if choice == ALL else int(choice) - 1


def _overlay(run, subject, grid, base, rows, **words) -> None:
    data = cached.run_data(run)
    image, crisp = anatomy_cached.enlarged(data, subject.key, grid, subject), anatomy_cached.crisp(data)
    component.draw(image, base, rows, grid=grid, crisp=crisp, key="look", **words)


def embedding(run, view, projected) -> None:
    """Step 3: the pooled embedding and its projection."""
    f, (m, d) = len(view.embedding), projected.raw.shape
    html.heading(
        3,
        f"{'The class token becomes' if view.class_token else 'The places are averaged into'} one list, the "
        f"[embedding], of **{f:,} numbers**; similar images have similar ones.",
    )
    draw_numbers(run, view.embedding[None], what="number of the embedding", key="embedding", height=4)
    st.markdown(f"A learned {m * d} × {f:,} matrix projects it to **{m * d} numbers**.")
    draw_numbers(run, projected.raw.reshape(1, -1), what="number after projection", key="raw", height=4)
