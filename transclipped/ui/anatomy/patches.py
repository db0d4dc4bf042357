"""Step 1: the image, and the patches that the network cuts it into."""

from __future__ import annotations

import streamlit as st

from transclipped.ui import cached
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import html
from transclipped.ui.anatomy.headings import heading
from transclipped.ui.text import plain


def draw(run, subject, seen) -> None:
    """The image as it is and as patches; `seen` is None where the network cannot be looked into."""
    if seen is None or seen.grid is None:
        heading(1, "An image nobody has labelled. What the network makes of its parts cannot be drawn here.")
    elif seen.attention is None:
        h, w = seen.grid
        heading(1, f"The network turns the image into a map of **{h} × {w} places**, each a list of numbers.")
    else:
        h, w = seen.grid
        heading(1, f"The image becomes **{h} × {w} = {h * w} tokens**: a list of numbers for each patch.")
    grid = (1, 1) if seen is None or seen.grid is None else seen.grid
    data = cached.run_data(run)
    image, crisp = anatomy_cached.enlarged(data, subject.key, grid, subject), anatomy_cached.crisp(data)
    left, right = st.columns(2, gap="large")
    left.html(html.patches(image, (1, 1), crisp=crisp))
    left.caption(plain(subject.caption))
    if grid != (1, 1):
        right.html(html.patches(image, grid, crisp=crisp))
        size = anatomy_cached.model(run.fingerprint, run).microscope.backbone.image_size
        right.caption(f"The network is fed {size} × {size} pixels, so a patch has {size / grid[1]:.3g} of them a side.")
