"""What a pipeline on the page searches: the data set of its run, or a bundled one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.source import ImageSource, RunSource, images_of
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.retrieval.chain import Store
from transclipped.retrieval.line import Line, Step
from transclipped.runs.opened import BUNDLED, directory_of
from transclipped.runs.run import RunDir
from transclipped.search.searcher import label_names
from transclipped.ui import access, cached

CALTECH, CIFAR, COLLAGE, WALK = "caltech101", "cifar10", "collage", "walk"
CONFIGS = {
    CALTECH: DataConfig(dataset="caltech101"),
    CIFAR: DataConfig(dataset="cifar10", train_limit=5000, database_limit=5000, query_limit=200),
    COLLAGE: DataConfig(dataset="collage"),
    WALK: DataConfig(dataset="walk"),
}
NAMES = {CALTECH: "Caltech-101", CIFAR: "CIFAR-10, a part", COLLAGE: "Collages", WALK: "A walk"}
AT_ONCE = 5000  # items of a run whose codes are ranked without asking
STORES = 4  # data sets and runs whose outputs stay in memory


@dataclass(frozen=True)
class Place:
    """Where a line searches.

    Attributes:
        key: changes with the content. run: whose codes are searched; None for the images of `config`.
    """

    key: str
    config: DataConfig
    run: RunDir | None

    @property
    def at_once(self) -> bool:
        """Whether ranking needs no features and is quick."""
        return self.run is not None and len(cached.arrays(self.run).codes) <= AT_ONCE

    @property
    def images(self):
        """The image set behind ids."""
        return cached.images(cached.named_data(self.config))


def place_of(line: Line, name: str) -> Place:
    """Where a line searches; `name` is a key of `CONFIGS`, for lines that begin with features.

    Raises:
        InputError: a run of the line does not exist, or the visitor may not open it.
    """
    first = line.steps[0]
    if not first.branches and first.stage.kind not in ("features", "coding"):
        raise InputError(f"{first.name} takes vectors; on this page begin with features, such as hybrid-vit, or a run")
    named = {dict(step.options)["name"]: _run(step) for step in _steps(line) if step.name == "run"}
    prints = " ".join(run.fingerprint for run in named.values())
    if first.name == "run":
        run = named[dict(first.options)["name"]]
        return Place(prints, run.config.data, run)
    if not first.branches and first.stage.kind == "coding":
        raise InputError(f"{first.name} takes vectors; on this page begin with features, such as hybrid-vit, or a run")
    return Place(f"{name} {prints}", CONFIGS[name], None)


def _steps(line: Line) -> Iterator[Step]:
    for step in line.steps:
        for branch in step.branches:
            yield from branch.steps
        yield step


def _run(step: Step) -> RunDir:
    """A run by its name; a folder, if the visitor may read it."""
    name = str(dict(step.options)["name"])
    if not (BUNDLED / name / "config.json").exists() or "/" in name or name.startswith("."):
        access.readable(name)
    return directory_of(name)


@st.cache_resource(max_entries=STORES, show_spinner="Opening the images …")
def source(key: str, _place: Place) -> ImageSource | DataConfig:
    """What `Pipeline.fit` takes."""
    return _place.config if _place.run is not None else images_of(_place.config)


@st.cache_resource(max_entries=STORES, show_spinner=False)
def store(key: str) -> Store:
    """Outputs of stages, of one place: a long computation elsewhere does not hold it."""
    return DiskStore()


def fitted(line: str, place: Place) -> Pipeline:
    """A pipeline, ready to search."""
    return Pipeline(line).fit(source(place.key, place), store=store(place.key))


def query_ids(pipeline: Pipeline) -> list[Any]:
    """Ids of the queries that have labels to judge by."""
    of = pipeline.source
    if isinstance(of, RunSource):
        return np.asarray(of.stored.query_ids)[of.rows].tolist()
    return np.asarray(of.images.ids)[of.split.query].tolist()


def labels_of(place: Place, identity: object) -> list[str]:
    """Class names of an image of the data set."""
    row = place.images.find(identity)
    return [] if row is None else label_names(place.images.labels, row, list(place.images.class_names))
