"""The choice of a data set: a description of each, how to get it, the layout of its folder, and opening it."""

from __future__ import annotations

import streamlit as st

from transclipped.config import POTENTIAL, DataConfig
from transclipped.datasets import fashion_mnist, flickr25k, nuswide
from transclipped.ui import links, shell
from transclipped.ui.datasets import cached, sections
from transclipped.ui.datasets import folder as folders
from transclipped.ui.guard import shows_input_errors

NEEDS_FOLDER = ("mirflickr", "nuswide", "fashionmnist", "folder", "embeddings")
TITLES = {
    "cifar10": "CIFAR-10",
    "caltech101": "Caltech-101",
    "collage": "Collages",
    "walk": "A walk",
    "mirflickr": "Flickr25K",
    "nuswide": "NUS-WIDE",
    "fashionmnist": "Fashion-MNIST",
    "folder": "Your own folder",
}
ABOUT = {
    "cifar10": "60,000 images of 32 × 32 pixels in 10 classes, bundled as JPEG re-encodings.",
    "caltech101": "3,030 photographs of 101 kinds of object, bundled.",
    "collage": "Pairs of Caltech-101 photographs with both labels: multi-label retrieval without a download.",
    "walk": "1,000 frames of a window that slides along a wall of Caltech-101 photographs. The last 300 return to what "
    "earlier frames show, in another light. A class is a photograph.",
    "mirflickr": "MIRFLICKR-25000: 25,000 Flickr photographs with 24 labels, several per image.",
    "nuswide": "Flickr photographs with the 21 most frequent of 81 concepts, about 195,800 of 269,648.",
    "fashionmnist": "70,000 grey images of clothes, 28 × 28 pixels, in 10 classes.",
    "folder": "Any of your images, in sub-folders or not, with or without labels.",
}
GET = {
    "mirflickr": f"It may not be bundled. Download `mirflickr25k.zip` and `mirflickr25k_annotations_v080.zip` from "
    f"{flickr25k.URL}, unpack both, and give the folder:",
    "nuswide": f"It may not be bundled. The lists are at {nuswide.URL}; the images are available on request, and most "
    "copies lack some, which are listed below. Give the folder:",
    "fashionmnist": f"It does not come with the app. Download the four files from {fashion_mnist.URL}, unpack them, "
    "and give the folder:",
    "folder": "Type the path of a folder on this machine. Sub-folders are included; if there are at least "
    "two at the top level, their names are the labels. A CSV can give labels instead:",
}
LABELS = {  # what a path of labels leads to, in sets that do not come with their own
    "mirflickr": "Folder of label lists",
    "nuswide": "Folder of label lists",
    "folder": "File of labels",
}
LAYOUT = {
    "mirflickr": flickr25k.LAYOUT,
    "nuswide": nuswide.LAYOUT,
    "fashionmnist": fashion_mnist.LAYOUT,
    "folder": "holiday/beach/1.jpg        labels from folders: beach, mountains\nholiday/mountains/2.heic\n\n"
    "id,label                   labels.csv: one label, or several with ;\nbeach/1.jpg,sea;sky\nmountains/2.heic,snow",
}


def choose() -> DataConfig:
    """The chosen data set, without a folder until one is given."""
    name = links.choose(st.segmented_control, "Data set", TITLES, key="set", default="cifar10", required=True)
    st.markdown(ABOUT[name])
    if name not in NEEDS_FOLDER:
        return DataConfig(dataset=name)
    with shell.aside("folder"):
        data, lists = folders.fields(LABELS.get(name))
        annotations = sections.annotations() if name == "mirflickr" else POTENTIAL
    return DataConfig(dataset=name, data=data or None, labels=lists or None, annotations=annotations)


def how_to_get(name: str) -> None:
    """Where to get a data set that is not bundled."""
    if name in GET:
        st.markdown(GET[name])
        st.code(LAYOUT[name], language=None)


@shows_input_errors
def opened(config: DataConfig):
    """The configuration with absolute paths, and the images, None while a process scans the folder.

    None alone, with the error on the page, if they cannot be opened.
    """
    config = folders.checked(config)
    ready = config.data is None or folders.ready(config)
    return config, cached.opened(config) if ready else None
