"""Seconds and memory of re-ranking and fusion: `python -m tests.benchmarks.reranking_speed [NAME …]`.

On 50,000 vectors of 64 numbers in 100 clusters, and 10,000 queries. Each method runs in a process of its own; the first
row is the search for lists that the others begin with, and is not part of their seconds.
"""

import multiprocessing
import resource
import sys
import time

import numpy as np

from tests.retrieval.clustered import clustered
from transclipped.retrieval.fusion.select import choose
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.lists import own_lists
from transclipped.retrieval.reranking import cprr, flow, flow_queries
from transclipped.retrieval.reranking.k_reciprocal import k_reciprocal
from transclipped.retrieval.stages import Collection

ITEMS, QUERIES, WIDTH, CLUSTERS = 50_000, 10_000, 64, 100
ONE = 20  # repetitions of a single query


def data() -> tuple[Collection, np.ndarray]:
    items, queries = clustered(ITEMS, queries=QUERIES, clusters=CLUSTERS, d=WIDTH, spread=1.0)
    return Collection(FlatIndex(items, codebooks=1), queries), queries


def one_query(collection: Collection, method) -> str:
    """Milliseconds of one query more, once the database's part is there."""
    queries = collection.queries[:ONE]
    taken = []
    for i in range(ONE):
        one = Collection(collection.index, queries[i : i + 1], memo=collection.memo)
        one.items = collection.items
        hits = one.search(one.queries, 200)
        started = time.perf_counter()
        method(hits, one)
        taken.append(time.perf_counter() - started)
    return f"{1000 * np.median(taken):.0f} ms a query"


def lists(collection: Collection, length: int) -> np.ndarray:
    return own_lists(collection, length).rows


def time_lists(collection: Collection) -> str:
    started = time.perf_counter()
    lists(collection, 200)
    return f"{time.perf_counter() - started:.1f} s for {ITEMS:,} lists of 200"


def time_k_reciprocal(collection: Collection) -> str:
    lists(collection, 21)
    hits = collection.search(collection.queries, 200)
    started = time.perf_counter()
    k_reciprocal(hits, collection)
    taken = time.perf_counter() - started
    return f"{taken:.1f} s for {QUERIES:,} queries, {one_query(collection, k_reciprocal)}"


def time_cprr(collection: Collection) -> str:
    lists(collection, 400)
    started = time.perf_counter()
    cprr.of_database(collection, 20, 400)
    taken = time.perf_counter() - started
    return f"{taken:.1f} s for {ITEMS:,} lists of 400, {one_query(collection, cprr.rerank)}"


def time_flow(collection: Collection) -> str:
    rows = lists(collection, 200)
    started = time.perf_counter()
    result = flow.steps(rows, k=20, rounds=2, sharpness=0.1, components=True)
    taken = time.perf_counter() - started
    collection.memo["flow", 20, 2, 0.1, True] = result
    columns = result.parts.embedding.shape[1]
    return f"{taken:.1f} s for {ITEMS:,} lists of 200, {columns:,} parts, {one_query(collection, flow_queries.rerank)}"


def time_select(collection: Collection) -> str:
    rankers = []
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(size=(10_000, WIDTH)).astype(np.float32)
        rankers.append(lists(Collection(FlatIndex(collection.items[:10_000] + 0.05 * noise, codebooks=1), noise), 50))
    started = time.perf_counter()
    choose(rankers)
    return f"{time.perf_counter() - started:.1f} s for 10 rankers of 10,000 items"


TIMES = {
    "lists": time_lists,
    "k-reciprocal": time_k_reciprocal,
    "cprr": time_cprr,
    "flow": time_flow,
    "select": time_select,
}


def row(name: str) -> None:
    result = TIMES[name](data()[0])
    print(f"{name:14}{result}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB at most", flush=True)


def main(names: list[str]) -> None:
    for name in names or TIMES:
        process = multiprocessing.get_context("spawn").Process(target=row, args=(name,))
        process.start()
        process.join()


if __name__ == "__main__":
    main(sys.argv[1:])
