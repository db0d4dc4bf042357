"""Checks of the form's settings against this machine: images, labels, split and backbone; each problem by its field."""

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

RETRY = 60  # seconds after which a server that did not respond is tried again


def load_split(data: DataConfig) -> tuple[ImageSet, Split]:
    """The configured images and their split; an InputError names the field to change in its `setting`."""
    _check_paths(data)
    data = access.allowed(data)
    whole = replace(data, split=None, validation=0, train_limit=None, query_limit=None, database_limit=None)
    try:  # other pages share bundled images; others may have changed
        bundled = data.dataset in BUNDLED
        images = cached.images(cached.named_data(data)) if bundled else datasets_cached.opened(whole)
    except InputError as error:
        labels = data.labels is not None and data.labels in str(error)
        raise InputError(str(error), setting=error.setting or ("data.labels" if labels else "data.data")) from error
    return images, _drawn(data, images) if bundled and data.split is None else draw(images, data)


@st.cache_resource(max_entries=16, show_spinner=False)  # read-only; the form needs it three times in a run
def _drawn(data: DataConfig, _images: ImageSet) -> Split:
    return draw(_images, data)


def problems(config: RunConfig) -> dict[str, str]:
    """What prevents a training with these settings, by setting; sentences name the fields of the form."""
    from transclipped.models import custom

    result = {}
    try:
        images, split = load_split(config.data)
        check(config, images, split, chosen=SIZED)
    except InputError as error:
        setting = error.setting or "data.data"
        result[setting] = str(error).replace(f"{setting} is", f"“{FIELDS.get(setting, setting)}” is")
    name = config.backbone.name
    local = name in (*zoo.BUNDLED, *custom.BACKBONES, IDENTITY) or config.backbone.weights
    if not local and (problem := _weights_problem(name)):
        result["backbone.name"] = problem
    return result


def _check_paths(data: DataConfig) -> None:
    if data.dataset in BUNDLED:
        return
    file = data.dataset == EMBEDDINGS
    kind = "file of your embeddings" if file else "folder of your images"
    if data.data is None:
        raise InputError(f"Name the {kind}.", setting="data.data")
    path = access.readable(data.data)
    if not (path.is_file() if file else path.is_dir()):
        raise InputError(
            f"{data.data} is not a {'file' if file else 'folder'} or no longer exists (moved, renamed, unplugged?); "
            f"name the {kind}.",
            setting="data.data",
        )
    if data.labels is not None and not access.readable(data.labels).exists():
        raise InputError(f"{data.labels} does not exist; correct the path or leave it empty.", setting="data.labels")


@st.cache_data(ttl=RETRY, max_entries=32, show_spinner="Looking for the backbone's weights …")
def _weights_problem(name: str) -> str:
    from transclipped.models.backbone import check_weights

    try:
        check_weights(name)
    except InputError as error:
        return str(error)
    return ""
