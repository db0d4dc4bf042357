"""What pipelines read: the images of a data set by role, vectors, or what a trained run has stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import ArraySet, ImageSet, fingerprint
from transclipped.datasets.images.decode import square
from transclipped.datasets.protocols import Split, draw
from transclipped.datasets.registry import load
from transclipped.datasets.sampling import sample
from transclipped.errors import InputError
from transclipped.retrieval.checks import rows as checked
from transclipped.retrieval.line import Step
from transclipped.retrieval.stages import Features
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher, label_names

OUTSIDE = 2000  # images of another data set, for whitening that needs some


class ImageSource:
    """Images of a data set and a split of them."""

    def __init__(self, images: ImageSet, split: Split, about: dict[str, Any] | None = None) -> None:
        self.images, self.split, self.about = images, split, about or {}
        self._features: dict[tuple[str, str], Features] = {}

    @cached_property
    def outside(self) -> tuple[ImageSet, np.ndarray]:
        """Another data set, and the rows of it that are used."""
        images = load(DataConfig(dataset="cifar10" if self.images.name != "cifar10" else "caltech101"))
        rows = images.roles(images.protocols[0], seed=0).train
        return images, sample(rows, OUTSIDE, seed=0, purpose="outside")

    def part(self, block: str) -> tuple[ImageSet, np.ndarray, int]:
        """Images, rows and view of a block."""
        if block == "outside":
            return *self.outside, 0
        role, _, view = block.partition(":")
        return self.images, getattr(self.split, "train" if role == "view" else role), int(view or 0)

    def features(self, step: Step | None, images: ImageSet) -> Features:
        if step is None:
            raise InputError(
                "this pipeline begins with vectors; for images begin with a features stage: hybrid-vit | …"
            )
        name = (str(step), images.fingerprint)
        if name in self._features:
            return self._features[name]
        training = [(self.images, self.split.train)] if "training" in step.stage.needs else []
        features = step.stage.function(images, *training, **dict(step.options))
        if not getattr(images, "transient", False):
            self._features[name] = features
        return features

    def key(self, step: Step | None, block: str) -> str:
        images, rows, view = self.part(block)
        content = f"{images.fingerprint} {self.features(step, images).fingerprint} {view} ".encode()
        return hashlib.sha256(content + np.asarray(rows, "<i8").tobytes()).hexdigest()[:16]

    def vectors(self, step: Step | None, block: str) -> np.ndarray:
        images, rows, view = self.part(block)
        return self._joined(self.features(step, images).batches(rows, view=view))

    def maps(self, step: Step, block: str) -> Iterable[np.ndarray]:
        images, rows, view = self.part(block)
        return self.features(step, images).batches(rows, view=view)

    def of(self, step: Step | None, query: Any) -> Iterable[np.ndarray] | np.ndarray:
        """Features of one image of the data set, by id, or of images from elsewhere."""
        if isinstance(query, np.ndarray):
            raise InputError("this pipeline searches with images; give an image, a file or the id of one")
        if isinstance(query, str | int | np.integer):
            images, rows = self.images, np.array([self.images.row_of(query)])
        else:
            images = Uploaded(query if isinstance(query, list | tuple) else [query], like=self.images, step=step)
            rows = np.arange(len(images))
        batches = self.features(step, images).batches(rows)
        return batches if step.stage.gives == "maps" else self._joined(batches)

    def labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Of queries and database."""
        labels = self.images.labels
        return None if labels is None else (labels[self.split.query], labels[self.split.database])

    def label_of(self, query: Any) -> np.ndarray | None:
        """Labels `[1]` or `[1, L]` of an image of the data set."""
        known = isinstance(query, str | int | np.integer) and self.images.labels is not None
        row = self.images.find(query) if known else None
        return None if row is None else self.images.labels[[row]]

    def item_of(self, query: str | int) -> int | None:
        """Row of the database of an id; None if it is not of the database."""
        row = self.images.find(query)
        return _first(self.split.database == row) if row is not None else None

    @property
    def default_k(self) -> int:
        return self.images.default_k

    def facts(self) -> dict[str, Any]:
        """What a result is of."""
        split = self.split
        sizes = {"n_queries": len(split.query), "n_database": len(split.database)}
        validation = self.about.get("validation", 0)
        return {
            "data": self.images.name,
            "fingerprint": self.images.fingerprint,
            "protocol": f"{split.protocol}, validation" if validation else split.protocol,
            "seed": split.seed,
            **sizes,
        }

    def described(self, row: int) -> tuple[Any, list[str]]:
        """Id and labels of an item of the database."""
        row = int(self.split.database[row])
        return self.images.ids[row].item(), label_names(self.images.labels, row, list(self.images.class_names))

    @staticmethod
    def _joined(batches: Iterable[np.ndarray]) -> np.ndarray:
        parts = [np.asarray(batch, np.float32) for batch in batches]
        return np.concatenate(parts) if parts else np.zeros((0, 1), np.float32)


class Uploaded(ArraySet):
    """Images from elsewhere, cut and scaled as those of a data set."""

    transient = True

    def __init__(self, uploaded: list[Image.Image], *, like: ImageSet, step: Step) -> None:
        side = like.native_size or dict(step.options).get("size") or like.default_size
        pixels = np.stack([np.asarray(square(image.convert("RGB"), side)) for image in uploaded]).transpose(0, 3, 1, 2)
        super().__init__(
            pixels=pixels,
            name="uploaded",
            ids=np.arange(len(pixels)),
            labels=None,
            class_names=(),
            fingerprint=fingerprint(pixels.tobytes()),
            default_k=like.default_k,
            default_size=like.default_size,
        )


class VectorSource:
    """Vectors of a database, which also train the pipeline, and of queries."""

    def __init__(
        self,
        database: np.ndarray,
        queries: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        query_labels: np.ndarray | None = None,
    ) -> None:
        database = checked(database, name="database vectors")
        queries = database[:0] if queries is None else checked(queries, name="queries")
        self.blocks = {"train": database, "database": database, "query": queries}
        self.about: dict[str, Any] = {}
        self._keys = {block: fingerprint(array.tobytes()) for block, array in self.blocks.items()}
        self._labels = None if labels is None or query_labels is None else (query_labels, labels)
        self.default_k = len(database)

    def key(self, step: Step | None, block: str) -> str:
        return self._keys.get(block, "")

    def vectors(self, step: Step | None, block: str) -> np.ndarray:
        if step is not None:
            raise InputError(f"{step.name} computes features of images, but this pipeline gets vectors; leave it out")
        if block not in self.blocks:
            raise InputError("vectors have no augmented views and no other data set; choose another stage, or images")
        return self.blocks[block]

    def maps(self, step: Step, block: str) -> Iterable[np.ndarray]:
        raise InputError(f"{step.name} computes maps of images, but this pipeline gets vectors; leave it out")

    def of(self, step: Step | None, query: Any) -> np.ndarray:
        if not isinstance(query, np.ndarray):
            raise InputError("this pipeline searches with vectors [Q, D]; for images begin with a features stage")
        return checked(np.atleast_2d(query), name="queries")

    def labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        return self._labels

    def label_of(self, query: Any) -> None:
        return None

    def described(self, row: int) -> tuple[Any, list[str]]:
        return row, []

    def facts(self) -> dict[str, Any]:
        sizes = {"n_queries": len(self.blocks["query"]), "n_database": len(self.blocks["database"])}
        return {"data": "vectors", "protocol": None, "seed": None, **sizes}


class RunSource:
    """Codes and queries that a trained run has stored: a line that begins with `run:NAME` encodes no image."""

    def __init__(self, run: RunDir, *, query_limit: int | None = None) -> None:
        self.searcher = Searcher(run)
        self.stored, self.run = self.searcher.stored, run
        self.about = {"data": asdict(run.config.data), "validation": 0}
        rows = np.arange(len(self.stored.queries))
        self.rows = rows if query_limit is None else sample(rows, query_limit, seed=0, purpose="limit query")
        queries = self.stored.queries[self.rows].astype(np.float16)  # half precision marks embeddings of the head
        self.blocks = {"train": self.stored.codes, "database": self.stored.codes, "query": queries}
        self._keys = {block: fingerprint(np.ascontiguousarray(array).tobytes()) for block, array in self.blocks.items()}
        self.default_k = (run.metrics() or {}).get("k") or 1000

    def of(self, step: Step | None, query: Any) -> np.ndarray:
        if isinstance(query, np.ndarray):
            return np.atleast_2d(query)
        if isinstance(query, str | int | np.integer):
            return self.searcher.item(str(query))[None].astype(np.float16)
        return self.searcher.embed(query if isinstance(query, list) else [query]).astype(np.float16)

    def labels(self) -> tuple[np.ndarray, np.ndarray] | None:
        stored = self.stored
        return None if stored.database_labels is None else (stored.query_labels[self.rows], stored.database_labels)

    def label_of(self, query: Any) -> np.ndarray | None:
        if self.stored.query_labels is None:
            return None
        rows = np.flatnonzero(self.stored.query_ids.astype(str) == str(query))
        return self.stored.query_labels[rows[:1]] if len(rows) else None

    def item_of(self, query: str | int) -> int | None:
        """As of `ImageSource`."""
        return _first(self.stored.database_ids.astype(str) == str(query))

    def facts(self) -> dict[str, Any]:
        data, sizes = (
            self.run.config.data,
            {"n_queries": len(self.rows), "n_database": len(self.stored.codes)},
        )
        return {"data": data.dataset, "protocol": data.protocol, "seed": data.seed, **sizes}

    def described(self, row: int) -> tuple[Any, list[str]]:
        stored = self.stored
        return stored.database_ids[row].item(), label_names(stored.database_labels, row, self.searcher.class_names)

    def key(self, step: Step | None, block: str) -> str:
        return self._keys.get(block, "")

    def vectors(self, step: Step | None, block: str) -> np.ndarray:
        return self.blocks[block]

    def maps(self, step: Step, block: str) -> Iterable[np.ndarray]:
        raise InputError("a line that begins with a run has no maps")


def _first(marked: np.ndarray) -> int | None:
    """Row of the first mark in `[n]` bool."""
    return int(marked.argmax()) if marked.any() else None


def held_out(split: Split, n: int, *, seed: int = 0) -> Split:
    """Training images measured against the other training images, so that queries play no part in choosing."""
    if not 1 <= n < len(split.train):
        raise InputError(f"--validation is {n}, but there are {len(split.train)} training images; choose fewer")
    query = sample(split.train, n, seed=seed, purpose="pipeline validation")
    rest = np.setdiff1d(split.train, query)
    return Split(train=rest, query=query, database=rest, validation=query[:0], protocol=split.protocol, seed=split.seed)


def images_of(config: DataConfig, *, validation: int = 0) -> ImageSource:
    """The source of a data set, or of its training images if some are held out."""
    images = load(config)
    split = draw(images, config)
    about = {"data": asdict(config), "validation": validation}
    return ImageSource(images, held_out(split, validation) if validation else split, about)
