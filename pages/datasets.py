"""Data sets: images, labels, queries and database of each, missing and damaged files, and what is stored."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import runs, shell
from transclipped.ui.datasets import choice, content, index, labels, sections
from transclipped.ui.datasets import collections as collections_list

st.title("Data sets")
st.caption("The images on this machine, their labels and classes, missing files, and the rows behind each result.")
runs.current()
config = choice.choose()
opened = None if config.dataset in choice.NEEDS_FOLDER and config.data is None else choice.opened(config)
if opened is None:
    choice.how_to_get(config.dataset)
elif opened[1] is not None:
    config, images = opened
    sizes, samples, rows = st.container(), st.container(), st.container()
    with rows:  # first, since its controls decide what is drawn above it
        config = sections.protocol(images, config)
        split, about = sections.load_split(images, config)
        if split is not None:
            sections.rows_as_files(images, config, split)
    with sizes:
        if split is not None:
            content.sizes(images, about)
        if config.dataset == "folder":
            labels.section(images, config)
            index.section(images, config)
    with samples:
        content.samples(images)
        if split is not None:
            content.classes(images, about)
    sections.missing(images)
    sections.check(images, config, split)
if config.dataset == "folder":
    with shell.aside("collections"):
        st.subheader("Your collections")
        collections_list.draw()
sections.storage()
