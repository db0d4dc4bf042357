"""Several pipelines on one data set: they share what their lines have in common; results are lines of a JSON file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError, cause
from transclipped.experiments.pipelines.pipeline import RANK, Pipeline
from transclipped.experiments.pipelines.source import ImageSource
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.retrieval.chain import Store, chains, pool, ranker
from transclipped.utils.files import append_json_line, json_lines

SAME = ("pipeline", "data", "fingerprint", "protocol", "seed", "n_queries", "n_database", "k")  # the same measurement
COLUMNS = {  # of tables, and the definition of each measure
    "map": "mean over queries of Σ precision at relevant ranks ≤ K / relevant items within K",
    "map_r": "the same sum / min(K, R), R relevant items in the database",
    f"precision@{RANK}": f"relevant share of the first {RANK}",
    "recall@K": "relevant items within K / R",
    "seconds_per_query": "ranking and re-ranking, features not included",
    "bytes_per_item": "of the index",
    "seconds_to_fit": "learning, coding and lists of the database, features not included",
}


def read_lines(path: Path) -> list[Pipeline]:
    """The pipelines of a file, one a line; empty lines and those that begin with # are skipped.

    Raises:
        InputError: the file cannot be read, or a line is wrong.
    """
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {cause(error)}") from error
    pipelines = []
    for number, text in enumerate(texts, start=1):
        if text.strip() and not text.lstrip().startswith("#"):
            try:
                pipelines.append(Pipeline(text))
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from error
    if not pipelines:
        raise InputError(f"{path} holds no pipeline; write one a line, such as hybrid-vit | l2 | float")
    return pipelines


def compare(
    pipelines: list[Pipeline], source: ImageSource, out: Path, *, k: int | None = None, store: Store | None = None
) -> Iterator[dict[str, Any] | InputError]:
    """Results in the order of the pipelines; new ones are appended to `out`. One that fails gives its error."""
    store, done = store or DiskStore(), {_key(line): line for line in json_lines(out) if isinstance(line, dict)}
    _pool([p for p in pipelines if p.line.steps[0].name != "run"], source, store)
    for pipeline in pipelines:
        try:
            pipeline.fit(source, store=store)
            known = {"pipeline": str(pipeline), **pipeline.source.facts(), "k": pipeline.depth(k)}
            if (result := done.get(_key(known))) is None:
                result = pipeline.evaluate(k)
                append_json_line(out, result)
            yield result
        except InputError as error:
            yield InputError(f"{pipeline}: {error}")
        pipeline.ranker = None  # its arrays are in the store


def _pool(pipelines: list[Pipeline], source: ImageSource, store: Store) -> None:
    """One pass over the images for all pipelines; one whose filter or pooling cannot learn fails later, alone."""
    ready = []
    for chain in (chain for p in pipelines for chain in chains(ranker(p.line, source, store))):
        with suppress(InputError):
            for i in range(1, (chain.pooling or 0) + 1):
                chain.state(i)
            ready.append(chain)
    for block in ("train", "database", "query"):
        pool(ready, block)


def table(results: list[dict[str, Any]], form: str) -> str:
    """Markdown with the definitions below, or CSV."""
    import pandas as pd

    from transclipped.analysis.tables import markdown

    frame = pd.DataFrame(results)[["pipeline", *COLUMNS]]
    if form == "csv":
        return frame.to_csv(index=False)
    definitions = "\n".join(f"- {name}: {words}" for name, words in COLUMNS.items())
    return f"{markdown(frame, number='.4g')}\n\nK = {results[0]['k']}\n{definitions}\n"


def _key(result: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(result.get(name) for name in SAME)
