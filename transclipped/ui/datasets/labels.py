"""Labels of a visitor's own folder, as recognised: from which file, by which columns, for how many images."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.labels.files import LabelFile, beside, recognise
from transclipped.errors import InputError
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

EXAMPLES = 3
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@guarded
def section(images: ImageSet, config: DataConfig) -> None:
    """Where the labels come from, and how many images have one; nothing where there are none."""
    file = Path(config.labels) if config.labels is not None else beside(Path(config.data))
    if file is not None:
        try:
            recognised = _recognised(images.fingerprint, str(file), _stamp(file), images)
            st.caption(f"Labels from {described(recognised)}")
            return
        except InputError as error:
            st.caption(f"A file of labels lies beside the images, but cannot be used: {plain(error)}.")
    if images.labels is not None:
        st.caption(f"Labels from {_of_folders(images)}")


def described(file: LabelFile) -> str:
    """What a file of labels was recognised as, as Markdown: columns, form, how many images, examples."""
    if file.one_hot:
        form = f"one column each for {len(file.label_columns):,} labels"
    else:
        form = f"labels in the column *{plain(file.label_columns[0])}*"
        form += f", several of them between “{plain(file.separator)}”" if file.separator else ""
    between = f", cells between {DELIMITERS[file.delimiter]}" if file.delimiter in DELIMITERS else ""
    unknown = f", {len(file.unknown):,} rows name no image here" if file.unknown else ""
    return (
        f"{plain(file.path.name)}{between}: images named in the column *{plain(file.id_column)}*, {form}. "
        f"{file.n_labelled:,} of {file.n_images:,} images get a label, {len(file.class_names):,} kinds{unknown}. "
        f"{_examples(file.examples)}"
    )


def _of_folders(images: ImageSet) -> str:
    rows = images.labelled.nonzero()[0]
    first = [(str(images.ids[row]), (images.class_names[images.labels[row]],)) for row in rows[:EXAMPLES]]
    return (
        f"the names of the sub-folders. {len(rows):,} of {len(images):,} images get one, "
        f"{len(images.class_names):,} kinds. {_examples(first)}"
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
