"""A trained run put to work: find the most similar pictures of its database, or of a collection that it encoded.

A score is linear in the query, so several pictures ask at once by the mean of their embeddings: each hit's score
is the mean of its scores for the single pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from transclipped.config import IDENTITY
from transclipped.datasets.images.decode import square
from transclipped.datasets.labels.names import Names
from transclipped.datasets.registry import paths
from transclipped.datasets.views import render
from transclipped.errors import InputError
from transclipped.models.head import embed_in_batches
from transclipped.models.precision import inference
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.runs.session import trained_model
from transclipped.search.collection import paths_of, record_of


@dataclass(frozen=True)
class Hit:
    """One found picture: its place, row and id in the database, score in [-1, 1], what each codebook gave to it.

    path: of its file, which may be gone since; None where pictures are not files, or nobody can tell where they lie.
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


class Searcher:
    """Searches the database of a run, or a collection that the run encoded.

    Args:
        run: trained.
        collection: folder made by `encode_folder`, None for the run's own database.
        stored: what the run stores, if it has been read already.

    Raises:
        InputError: a file is missing, damaged, or the collection is another run's.
    """

    def __init__(self, run: RunDir, *, collection: Path | None = None, stored: Retrieval | None = None) -> None:
        self.run, self.collection = run, collection
        self.about = run.record if collection is None else _record(collection, run)
        if collection is None:
            self.stored = stored or run.retrieval()
        else:
            self.stored = Retrieval.load(collection / "retrieval.npz")
        self.index = PQIndex(self.stored.codebooks, self.stored.codes)

    @cached_property
    def model(self):
        """Backbone and head, read-only; loaded when the first picture comes, since stored queries need neither."""
        return trained_model(self.run, default_size=self.run.record.get("image_size"))

    @cached_property
    def _names(self) -> tuple[Names, Names]:
        """Rows by name, of queries and of items."""
        return Names(self.stored.query_ids.tolist()), Names(self.stored.database_ids.tolist())

    @property
    def class_names(self) -> list[str]:
        return self.about.get("class_names", [])

    def embed(self, pictures: list[Image.Image]) -> np.ndarray:
        """Continuous embeddings `[Q, D]` float32 of pictures, seen as the database's were.

        Raises:
            InputError: the run was trained on embeddings made elsewhere.
        """
        if self.run.config.backbone.name == IDENTITY:
            raise InputError(
                f"{self.run.path} was trained on embeddings made elsewhere and cannot look at pictures; "
                "ask with one of its items instead"
            )
        backbone, head = self.model
        size = self.about.get("native_size") or backbone.image_size
        pixels = torch.from_numpy(np.stack([np.asarray(square(p, size)) for p in pictures])).permute(0, 3, 1, 2)
        with inference(torch.device("cpu")):
            features = backbone(render(pixels, None, size=backbone.image_size, mean=backbone.mean, std=backbone.std))
        return embed_in_batches(head, features.half().numpy())[0].numpy()

    def item(self, name: str) -> np.ndarray:
        """Embedding `[D]` of a stored query, or of a database item as its code remembers it, by id.

        Raises:
            InputError: neither has this id.
        """
        queries, items = self._names
        if (row := queries.find(name)) is not None:
            return self.stored.queries[row].astype(np.float32)
        if (row := items.find(name)) is not None:
            return decode(self.stored.codebooks, self.stored.codes[row : row + 1])[0]
        raise InputError(f"no query and no item has the id {name!r}; ids look like {self.stored.database_ids[0]}")

    def search(self, query: np.ndarray, *, top: int) -> list[Hit]:
        """The `top` items most similar to a continuous embedding `[D]`, best first."""
        found = self.index.search(query[None], top)
        return self.hits(query, found.rows[0], found.scores[0])

    def hits(self, query: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> list[Hit]:
        """Ranked rows `[k]` of the database with their scores `[k]`, found for `query` `[D]`."""
        parts = self.index.explain(query, rows)  # [k, M]
        return [
            Hit(
                rank=rank,
                row=int(row),
                id=self.stored.database_ids[row].item(),
                score=float(score),
                labels=self._labels(int(row)),
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

    def _labels(self, row: int) -> list[str]:
        return label_names(self.stored.database_labels, row, self.class_names)


def _record(collection: Path, run: RunDir) -> dict[str, Any]:
    return record_of(collection, run.head().quantizer.codewords().detach().numpy(), run=run.path)


def label_names(labels: np.ndarray | None, row: int, names: list[str]) -> list[str]:
    """Names of a row's labels in `[N]` or `[N, L]`; empty without labels."""
    if labels is None:
        return []
    ones = np.flatnonzero(labels[row]) if labels.ndim == 2 else [int(labels[row])]
    return [names[i] if i < len(names) else str(i) for i in ones if i >= 0]
