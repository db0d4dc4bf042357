"""The choice of a data set: what each is, how to get it, how its folder must look, and opening it."""

from __future__ import annotations

import streamlit as st

from transclipped.config import POTENTIAL, DataConfig
from transclipped.datasets import flickr25k, nuswide
from transclipped.ui import links, shell
from transclipped.ui.datasets import cached, sections
from transclipped.ui.datasets import folder as folders
from transclipped.ui.guard import guarded

NEEDS_FOLDER = ("mirflickr", "nuswide", "folder", "embeddings")
TITLES = {  # of those offered
    "cifar10": "CIFAR-10",
    "caltech101": "Caltech-101",
    "collage": "Collages",
    "mirflickr": "Flickr25K",
    "nuswide": "NUS-WIDE",
    "folder": "A folder of your own",
}
ABOUT = {
    "cifar10": "60,000 images of 32 × 32 pixels in 10 classes, bundled as JPEG re-encodings.",
    "caltech101": "3,030 photographs of 101 kinds of object, bundled.",
    "collage": "Pairs of Caltech-101 photographs side by side, which carry both labels: multi-label retrieval without "
    "a download.",
    "mirflickr": "MIRFLICKR-25000: 25,000 photographs of Flickr with 24 labels, several an image.",
    "nuswide": "Photographs of Flickr with the 21 most frequent of 81 concepts, about 195,800 of 269,648.",
    "folder": "Any images of yours, nested or flat, with or without labels.",
}
GET = {
    "mirflickr": f"It cannot be bundled. Download `mirflickr25k.zip` and `mirflickr25k_annotations_v080.zip` from "
    f"{flickr25k.URL}, unpack both, and give the folder:",
    "nuswide": f"It cannot be bundled. The lists are at {nuswide.URL}; the images come on request, and most copies "
    f"lack some, which are then counted and named. Give the folder:",
    "folder": "Type the path of a folder on this machine. Sub-folders are searched too; the names of the first ones "
    "are labels if there are at least two. A CSV can label images instead:",
}
LAYOUT = {
    "mirflickr": flickr25k.LAYOUT,
    "nuswide": nuswide.LAYOUT,
    "folder": "holiday/beach/1.jpg        labels from folders: beach, mountains\nholiday/mountains/2.heic\n\n"
    "id,label                   labels.csv: one label, or several with ;\nbeach/1.jpg,sea;sky\nmountains/2.heic,snow",
}


def choose() -> DataConfig:
    """The data set that the visitor chose; without a folder where that is still to be named."""
    name = links.choose(st.segmented_control, "Data set", TITLES, key="set", default="cifar10", required=True)
    st.markdown(ABOUT[name])
    if name not in NEEDS_FOLDER:
        return DataConfig(dataset=name)
    with shell.aside("folder"):
        data, lists = folders.fields("File of labels" if name == "folder" else "Folder with the label lists")
        which = sections.annotations() if name == "mirflickr" else POTENTIAL
    return DataConfig(dataset=name, data=data or None, labels=lists or None, annotations=which)


def how_to_get(name: str) -> None:
    """Where a data set that is not bundled comes from."""
    if name in GET:
        st.markdown(GET[name])
        st.code(LAYOUT[name], language=None)


@guarded
def opened(config: DataConfig):
    """The configuration as it lies on the disk, with the opened images or None while a process looks through them.

    None alone, with the reason on the page, where they cannot be opened.
    """
    config = folders.checked(config)
    ready = config.data is None or folders.ready(config)
    return config, cached.opened(config) if ready else None
