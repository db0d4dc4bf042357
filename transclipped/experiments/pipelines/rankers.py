"""Rankers of one data set and their pairs: what lists say about them without labels, and what labels say.

`measure` writes one JSON file, from which the score of each pair, e₁ e₂ / (1 + ρ)^β, follows for any β:

    from transclipped.experiments.pipelines.rankers import LINES, measure, write
    write(measure(LINES, DataConfig(dataset="caltech101")), Path("assets/pipeline/rankers-caltech101.json"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.source import images_of
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.retrieval.chain import Chain, Store, pool, ranker
from transclipped.retrieval.fusion.cprr import fuse
from transclipped.retrieval.fusion.select import choose
from transclipped.retrieval.lists import own_lists
from transclipped.retrieval.metrics import measure_hits
from transclipped.utils.files import read_json, write_json

K = 50  # neighbours that effectiveness and correlation look at
LINES = {  # by a short name
    "hybrid, codes": "hybrid-vit-photographs | run:hybrid-caltech101-32-clipped",
    "CNN, codes": "efficientnet-lite0 | run:cnn-caltech101-32-clipped",
    "hybrid": "hybrid-vit-photographs | l2 | float",
    "CNN": "efficientnet-lite0 | l2 | float",
    "fine GeM": "stem16 | gem(3) | l2 | float",
    "fine SPoC": "stem16 | spoc | l2 | float",
    "fine SCDA": "stem16 | scda | l2 | float",
    "GeM": "head32 | gem(3) | l2 | float",
    "CroW": "head32 | crow | l2 | float",
    "R-MAC": "head32 | rmac | l2 | float",
}


ARRAYS = {"effectiveness": 1, "correlation": 2, "map_r": 1, "reranked": 1, "pairs": 2}  # dimensions


@dataclass(frozen=True)
class Rankers:
    """Rankers and their pairs.

    Attributes:
        names, lines: of R rankers. data, k: data set, and K of both means.
        effectiveness: `[R]`, e, without labels. correlation: `[R, R]`, ρ, without labels.
        map_r: `[R]`, mean AP divided by min(K, R), observed with labels. reranked: `[R]`, the same after the fusion's
            rounds on that ranker alone. pairs: of fused pairs, `[R, R]`, NaN on the diagonal.
    """

    names: list[str]
    lines: list[str]
    data: str
    k: int
    effectiveness: np.ndarray
    correlation: np.ndarray
    map_r: np.ndarray
    reranked: np.ndarray
    pairs: np.ndarray

    def scores(self, beta: float) -> np.ndarray:
        """Predicted score of each pair, `[R, R]`, NaN on the diagonal."""
        e = self.effectiveness
        result = np.outer(e, e) / (1 + self.correlation) ** beta
        np.fill_diagonal(result, np.nan)
        return result

    def best(self, beta: float) -> tuple[int, int]:
        """The pair of the largest predicted score."""
        scores = np.where(np.tri(len(self.names), dtype=bool), -np.inf, self.scores(beta))
        a, b = np.unravel_index(np.argmax(scores), scores.shape)
        return int(a), int(b)

    def agreement(self, beta: float) -> float:
        """Spearman's rank correlation of predicted score and mAP over all pairs."""
        from scipy.stats import spearmanr

        upper = np.triu_indices(len(self.names), 1)
        return float(spearmanr(self.scores(beta)[upper], self.pairs[upper]).statistic)


def measure(lines: Mapping[str, str], data: DataConfig, *, store: Store | None = None) -> Rankers:
    """Rank each query by each line and each pair of lines, fused by `cprr-fusion`."""
    source, store = images_of(data), store or DiskStore()
    pipelines = [Pipeline(line) for line in lines.values()]
    maps = [ranker(p.line, source, store) for p in pipelines if p.line.first("aggregation") is not None]
    for block in ("train", "database", "query"):  # one pass over the images for all
        pool(maps, block)
    for pipeline in pipelines:
        pipeline.fit(source, store=store)
    _check(pipelines)
    k = pipelines[0].depth()
    chains: list[Chain] = [pipeline.ranker for pipeline in pipelines]
    collections = [chain.collection(chain.queries()) for chain in chains]
    choice = choose([own_lists(collection, K).rows for collection in collections], k=K)
    labels = source.labels()
    hits = [chain.hits(max(k, 200)).value for chain in chains]
    alone = [measure_hits(one, *labels, k=k).map_r for one in hits]
    again = [fuse([one], [collection]) for one, collection in zip(hits, collections, strict=True)]
    reranked = [measure_hits(one, *labels, k=k).map_r for one in again]
    pairs = np.full((len(lines),) * 2, np.nan)
    for a, b in combinations(range(len(lines)), 2):
        both = fuse([hits[a], hits[b]], [collections[a], collections[b]])
        pairs[a, b] = pairs[b, a] = measure_hits(both, *labels, k=k).map_r
    written = [str(pipeline) for pipeline in pipelines]
    return Rankers(
        names=list(lines),
        lines=written,
        data=data.dataset,
        k=k,
        effectiveness=choice.effectiveness,
        correlation=choice.correlation,
        map_r=np.array(alone),
        reranked=np.array(reranked),
        pairs=pairs,
    )


def _check(pipelines: list[Pipeline]) -> None:
    """InputError unless all have the same database and queries, row by row."""
    labels = [pipeline.source.labels() for pipeline in pipelines]
    ids = [[pipeline.source.described(row)[0] for row in range(pipeline.fitted.index.n)] for pipeline in pipelines]
    if any(one is None for one in labels):
        raise InputError("rankers are compared on labelled data; choose a data set with labels")
    if any(one != ids[0] for one in ids) or any(not np.array_equal(one[0], labels[0][0]) for one in labels):
        raise InputError("rankers search different images; choose runs of this data set, protocol and seed")


def write(rankers: Rankers, path: Path) -> None:
    """One JSON file; numbers with five digits."""
    values = {name: _rounded(value) for name, value in asdict(rankers).items()}
    write_json(path, values)


def read(path: Path) -> Rankers:
    """Raises InputError if the file is missing or damaged."""
    values: Any = read_json(path)
    try:
        arrays = {name: np.array(values[name], float) for name in ARRAYS}
        rest = {name: values[name] for name in ("names", "lines", "data", "k")}
        n = len(rest["names"])
        if n < 2 or any(array.shape != (n,) * ARRAYS[name] for name, array in arrays.items()):
            raise ValueError("shapes disagree")
        return Rankers(**rest, **arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no measured rankers; restore the file") from error


def _rounded(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    return [None if x != x else round(x, 5) for x in value.tolist()] if value.ndim == 1 else list(map(_rounded, value))
