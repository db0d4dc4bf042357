"""The query of the Retrieval page: which images, embedded how, searched for where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from transclipped.errors import InputError
from transclipped.retrieval.relevance import has_any
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Hit, Searcher, label_names
from transclipped.ui import cached
from transclipped.ui.components import gallery
from transclipped.ui.components.intake import UploadedImage
from transclipped.ui.retrieval import cached as retrieval_cached

COLLECTED = "collected "  # prefix of the key of a collection's image, whose id may equal one of the run's


@dataclass(frozen=True)
class QueryImage:
    """One image of a query.

    Attributes:
        key: identifies its content, or its row in the data set.
        name: for display.
        labels: names; empty if unknown.
        preview: for the browser; None if it cannot be read.
        image: opens it, to be embedded.
        identity: id in the data set or collection; None for an upload.
    """

    key: str
    name: str
    labels: list[str]
    preview: gallery.EncodedImage | None
    image: Callable[[], Image.Image]
    identity: str | None = None


@dataclass(frozen=True)
class Query:
    """Images with the mean of their embeddings `[D]`; `number` of the stored query, if it is that alone."""

    images: list[QueryImage]
    embedding: np.ndarray
    number: int | None = None

    @property
    def key(self) -> str:
        """Identifies its images."""
        return "\n".join(image.key for image in self.images)

    @property
    def labels(self) -> list[str]:
        """The distinct labels of its images; empty unless all images have labels."""
        if not all(image.labels for image in self.images):
            return []
        return list(dict.fromkeys(label for image in self.images for label in image.labels))

    def ids(self, target: SearchTarget) -> set[str]:
        """Ids that its images would have as hits, without images from elsewhere."""
        inside = (image for image in self.images if image.key.startswith(COLLECTED) == target.is_collection)
        return {image.identity for image in inside if image.identity is not None}


@dataclass(frozen=True)
class SearchTarget:
    """What is searched: a run's database, or a collection that it encoded.

    Attributes:
        run_searcher: of the run's database.
        searcher: of what is searched, often the same.
        key: changes with what is searched.
    """

    run: RunDir
    run_searcher: Searcher
    searcher: Searcher
    key: str

    @property
    def is_collection(self) -> bool:
        return self.searcher is not self.run_searcher

    def row(self, name: str) -> int | None:
        """Row in the run's image set, None if no image there has this id."""
        return cached.images(cached.run_data(self.run)).find(name)

    def preview(self, hit: Hit) -> gallery.EncodedImage | None:
        """Image of a hit; None if it no longer exists or never was one."""
        if self.is_collection:
            return gallery.of_path(hit.path) if hit.path else None
        return _preview(cached.run_data(self.run), self.row(str(hit.id)))


def _preview(data: tuple, row: int | None) -> gallery.EncodedImage | None:
    try:
        return None if row is None else gallery.of_row(data, row)
    except InputError:
        return None


def target(run: RunDir, folder: str | None) -> SearchTarget:
    """A run's database, or the collection in `folder`.

    Raises:
        InputError: a file of the run is missing, or the folder is not a collection of this run.
    """
    searcher = cached.engine(run.fingerprint, run)
    if not folder:
        return SearchTarget(run, searcher, searcher, run.fingerprint)
    path = Path(folder).expanduser()
    try:
        stamp = (path / "collection.json").stat().st_mtime_ns
    except OSError:
        raise InputError(
            f"{folder} is not a collection: collection.json is missing. Create one with "
            f"`python -m transclipped encode IMAGES --run {run.path} --out {folder}`, or search the run's database"
        ) from None
    path = path.resolve()
    collection = retrieval_cached.collection(run.fingerprint, str(path), stamp, run)
    return SearchTarget(run, searcher, collection, f"{run.fingerprint} {path} {stamp}")


def query(target: SearchTarget, images: list[QueryImage], *, number: int | None = None) -> Query:
    """Embed images and take their mean.

    Raises:
        InputError: the network is missing, or an image cannot be opened.
    """
    vectors = [_embedding(target, image) for image in images]
    return Query(images, np.mean(vectors, axis=0, dtype=np.float32), number)


def _embedding(target: SearchTarget, image: QueryImage) -> np.ndarray:
    """Continuous embedding `[D]` of one image: stored, computed, or, without a network, decoded from its code."""
    if image.identity is not None and not image.key.startswith(COLLECTED):
        stored = target.run_searcher.stored
        rows = np.flatnonzero(stored.query_ids.astype(str) == image.identity)
        if len(rows):
            return stored.queries[rows[0]].astype(np.float32)
    try:
        return retrieval_cached.embedding(target.key, image.key, target.searcher, image.image)
    except InputError as error:
        try:
            return target.searcher.item(image.identity or "")
        except InputError:
            raise error from None


def by_id(target: SearchTarget, name: str) -> QueryImage | None:
    """An image of the collection or the data set by its id; None if neither has it."""
    if target.is_collection and (image := _of_collection(target, name)):
        return image
    row = target.row(name)
    if row is None:
        return None
    data = cached.run_data(target.run)
    images = cached.images(data)
    labels = label_names(images.labels, row, list(images.class_names))
    return QueryImage(f"row {row}", f"image {name}", labels, _preview(data, row), partial(images.image, row), name)


def uploaded(upload: UploadedImage) -> QueryImage:
    """A visitor's image."""
    return QueryImage(upload.digest, upload.name, [], gallery.of_image(upload.image), lambda: upload.image)


def _of_collection(target: SearchTarget, name: str) -> QueryImage | None:
    searcher = target.searcher
    rows = np.flatnonzero(searcher.stored.database_ids.astype(str) == name)
    if not len(rows):
        return None
    hit = unscored_hits(searcher, rows[:1])[0]

    def image() -> Image.Image:
        from transclipped.datasets.images.decode import open_image

        if hit.path is None or "#" in hit.path:
            raise InputError(f"the collection does not store the path of image {name}")
        return open_image(hit.path)

    return QueryImage(COLLECTED + name, name, hit.labels, target.preview(hit), image, name)


def unscored_hits(searcher: Searcher, rows: np.ndarray) -> list[Hit]:
    """Items of a database by their rows, as hits of score 0."""
    m, _, d = searcher.stored.codebooks.shape
    return searcher.hits(np.zeros(m * d, np.float32), rows, np.zeros(len(rows), np.float32))


def relevant(searcher: Searcher, labels: list[str]) -> np.ndarray | None:
    """`[N]` bool: which items share a label with the query; None if the database has none of these labels."""
    indices = [i for i, name in enumerate(searcher.class_names) if name in labels]
    if searcher.stored.database_labels is None or not indices:
        return None
    return has_any(searcher.stored.database_labels, indices)


def tiles(target: SearchTarget, hits: list[Hit], mask: np.ndarray | None, **more) -> list[gallery.Tile]:
    """Hits as gallery tiles; `more` are other fields of a tile, each a function of the hit."""
    result = []
    for hit in hits:
        is_relevant = None if mask is None else bool(mask[hit.row])
        caption = gallery.caption(hit.rank, hit.labels, hit.score, is_relevant)
        fields = {name: value(hit) for name, value in more.items()}
        tile = (str(hit.id), target.preview(hit), caption, is_relevant, f"image {hit.id}")
        result.append(gallery.Tile(*tile, **fields))
    return result
