"""What each of the four steps of `flow` does to the hits of one query."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline, Query, Rung
from transclipped.retrieval.chain import LISTS, Chain
from transclipped.retrieval.index import Hits
from transclipped.retrieval.line import Line
from transclipped.retrieval.metrics import measure_hits
from transclipped.retrieval.relevance import relevance
from transclipped.retrieval.reranking.flow import STEPS
from transclipped.retrieval.reranking.flow_queries import after_each_step

BEFORE = "before"
OPTIONS = {"k": 20, "rounds": 2, "sharpness": 0.1, "components": True}


class FlowSteps:
    """The steps of `flow` on the codes of a fitted pipeline, whatever re-ranking it has itself.

    The database's part is computed at the first query, and kept.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        line = pipeline.line
        if line.steps[0].branches:
            raise InputError("flow is shown on the lists of one ranker; choose a pipeline without fusion")
        coding = next(i for i, step in enumerate(line.steps) if step.stage.kind == "coding")
        options = next((dict(step.options) for step in line.steps if step.name == "flow"), {})
        self.options: dict[str, Any] = OPTIONS | options
        self.pipeline = pipeline
        self.chain = Chain(Line(line.steps[: coding + 1]), pipeline.source, pipeline.fitted.store)

    def rungs(self, query: Query, *, k: int | None = None) -> list[Rung]:
        """Hits before and after each step, as rungs of a ladder."""
        source, depth = self.pipeline.source, self.pipeline.depth(k)
        collection = self.chain.collection(self.chain.encoded(source.of(self.chain.features, query)))
        started = time.perf_counter()
        hits = collection.search(collection.queries, min(max(depth, LISTS), collection.index.n))
        steps = after_each_step(hits, collection, **self.options)
        seconds = time.perf_counter() - started
        cut = {name: Hits(h.scores[:, :depth], h.rows[:, :depth]) for name, h in steps.items()}
        labels, own = source.labels(), source.label_of(query)
        return [self._rung(name, h, labels, own, depth, seconds) for name, h in cut.items()]

    def _rung(self, name: str, hits: Hits, labels: Any, own: Any, k: int, seconds: float) -> Rung:
        measured = None if labels is None or own is None else measure_hits(hits, own, labels[1], k=k)
        return Rung(
            line=str(self.chain.line),
            stage=name,
            hits=hits,
            relevant=None if measured is None else relevance(own, labels[1], hits.rows)[0],
            ap=None if measured is None else measured.map,
            ap_r=None if measured is None else measured.map_r,
            map=None,
            map_r=None,
            seconds=seconds,
            bytes_per_item=self.chain.bytes_per_item,
        )

    def parts(self) -> Iterator[np.ndarray]:
        """Rows of the connected parts, the largest first, each with its strongest members first."""
        database = self.chain.memo.get(("flow", *self.options.values()))
        if database is None or database.parts is None:
            return
        sizes = np.diff(database.parts.members.indptr)
        for r in np.argsort(-sizes, kind="stable"):
            inside = np.flatnonzero(database.parts.part == r)
            strongest = [row for row in database.parts.strongest[r] if row in inside]
            yield np.array(strongest + [row for row in inside if row not in strongest], np.int64)


__all__ = ["BEFORE", "OPTIONS", "STEPS", "FlowSteps"]
