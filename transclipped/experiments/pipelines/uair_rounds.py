"""The rounds of `uair`: what its two networks learn, and what becomes of the hits, beside query expansion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.metrics import measure_hits
from transclipped.retrieval.reranking.query_expansion import qe
from transclipped.retrieval.reranking.uair import learned, reranked
from transclipped.utils.files import read_json, write_json


@dataclass(frozen=True)
class Rounds:
    """Results by round, from 0, before training.

    Attributes:
        line, data, k: what was ranked, and K of mAP-min@K.
        proposed: share of what the generator proposes that is true, a mutual neighbour; None before training.
        believed: share of true and proposed items that the discriminator tells apart; None before training.
        map_r: mAP-min of the hits, re-ranked by the generator of the round, observed with labels.
        qe: mAP-min of query expansion by the same hits.
    """

    line: str
    data: str
    k: int
    proposed: list[float | None]
    believed: list[float | None]
    map_r: list[float]
    qe: float


def measure(pipeline: Pipeline, *, rounds: int = 20, seed: int = 0) -> Rounds:
    """Train on the database of a fitted pipeline that ends in its coding, and re-rank its queries after each round."""
    chain, source = pipeline.fitted, pipeline.source
    labels, k = source.labels(), pipeline.depth()
    if labels is None:
        raise InputError("rounds are measured with labels, and this data set has none")
    collection = chain.collection(chain.queries())
    hits = collection.search(collection.queries, k)
    networks = learned(collection, rounds=rounds, seed=seed)
    again = (reranked(hits, collection.queries, collection, g, weight=1.0) for g in networks.generators)
    return Rounds(
        str(pipeline),
        source.facts()["data"],
        k,
        _shares(networks.proposed),
        _shares(networks.believed),
        [round(measure_hits(each, *labels, k=k).map_r, 5) for each in again],
        round(measure_hits(qe(hits, collection), *labels, k=k).map_r, 5),
    )


def _shares(values: np.ndarray) -> list[float | None]:
    return [None if value != value else round(float(value), 4) for value in values]


def write(rounds: Rounds, path: Path) -> None:
    write_json(path, asdict(rounds))


def read(path: Path) -> Rounds:
    """InputError if the file is damaged."""
    values = read_json(path)
    try:
        result = Rounds(**values)
        if not isinstance(result.line, str) or not isinstance(result.qe, float):
            raise ValueError("a value has the wrong type")
        if len({len(result.proposed), len(result.believed), len(result.map_r)}) != 1:
            raise ValueError("rounds differ in number")
        return result
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error}); restore it from the project") from error
