"""What the form's settings meet on this machine: the images, the server of a backbone; each problem by its field."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from transclipped.config import EMBEDDINGS, IDENTITY, DataConfig, RunConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split, draw
from transclipped.errors import InputError
from transclipped.flags import BUNDLED, SIZED
from transclipped.models import zoo
from transclipped.training.defaults import check
from transclipped.ui import access, cached
from transclipped.ui.datasets import cached as datasets_cached
from transclipped.ui.train.words import FIELDS

ASK_AGAIN = 60  # seconds after which a server that did not answer is tried again


def look(data: DataConfig) -> tuple[ImageSet, Split]:
    """The images that were named, and how they are split.

    Raises:
        InputError: they, their labels or the split cannot be had; its `setting` is the field to change.
    """
    _look_at_paths(data)
    data = access.allowed(data)
    whole = replace(data, split=None, validation=0, train_limit=None, query_limit=None, database_limit=None)
    try:  # bundled images are those that the other pages show; others may have changed
        bundled = data.dataset in BUNDLED
        images = cached.images(cached.named_data(data)) if bundled else datasets_cached.opened(whole)
    except InputError as error:
        labels = data.labels is not None and data.labels in str(error)
        raise InputError(str(error), setting=error.setting or ("data.labels" if labels else "data.data")) from error
    return images, draw(images, data)


def problems(config: RunConfig) -> dict[str, str]:
    """What keeps these settings from training, by setting, in the words of the form."""
    found = {}
    try:
        images, split = look(config.data)
        check(config, images, split, chosen=SIZED)
    except InputError as error:
        found[error.setting or "data.data"] = _in_words(error)
    if said := _backbone_problem(config):
        found["backbone.name"] = said
    return found


def _look_at_paths(data: DataConfig) -> None:
    if data.dataset in BUNDLED:
        return
    file = data.dataset == EMBEDDINGS
    kind = "file of your embeddings" if file else "folder of your images"
    if data.data is None:
        raise InputError(f"Name the {kind}.", setting="data.data")
    path = access.readable(data.data)
    if not (path.is_file() if file else path.is_dir()):
        raise InputError(
            f"{data.data} is not a {'file' if file else 'folder'}, or is gone (moved, renamed, unplugged?); name the "
            f"{kind}.",
            setting="data.data",
        )
    if data.labels is not None and not access.readable(data.labels).exists():
        raise InputError(f"{data.labels} is not there; correct it, or leave the labels out.", setting="data.labels")


def _backbone_problem(config: RunConfig) -> str:
    from transclipped.models import custom as own

    backbone = config.backbone
    if backbone.name in (*zoo.BUNDLED, *own.BACKBONES, IDENTITY) or backbone.weights:
        return ""
    return _weights_problem(backbone.name)


@st.cache_data(ttl=ASK_AGAIN, max_entries=32, show_spinner="Looking for the backbone's weights …")
def _weights_problem(name: str) -> str:
    from transclipped.models.backbone import check_weights

    try:
        check_weights(name)
    except InputError as error:
        return str(error)
    return ""


def _in_words(error: InputError) -> str:
    """A message of the library, with the label of its field instead of the setting."""
    said = str(error)
    if error.setting in FIELDS:
        said = said.replace(f"{error.setting} is", f"“{FIELDS[error.setting]}” is")
    return said
