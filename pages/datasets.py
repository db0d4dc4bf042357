"""Data sets: images, labels, queries and database of each, missing and damaged files, and what is stored."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import presenting, runs, shell
from transclipped.ui.datasets import choice, content, index, labels, sections
from transclipped.ui.datasets import collections as collections_list

st.title("Data sets")
st.caption("The images on this machine, their labels and classes, missing files, and the rows behind each result.")
runs.current()
with presenting.controls("Data set"):
    config = choice.choose()
opened = None if config.dataset in choice.NEEDS_FOLDER and config.data is None else choice.opened(config)
if opened is None:
    choice.how_to_get(config.dataset)
elif opened[1] is not None:
    config, images = opened
    samples, sizes = st.container(), st.container()
    if not presenting.presenting():  # a class sees images first
        samples, sizes = sizes, samples
    rows = presenting.controls("Queries and database")
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
    with presenting.controls("Missing, damaged and duplicate files"):
        sections.missing(images)
        sections.check(images, config, split)
if config.dataset == "folder":
    with shell.aside("collections"):
        st.header("Your collections")
        collections_list.draw()
sections.storage()
presenting.say("Labels are only for looking and measuring: no training here ever saw them.")
