"""The labels of a visitor's folder: from which file and columns, and for how many images."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.labels.files import LabelFile, beside, recognise
from transclipped.errors import InputError
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

EXAMPLES = 3
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@shows_input_errors
def section(images: ImageSet, config: DataConfig) -> None:
    """Draw where the labels come from; nothing without labels."""
    file = Path(config.labels) if config.labels is not None else beside(Path(config.data))
    if file is not None:
        try:
            recognised = _recognised(images.fingerprint, str(file), _stamp(file), images)
            st.caption(f"Labels from {described(recognised)}")
            return
        except InputError as error:
            st.caption(f"There is a file of labels beside the images, but it cannot be used: {plain(error)}.")
    if images.labels is not None:
        st.caption(f"Labels from {_of_folders(images)}")


def described(file: LabelFile) -> str:
    """The recognised columns and format of a file of labels, numbers of images and examples, as Markdown."""
    if file.one_hot:
        form = f"one column for each of {len(file.label_columns):,} labels"
    else:
        form = f"labels in column *{plain(file.label_columns[0])}*"
        form += f", separated by “{plain(file.separator)}”" if file.separator else ""
    delimited = f" ({DELIMITERS[file.delimiter]}-separated)" if file.delimiter in DELIMITERS else ""
    unknown = f"; {len(file.unknown):,} rows match no image" if file.unknown else ""
    return (
        f"{plain(file.path.name)}{delimited}: image names in column *{plain(file.id_column)}*, {form}. "
        f"{file.n_labelled:,} of {file.n_images:,} images are labelled, with {len(file.class_names):,} different "
        f"labels{unknown}. {_examples(file.examples)}"
    )


def _of_folders(images: ImageSet) -> str:
    rows = images.labelled.nonzero()[0]
    first = [(str(images.ids[row]), (images.class_names[images.labels[row]],)) for row in rows[:EXAMPLES]]
    return (
        f"the names of the sub-folders. {len(rows):,} of {len(images):,} images are labelled, with "
        f"{len(images.class_names):,} different labels. {_examples(first)}"
    )


def _examples(examples) -> str:
    return "; ".join(f"{plain(name)} → {plain(', '.join(labels))}" for name, labels in examples[:EXAMPLES]) + "."


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


@st.cache_data(max_entries=8, show_spinner="Reading the labels …")
def _recognised(fingerprint: str, path: str, stamp: int, _images: ImageSet) -> LabelFile:
    return recognise(Path(path), _images.ids)
