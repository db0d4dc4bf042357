"""Data sets: what images are here, what they look like, who asks whom, what is missing, and what is kept of them."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import runs, shell
from transclipped.ui.datasets import choice, counts, index, labels, samples, sections
from transclipped.ui.datasets import collections as collections_list

st.title("Data sets")
st.caption("What is on this machine, what it looks like, what is missing, and which rows a result stands on.")
runs.current()
config = choice.choose()
opened = None if config.dataset in choice.NEEDS_FOLDER and config.data is None else choice.opened(config)
if opened is None:
    choice.how_to_get(config.dataset)
elif opened[1] is not None:
    config, images = opened
    first, looks, rows = st.container(), st.container(), st.container()
    with rows:  # its controls decide what stands above them
        config = sections.protocol(images, config)
        split, about = sections.drawn_split(images, config)
        if split is not None:
            sections.rows_as_files(images, config, split)
    with first:
        if split is not None:
            counts.figures(images, about)
        if config.dataset == "folder":
            labels.section(images, config)
            index.section(images, config)
    with looks:
        samples.draw(images)
        if split is not None:
            counts.classes(images, about)
    sections.missing(images)
    sections.check(images, config, split)
if config.dataset == "folder":
    with shell.aside("collections"):
        st.subheader("Your collections")
        collections_list.draw()
sections.storage()
