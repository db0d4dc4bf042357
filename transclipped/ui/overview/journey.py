"""One image's way to its code, with the numbers that the run gives it; `?image=` names the stored query."""

from __future__ import annotations

import random

import streamlit as st

from transclipped.models.zoo import CNN
from transclipped.ui import absent, cached, shell
from transclipped.ui.overview import cached as overview_cached
from transclipped.ui.overview import story

STRIDE = {CNN: 32}  # pixels a side of what becomes one place of the last feature map; 16 for transformers


def number_of_query(run) -> int:
    """The stored query that the address names; the first otherwise."""
    n = len(cached.arrays(run).queries)
    if st.session_state.pop("another", False):
        st.query_params["picture"] = str(random.randrange(n))
    asked = st.query_params.get("picture", "0")
    if asked.isdecimal() and int(asked) < n:
        return int(asked)
    absent.missing("picture", asked, instead="0")
    return 0


def draw(run, query: int, image) -> None:
    """Six stations of a stored query, the way to another one, and the way to Anatomy."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.caption("From an image to its code, with the numbers that this run gives it:")
    right.button("Another image", icon=":material/casino:", key="another", width="stretch")
    config, record = run.config, run.record
    drawing = story.stations(
        image, overview_cached.told(run.fingerprint, query, run), image_size=record.get("image_size") or 96,
        stride=STRIDE.get(config.backbone.name, 16), scale=shell.scale(), cnn=config.backbone.name == CNN,
    )  # fmt: skip
    st.html(drawing)
    if (shell.ROOT / "pages" / "anatomy.py").is_file():
        st.page_link(
            "pages/anatomy.py", label="Follow this image through the network, step by step",
            icon=":material/account_tree:", query_params={"query": str(query)},
        )  # fmt: skip
