"""Retrieval pipelines on images or vectors: fit, search, evaluate, compare prefixes, save and load."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from transclipped.config import DataConfig, from_dict
from transclipped.datasets.images.decode import open_image
from transclipped.errors import InputError
from transclipped.experiments.pipelines import features, lighting, sda, trained  # noqa: F401 - registers their stages
from transclipped.experiments.pipelines.source import ImageSource, RunSource, VectorSource, images_of
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.retrieval.chain import Chain, Fused, Store, chains, ranker
from transclipped.retrieval.index import Hits
from transclipped.retrieval.line import Line, Step, parse
from transclipped.retrieval.metrics import measure_hits
from transclipped.retrieval.relevance import relevance
from transclipped.runs.opened import directory_of

RANK = 10  # of the precision in results

Query = np.ndarray | Image.Image | str | os.PathLike | int


@dataclass(frozen=True)
class Rung:
    """A prefix of a pipeline, completed to rank, and what it finds for one query.

    Attributes:
        line: the prefix; stage: its last stage without the completion.
        hits: of the query, `[1, K]`. relevant: `[K]` bool, None without labels.
        ap, ap_r: of the query, divided by the relevant items within K, and by min(K, R); None without labels.
        map, map_r: means over the data set's queries; None if not requested.
        seconds: of this search, without features.
    """

    line: str
    stage: str
    hits: Hits
    relevant: np.ndarray | None
    ap: float | None
    ap_r: float | None
    map: float | None
    map_r: float | None
    seconds: float
    bytes_per_item: float


class Pipeline:
    """A retrieval pipeline, written as one line.

    Args:
        line: stages with | between them, or the name of a preset; see `transclipped.retrieval.line`.

    Attributes:
        line: parsed; `str(pipeline)` is its canonical form.

    Raises:
        InputError: a stage or option is unknown, in the wrong place or out of range.

    Examples:
        On images, `tc.Pipeline("hybrid-vit | l2 | pq(32) | qe(10)").fit("caltech101").evaluate()`. On vectors:

        >>> rng = np.random.default_rng(0)
        >>> vectors = rng.normal(size=(300, 16)).astype(np.float32)
        >>> pipeline = tc.Pipeline("l2 | pca(8) | l2 | float").fit(vectors)
        >>> str(pipeline)
        'l2 | pca(dim=8) | l2 | float'
        >>> pipeline.search(vectors[:2], k=3).rows[:, 0]
        array([0, 1])
    """

    def __init__(self, line: str) -> None:
        features.register_backbones()  # those of plug-ins too
        self.line: Line = parse(line)
        self.ranker: Chain | Fused | None = None
        self.source: ImageSource | VectorSource | RunSource | None = None
        self._prefixes: dict[Line, Chain | Fused] = {}  # keep what their re-ranking computes of the database
        self._searched: set[tuple[Line, int]] = set()  # prefixes and K that have computed it

    def __str__(self) -> str:
        return str(self.line)

    def fit(
        self,
        dataset: str | DataConfig | np.ndarray | ImageSource = "cifar10",
        *,
        queries: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        query_labels: np.ndarray | None = None,
        validation: int = 0,
        store: Store | None = None,
        **settings: Any,
    ) -> Pipeline:
        """Learn the stages and code the database; what an earlier pipeline has computed is reused.

        Args:
            dataset: name of a data set, its configuration, or vectors `[N, D]` of a database.
            queries: vectors `[Q, D]` to evaluate with. labels, query_labels: of vectors, as in `measure_hits`.
            validation: hold out this number of training images as queries, against the other training images.
            store: of outputs; by default, the cache for images and memory for vectors.
            settings: fields of `DataConfig`, with a name: `data`, `protocol`, `query_limit`, …
        """
        if isinstance(dataset, np.ndarray):
            self.source, store = VectorSource(dataset, queries, labels, query_labels), store or Store()
        else:
            data = from_dict(DataConfig, {"dataset": dataset, **settings}) if isinstance(dataset, str) else dataset
            self.source = self._source(data, validation)
        self.ranker = ranker(self.line, self.source, store or DiskStore())
        self._prefixes, self._searched = {}, set()
        self.ranker.bytes_per_item  # noqa: B018 - codes the database
        return self

    def _source(self, data: DataConfig | ImageSource, validation: int) -> ImageSource | RunSource:
        first = self.line.steps[0]
        self._check_backbones()
        if first.name != "run":
            return data if isinstance(data, ImageSource) else images_of(data, validation=validation)
        if validation or (isinstance(data, ImageSource) and data.about.get("validation")):
            raise InputError("a line that begins with a run has only its own queries; put the run's backbone before it")
        run = directory_of(dict(first.options)["name"])
        if isinstance(data, ImageSource) and data.about["data"]["dataset"] != run.config.data.dataset:
            raise InputError(
                f"{run.name} searches {run.config.data.dataset}; put its backbone before it for other images"
            )
        limit = len(data.split.query) if isinstance(data, ImageSource) else data.query_limit
        return RunSource(run, query_limit=limit)

    def _check_backbones(self) -> None:
        """InputError if a run gets features of another backbone than its own."""
        for line in self.line.steps[0].branches or (self.line,):
            first, names = line.steps[0], [dict(s.options)["name"] for s in line.steps[1:] if s.name == "run"]
            for own in (directory_of(name).config.backbone for name in names):
                if own.name != dict(first.options).get("name", first.name) or own.train != "frozen":
                    raise InputError(f"this run has the backbone {own.name} ({own.train}), the line {first.name}")

    @property
    def fitted(self) -> Chain | Fused:
        if self.ranker is None:
            raise InputError("this pipeline is not fitted; call fit with a data set or vectors first")
        return self.ranker

    def search(self, query: Query | Sequence[Image.Image], k: int = 10) -> Hits:
        """The min(k, N) best items, best first: scores and database rows `[Q, k]`.

        Args:
            query: vectors `[Q, D]`, an image or several, a file, or the id of an image of the data set.
        """
        if k < 1:
            raise InputError(f"k is {k}; choose 1 or more")
        return self._search(self.fitted, self._features(query), k, self._own(query))

    def _features(self, query: Any) -> dict[Step | None, Any]:
        """Features of a query by features stage; maps in batches."""
        if isinstance(query, os.PathLike) or (isinstance(query, str) and Path(query).is_file()):
            query = open_image(query)
        given = {chain.features: self.source.of(chain.features, query) for chain in chains(self.fitted)}
        return {step: x if isinstance(x, np.ndarray) else list(x) for step, x in given.items()}

    def _own(self, query: Any) -> int | None:
        """Row of the database that the id of a query names, where that matters."""
        by_id = self.line.uses_labels and isinstance(query, str | int | np.integer)
        return self.source.item_of(query) if by_id else None

    def _search(self, of: Chain | Fused, given: dict[Step | None, Any], k: int, own: int | None = None) -> Hits:
        xs = [chain.encoded(given[chain.features]) for chain in chains(of)]
        return of.search(xs if isinstance(of, Fused) else xs[0], k, own)

    def depth(self, k: int | None = None) -> int:
        """K of AP@K: by default the data set's, at most the size of the database."""
        return min(k or self.source.default_k, self.fitted.index.n)

    def evaluate(self, k: int | None = None) -> dict[str, Any]:
        """Measure the data set's queries.

        Returns:
            `map`, AP@K divided by the relevant items within K; `map_r`, divided by min(K, R); `precision@10`;
            `recall@K`; seconds and bytes. All None without labels.
        """
        of, labels = self.fitted, self.source.labels()
        k = self.depth(k)
        entry = of.hits(k)
        n = len(entry.value.rows)
        result: dict[str, Any] = {"pipeline": str(self), **self.source.facts(), "k": k}
        result |= dict.fromkeys(("map", "map_r", f"precision@{RANK}", "recall@K"))
        if labels is not None and k:
            measured = measure_hits(entry.value, *labels, k=k)
            result["map"], result["map_r"] = round(measured.map, 5), round(measured.map_r, 5)
            result[f"precision@{RANK}"] = round(float(measured.precision[min(RANK, k) - 1]), 5)
            result["recall@K"] = round(float(measured.recall[-1]), 5)
        result["seconds_per_query"] = round(entry.seconds / max(1, n), 6)
        result["bytes_per_item"], result["seconds_to_fit"] = of.bytes_per_item, round(sum(entry.needed.values()), 3)
        return result

    def ladder(self, query: Query, *, k: int | None = None, means: bool = False) -> list[Rung]:
        """What each prefix of the line finds for one query; prefixes are computed already, so that this is quick.

        Args:
            query: as in `search`; relevant hits are known for an image of the data set.
            means: also mAP over all queries of the data set.
        """
        _ = self.fitted
        k = self.depth(k)
        labels, own, given = self.source.labels(), self.source.label_of(query), self._features(query)
        item = self._own(query)
        rungs = []
        for prefix, stage in self.line.prefixes():
            of = self._of_prefix(prefix)
            hits, seconds = self._timed(prefix, given, k, item)
            one = None if labels is None or own is None else measure_hits(hits, own, labels[1], k=k)
            all_ = measure_hits(of.hits(k).value, *labels, k=k) if means and labels is not None else None
            rungs.append(
                Rung(
                    line=str(prefix),
                    stage=stage,
                    hits=hits,
                    relevant=None if one is None else relevance(own, labels[1], hits.rows)[0],
                    ap=None if one is None else one.map,
                    ap_r=None if one is None else one.map_r,
                    map=None if all_ is None else all_.map,
                    map_r=None if all_ is None else all_.map_r,
                    seconds=seconds,
                    bytes_per_item=of.bytes_per_item,
                )
            )
        return rungs

    def _timed(self, prefix: Line, given: dict[Step | None, Any], k: int, item: int | None) -> tuple[Hits, float]:
        """Hits, and seconds of a search that computes nothing of the database: if the first one does, of a second."""
        of, store = self._of_prefix(prefix), self.fitted.store
        for warm in ((prefix, k) in self._searched, True):
            computed, started = store.computed, time.perf_counter()
            hits = self._search(of, given, k, item)
            seconds = time.perf_counter() - started
            if warm and store.computed == computed:
                break
        self._searched.add((prefix, k))
        return hits, seconds

    def _of_prefix(self, prefix: Line) -> Chain | Fused:
        if prefix == self.line:
            return self.fitted
        if prefix not in self._prefixes:
            self._prefixes[prefix] = ranker(prefix, self.source, self.fitted.store)
        return self._prefixes[prefix]

    def save(self, folder: str | os.PathLike) -> Path:
        """Write pipeline.json, state.safetensors and index.faiss."""
        from transclipped.experiments.pipelines.files import save

        return save(self, Path(folder))

    @staticmethod
    def load(folder: str | os.PathLike) -> Pipeline:
        """A saved pipeline, ready to search; InputError if a file is missing or damaged."""
        from transclipped.experiments.pipelines.files import load

        return load(Path(folder))
