"""Data sets: what pictures are here, what they look like, who asks whom, what is missing, and what is kept of them."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis import picture_sets
from transclipped.config import POTENTIAL, DataConfig
from transclipped.datasets.folder import Folder
from transclipped.ui import charts, links, runs, shell
from transclipped.ui.components import gallery
from transclipped.ui.datasets import cached, index, labels, sections
from transclipped.ui.datasets import charts as drawn
from transclipped.ui.datasets import collections as collections_list
from transclipped.ui.datasets import folder as folders
from transclipped.ui.datasets import help as told
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

SAMPLES = 24
ALL = "all pictures"
LABELS = "Labels are for looking and measuring only; training never sees them."


def choice() -> DataConfig:
    """The data set that the visitor chose; without a folder where that is still to be named."""
    name = links.choose(st.segmented_control, "Data set", told.TITLES, key="set", default="cifar10", required=True)
    st.markdown(told.ABOUT[name])
    if name not in told.NEEDS_FOLDER:
        return DataConfig(dataset=name)
    with shell.aside("folder"):
        data, lists = folders.fields("File of labels" if name == "folder" else "Folder with the label lists")
        which = sections.annotations() if name == "mirflickr" else POTENTIAL
    return DataConfig(dataset=name, data=data or None, labels=lists or None, annotations=which)


def how_to_get(name: str) -> None:
    if name in told.GET:
        st.markdown(told.GET[name])
        st.code(told.LAYOUT[name], language=None)


@guarded
def whole(config: DataConfig):
    """The configuration as it lies on the disk, with the opened images or None while a process looks through them.

    None alone, with the reason on the page, where they cannot be opened.
    """
    config = folders.checked(config)
    ready = config.data is None or folders.ready(config)
    return config, cached.opened(config) if ready else None


def figures(images, about: dict) -> None:
    listed = getattr(images, "listed", len(images))
    shown = (
        ("Pictures", f"{len(images):,}", f"Of {listed:,} that are listed." if listed else None),
        ("Labels", f"{len(images.class_names):,}" if images.class_names else "none", None),
        ("Queries", f"{about['query']:,}", "Pictures that ask."),
        ("Database", f"{about['database']:,}", "Pictures that are searched."),
        ("Training", f"{about['train']:,}", "Pictures that the contrastive loss sees, unlabelled."),
    )
    with st.container(horizontal=True, gap="medium"):
        for name, value, told_more in shown:
            st.metric(name, value, help=told_more, width="content")
    st.caption(f"Retrieval is measured by mAP@{about['k']:,}: among the first {about['k']:,} hits of each query.")
    if about["uses_labels"]:
        st.caption("This protocol draws its training pictures by their labels, as the literature does.")


@st.fragment
@guarded
def samples(images) -> None:
    st.subheader("What does it look like?")
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    names = [ALL, *sorted(images.class_names)]
    if st.session_state.get("only") not in names:  # a link to another set's label
        st.session_state.pop("only", None)
    only = left.selectbox("Show", names, key="only", bind="query-params")
    if right.button("Other pictures", icon=":material/shuffle:", width="stretch"):
        st.session_state["page"] = st.session_state.get("page", 0) + 1
    label = None if only == ALL else only
    rows = picture_sets.sample(images, SAMPLES, label=label, page=st.session_state.get("page", 0))
    total = len(picture_sets.rows_with(images, label))
    st.caption(f"{len(rows)} of {total:,} pictures, drawn at random. Click one to see it larger. {LABELS}")
    tiles = [
        gallery.Tile(
            id=f"{images.fingerprint} {row}", picture=cached.picture(images.fingerprint, row, images),
            caption=", ".join(picture_sets.labels_of(images, row)[:4]), title=str(images.ids[row]),
        )
        for row in rows.tolist()
    ]  # fmt: skip
    gallery.draw(tiles, key="samples", on_click=look_at, hint="Click to see it larger.")
    closer(images)


def look_at(tile: str) -> None:
    st.session_state["closer"] = tile


def closer(images) -> None:
    """The clicked picture, its labels, and its path to copy."""
    fingerprint, _, row = st.session_state.get("closer", "").rpartition(" ")
    if fingerprint != images.fingerprint:
        return
    row = int(row)
    with st.container(border=True):
        left, right = st.columns([1, 2])
        left.image(cached.picture(images.fingerprint, row, images).file, width="stretch")
        right.markdown(f"**{plain(', '.join(picture_sets.labels_of(images, row)) or 'no label')}**")
        where = str(images.path(row)) if isinstance(images, Folder) else f"{images.name} {images.ids[row]}"
        right.code(where, language=None, wrap_lines=True)


@st.fragment
@guarded
def counts(images, about: dict) -> None:
    st.subheader("How many of what?")
    st.caption(picture_sets.label_sentence(images))
    if images.class_names:
        figure = drawn.class_counts(about["classes"], key=images.fingerprint)
        charts.show(figure, key="counts", name=f"{images.name}-classes")


st.title("Data sets")
st.caption("What is on this machine, what it looks like, what is missing, and which rows a result stands on.")
runs.current()
config = choice()
opened = None if config.dataset in told.NEEDS_FOLDER and config.data is None else whole(config)
if opened is None:
    how_to_get(config.dataset)
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
            figures(images, about)
        if config.dataset == "folder":
            labels.section(images, config)
            index.section(images, config)
    with looks:
        samples(images)
        if split is not None:
            counts(images, about)
    sections.missing(images)
    sections.check(images, config, split)
if config.dataset == "folder":
    with shell.aside("collections"):
        st.subheader("Your collections")
        collections_list.draw()
sections.storage()
