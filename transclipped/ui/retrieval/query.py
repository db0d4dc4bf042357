"""What is asked on the Retrieval page, with which images, and where."""

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
from transclipped.ui.components.intake import Brought
from transclipped.ui.retrieval import cached as found

COLLECTED = "collected "  # begins the key of a collection's image, whose id may also be one of the run's


@dataclass(frozen=True)
class Part:
    """One image of a question.

    Attributes:
        key: names its content, or its place in the data set.
        name: for people.
        labels: names, empty where nobody knows them.
        shown: for the browser; None where there is nothing to see.
        image: opens it, to be embedded.
        identity: id in the data set or collection; None for a visitor's own.
    """

    key: str
    name: str
    labels: list[str]
    shown: gallery.EncodedImage | None
    image: Callable[[], Image.Image]
    identity: str | None = None


@dataclass(frozen=True)
class Question:
    """Images that ask together by the mean of their embeddings `[D]`.

    number: of the stored query, if that alone asks.
    """

    parts: list[Part]
    embedding: np.ndarray
    number: int | None = None

    @property
    def key(self) -> str:
        """Names its images by their content or place."""
        return "\n".join(part.key for part in self.parts)

    @property
    def labels(self) -> list[str]:
        """Every label of its images, once; empty unless those of all images are known."""
        if not all(part.labels for part in self.parts):
            return []
        return list(dict.fromkeys(label for part in self.parts for label in part.labels))

    def names(self, where: Place) -> set[str]:
        """Ids that its images would have as hits; without those that come from elsewhere than where is searched."""
        own = (part for part in self.parts if part.key.startswith(COLLECTED) != where.is_own)
        return {part.identity for part in own if part.identity is not None}


@dataclass(frozen=True)
class Place:
    """Where is searched: a run's own database, or a collection that it encoded.

    Attributes:
        own: searcher of the run; `engine` that of the database searched, often the same.
        key: changes with what is searched.
    """

    run: RunDir
    own: Searcher
    engine: Searcher
    key: str

    @property
    def data(self) -> tuple:
        """Names the run's image set, see `cached.run_data`."""
        return cached.run_data(self.run)

    @property
    def is_own(self) -> bool:
        """Whether the run's own database is searched."""
        return self.engine is self.own

    def row(self, name: str) -> int | None:
        """Row in the run's image set, None if no image there has this id."""
        return cached.images(self.data).find(name)

    def shown(self, hit: Hit) -> gallery.EncodedImage | None:
        """Image of a hit; None where it is gone or never was one."""
        if not self.is_own:
            return gallery.of_path(hit.path) if hit.path else None
        row = self.row(str(hit.id))
        try:
            return None if row is None else gallery.of_row(self.data, row)
        except InputError:
            return None


def place(run: RunDir, folder: str | None) -> Place:
    """Searchers of a run and, if `folder` names one, of a collection.

    Raises:
        InputError: a file of the run is missing, or the folder is no collection of this run.
    """
    own = cached.engine(run.fingerprint, run)
    if not folder:
        return Place(run, own, own, run.fingerprint)
    path = Path(folder).expanduser()
    try:
        stamp = (path / "collection.json").stat().st_mtime_ns
    except OSError:
        raise InputError(
            f"{folder} is no collection: it has no collection.json. Make one by "
            f"`python -m transclipped encode IMAGES --run {run.path} --out {folder}`, or search the run's database"
        ) from None
    engine = found.collection(run.fingerprint, str(path.resolve()), stamp, run)
    return Place(run, own, engine, f"{run.fingerprint} {path.resolve()} {stamp}")


def question(where: Place, parts: list[Part], *, number: int | None = None) -> Question:
    """Embed images and take their mean.

    Raises:
        InputError: the network is missing, or an image cannot be opened.
    """
    vectors = [vector(where, part) for part in parts]
    return Question(parts, np.mean(vectors, axis=0, dtype=np.float32), number)


def vector(where: Place, part: Part) -> np.ndarray:
    """Continuous embedding `[D]` of one image: stored, computed, or, without a network, what its code tells."""
    if part.identity is not None and not part.key.startswith(COLLECTED):
        rows = np.flatnonzero(where.own.stored.query_ids.astype(str) == part.identity)
        if len(rows):
            return where.own.stored.queries[rows[0]].astype(np.float32)
    try:
        return found.embedding(where.key, part.key, where.engine, part.image)
    except InputError as error:
        try:
            return where.engine.item(part.identity or "")
        except InputError:
            raise error from None


def stored_part(where: Place, name: str) -> Part | None:
    """An image of the collection or the data set by its id; None if neither has it."""
    if not where.is_own and (part := _collected(where, name)):
        return part
    row = where.row(name)
    if row is None:
        return None
    images = cached.images(where.data)
    labels = label_names(images.labels, row, list(images.class_names))
    try:
        shown = gallery.of_row(where.data, row)
    except InputError:
        shown = None
    return Part(f"row {row}", f"image {name}", labels, shown, partial(images.image, row), name)


def own_part(brought: Brought) -> Part:
    """A visitor's image."""
    return Part(brought.digest, brought.name, [], gallery.of_image(brought.image), lambda: brought.image)


def _collected(where: Place, name: str) -> Part | None:
    engine = where.engine
    rows = np.flatnonzero(engine.stored.database_ids.astype(str) == name)
    if not len(rows):
        return None
    row = np.array([rows[0]])
    hit = engine.hits(np.zeros(engine.stored.queries.shape[1], np.float32), row, np.zeros(1, np.float32))[0]

    def image() -> Image.Image:
        from transclipped.datasets.images.decode import open_image

        if hit.path is None or "#" in hit.path:
            raise InputError(f"the collection does not tell where the image {name} is")
        return open_image(hit.path)

    return Part(COLLECTED + name, name, hit.labels, where.shown(hit), image, name)


def relevant(engine: Searcher, wanted: list[str]) -> np.ndarray | None:
    """`[N]` bool: which items of a database share a label with the question; None where nobody knows, as where the
    database has none of its labels because other people named its classes."""
    labels, names = engine.stored.database_labels, engine.class_names
    indices = [i for i, name in enumerate(names) if name in wanted]
    if labels is None or not indices:
        return None
    return has_any(labels, indices)


def tiles(where: Place, hits: list[Hit], mask: np.ndarray | None, **more) -> list[gallery.Tile]:
    """Hits as a gallery shows them; `more` are other fields of a tile, each a function of the hit."""
    shown = []
    for hit in hits:
        fits = None if mask is None else bool(mask[hit.row])
        text = gallery.caption(hit.rank, hit.labels, hit.score, fits)
        rest = {name: value(hit) for name, value in more.items()}
        shown.append(gallery.Tile(str(hit.id), where.shown(hit), text, fits, f"image {hit.id}", **rest))
    return shown
