"""Searches a trained run's database, or a collection that it encoded, for the most similar images.

A score is linear in the query, so several images are searched at once by the mean of their embeddings: each hit's score
is the mean of its scores for the single images.
"""

import html
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from transclipped.config import IDENTITY, DataConfig
from transclipped.datasets.images import thumbnails
from transclipped.datasets.images.decode import data_address, fitted, open_image, square, to_png
from transclipped.datasets.labels.names import Names
from transclipped.datasets.registry import load, paths
from transclipped.datasets.views import render
from transclipped.errors import InputError
from transclipped.models.head import embed_in_batches
from transclipped.models.precision import inference
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.ties import tied_first
from transclipped.runs.opened import Run, directory_of
from transclipped.runs.run import RunDir
from transclipped.runs.session import trained_model
from transclipped.search.collection import paths_of, record_of

SIDE = 96  # pixels of an image in a notebook


@dataclass(frozen=True)
class Hit:
    """A hit: rank, row and id in the database, score in [-1, 1], and contribution of each codebook to it.

    path: of its file, which may be missing by now; None if images are not files, or their folder is unknown.
    """

    rank: int
    row: int
    id: int | str
    score: float
    labels: list[str]
    by_codebook: list[float]
    path: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class HitList(list[Hit]):
    """Hits in the data set `data`, best first; a notebook shows them with their images."""

    def __init__(self, hits: Iterable[Hit], *, data: DataConfig) -> None:
        super().__init__(hits)
        self._data = data

    @property
    def ids(self) -> list[int | str]:
        return [hit.id for hit in self]

    @property
    def scores(self) -> list[float]:
        return [hit.score for hit in self]

    @property
    def labels(self) -> list[list[str]]:
        return [hit.labels for hit in self]

    def _repr_html_(self) -> str:
        images = None if all(hit.path for hit in self) else load(self._data)
        rows = {} if images is None else {identity: row for row, identity in enumerate(images.ids.tolist())}
        cells = []
        for hit in self:
            try:
                image = thumbnails.small(Path(hit.path)) if hit.path else images.preview(rows[hit.id], side=SIDE)
                tag = f'<img src="{data_address(to_png(square(image, SIDE)), "image/png")}" alt="">'
            except (InputError, KeyError, NotImplementedError):  # missing by now, or embeddings without images
                tag = ""
            text = html.escape(f"{hit.rank}. {', '.join(hit.labels) or hit.id}")
            cells.append(f"<td>{tag}<br>{text}<br>{hit.score:.3f}</td>")
        return f"<table><tr>{''.join(cells)}</tr></table>"


class Searcher:
    """Searches the database of a run, or a collection that the run encoded.

    Args:
        run: trained; or its folder, or the name of a bundled one.
        collection: folder made by `encode_folder`, None for the run's own database.
        stored: the run's arrays, if already loaded.

    Raises:
        InputError: a file is missing, damaged, or another run encoded the collection.

    Examples:
        The three items of a bundled run most similar to its item 0:

        >>> searcher = tc.Searcher("hybrid-cifar10-32-clipped")
        >>> hits = searcher.search(0, top=3)
        >>> len(hits.ids), hits.scores == sorted(hits.scores, reverse=True)
        (3, True)
        >>> hits == searcher.search(searcher.item("0"), top=3)
        True
    """

    def __init__(
        self,
        run: Run | RunDir | str | os.PathLike,
        *,
        collection: str | os.PathLike | None = None,
        stored: Retrieval | None = None,
    ) -> None:
        run, collection = directory_of(run), None if collection is None else Path(collection)
        self.run, self.collection = run, collection
        if collection is None:
            self.about, self.stored = run.record, stored or run.retrieval()
        else:
            codewords = run.head().quantizer.codewords().detach().numpy()
            self.about = record_of(collection, codewords, run=run.path)
            self.stored = Retrieval.load(collection / "retrieval.npz")
        self.index = PQIndex(self.stored.codebooks, self.stored.codes)

    @cached_property
    def model(self):
        """Backbone and head, read-only; loaded for the first image, since stored queries need neither."""
        return trained_model(self.run, default_size=self.run.record.get("image_size"))

    @cached_property
    def _names(self) -> tuple[Names, Names]:
        """Rows by name, of queries and of items."""
        return Names(self.stored.query_ids.tolist()), Names(self.stored.database_ids.tolist())

    @property
    def class_names(self) -> list[str]:
        return self.about.get("class_names", [])

    def embed(self, images: list[Image.Image]) -> np.ndarray:
        """Continuous embeddings `[Q, D]` float32 of images. Raises InputError if the run has no backbone for images."""
        if self.run.config.backbone.name == IDENTITY:
            raise InputError(
                f"{self.run.path} was trained on imported embeddings and cannot encode images; "
                "search with one of its items instead"
            )
        backbone, head = self.model
        options = {"native_size": self.about.get("native_size"), "framed": backbone.framed}
        arrays = [np.asarray(fitted(image, backbone.image_size, **options)) for image in images]
        pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        with inference(torch.device("cpu")):
            features = backbone(render(pixels, None, size=backbone.image_size, mean=backbone.mean, std=backbone.std))
        return embed_in_batches(head, features.half().numpy())[0].numpy()

    def item(self, name: str) -> np.ndarray:
        """Embedding `[D]` of a stored query, or of a database item by its code. Raises InputError for an unknown id."""
        queries, items = self._names
        if (row := queries.find(name)) is not None:
            return self.stored.queries[row].astype(np.float32)
        if (row := items.find(name)) is not None:
            return decode(self.stored.codebooks, self.stored.codes[row : row + 1])[0]
        raise InputError(f"no query and no item has the id {name!r}; ids look like {self.stored.database_ids[0]}")

    def search(
        self, query: np.ndarray | Image.Image | str | os.PathLike | int, *, top: int = 10, first: Iterable[str] = ()
    ) -> HitList:
        """The `top` items most similar to a query, best first.

        Args:
            query: a continuous embedding `[D]`, an image, its file, or the id of a stored query or item. A text is a
                file where there is one of this name, else an id.
            first: ids of items that precede others of the same score, such as the query itself.

        Raises:
            InputError: the file is no image, or nothing has this id.
        """
        if not isinstance(query, np.ndarray):
            query = self._embedding(query)
        best = self.index.search(query[None], top)
        rows = [row for name in first if (row := self._names[1].find(name)) is not None]
        ranking = tied_first(best.rows[0], best.scores[0], self.stored.codes, rows)
        return HitList(self.hits(query, *ranking), data=self.run.config.data)

    def _embedding(self, query: Image.Image | str | os.PathLike | int) -> np.ndarray:
        if isinstance(query, os.PathLike) or (isinstance(query, str) and Path(query).is_file()):
            query = open_image(query)
        return self.embed([query])[0] if isinstance(query, Image.Image) else self.item(str(query))

    def hits(self, query: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> list[Hit]:
        """Ranked rows `[k]` of the database with their scores `[k]`, for `query` `[D]`."""
        parts = self.index.explain(query, rows)  # [k, M]
        return [
            Hit(
                rank=rank,
                row=int(row),
                id=self.stored.database_ids[row].item(),
                score=float(score),
                labels=label_names(self.stored.database_labels, int(row), self.class_names),
                by_codebook=[float(p) for p in part],
                path=self._path(int(row)),
            )
            for rank, (row, score, part) in enumerate(zip(rows, scores, parts, strict=True), start=1)
        ]

    @cached_property
    def _paths(self) -> list[str | None]:
        return paths_of(self.collection)

    @cached_property
    def _place(self) -> Callable[[str], Path | None]:
        return paths(self.run.config.data)

    def _path(self, row: int) -> str | None:
        if self.collection is not None:
            return self._paths[row]
        path = self._place(str(self.stored.database_ids[row]))
        return None if path is None else path.as_posix()


def label_names(labels: np.ndarray | None, row: int, names: list[str]) -> list[str]:
    """Names of a row's labels in `[N]` or `[N, L]`; empty without labels."""
    if labels is None:
        return []
    ones = np.flatnonzero(labels[row]) if labels.ndim == 2 else [int(labels[row])]
    return [names[i] if i < len(names) else str(i) for i in ones if i >= 0]
