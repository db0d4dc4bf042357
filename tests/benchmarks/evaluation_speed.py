"""Speed of evaluation, compared with a simple evaluator and with faiss alone in the same run.

    python -m tests.benchmarks.evaluation_speed [--queries 1280] [--database 50000] [--repeats 3] [--ties]

The simple evaluator scores 128 queries at a time by table look-ups in torch, sorts the whole ranking and gathers the
relevance of every item. Without --ties all codes differ, so its mAP must equal ours to 1e-6. Times are the best of the
repeats; memory is the peak beyond the inputs (Linux only).
"""

import argparse
import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import torch

from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.metrics import measure
from transclipped.retrieval.vectors import unit

DIM, CODEWORDS, CLASSES, K = 64, 256, 10, 1000
NOISE = 1.6  # against unit class centres: mAP near what trained codes give
SIMPLE_BATCH = 128


@dataclass(frozen=True)
class Inputs:
    """codebooks `[M, 256, d]`, codes `[N, M]`, labels `[N]`, queries `[Q, D]`, their labels `[Q]`."""

    codebooks: np.ndarray
    codes: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    query_labels: np.ndarray


def make_inputs(m: int, *, n: int, q: int, ties: bool, seed: int = 0) -> Inputs:
    """Noisy class centres and their codes; without ties all codes differ."""
    rng = np.random.default_rng(seed)
    codebooks = unit(rng.normal(size=(m, CODEWORDS, DIM // m))).astype(np.float32)
    centres = unit(rng.normal(size=(CLASSES, m, DIM // m)))

    def sample(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(CLASSES, size=count)
        noise = unit(rng.normal(size=(count, m, DIM // m))) * NOISE
        return unit(centres[labels] + noise).reshape(count, DIM).astype(np.float32), labels

    queries, query_labels = sample(q)
    items, labels = sample(n)
    codes = encode(codebooks, items)
    if not ties:
        codes = _all_different(codes, rng)
    return Inputs(codebooks, codes, labels, queries, query_labels)


def _all_different(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace repeated codes by random ones until all differ."""
    codes = codes.copy()
    while True:
        _, first = np.unique(codes, axis=0, return_index=True)
        repeated = np.setdiff1d(np.arange(len(codes)), first)
        if not len(repeated):
            return codes
        codes[repeated] = rng.integers(CODEWORDS, size=(len(repeated), codes.shape[1]))


def simple_evaluator(inputs: Inputs) -> float:
    """mAP@K by sorting the whole ranking."""
    tables = torch.from_numpy(inputs.codebooks)
    m, _, d = tables.shape
    codes = torch.from_numpy(inputs.codes).long()
    labels, classes = torch.from_numpy(inputs.labels), torch.from_numpy(inputs.query_labels)
    ranks = torch.arange(1, len(codes) + 1)
    average = []
    for start in range(0, len(inputs.queries), SIMPLE_BATCH):
        queries = torch.from_numpy(inputs.queries[start : start + SIMPLE_BATCH]).view(-1, m, d)
        table = torch.einsum("qmd,mkd->qmk", queries, tables) / m  # [q, M, K]
        scores = sum(table[:, i, codes[:, i]] for i in range(m))  # [q, N]
        order = scores.argsort(dim=1, descending=True, stable=True)
        relevant = (labels == classes[start : start + SIMPLE_BATCH, None]).gather(1, order)
        hits = relevant[:, :K]
        top = relevant.cumsum(1)[:, :K] / ranks[:K]
        average.append((top * hits).sum(1) / hits.sum(1).clamp(min=1))
    return torch.cat(average).double().mean().item()


def contenders(inputs: Inputs) -> dict[str, Callable[[], float | None]]:
    """The timed functions by name; each returns its mAP@K, if any."""
    index = PQIndex(inputs.codebooks, inputs.codes)

    def ours(**options: bool) -> float:
        classes = {"query_labels": inputs.query_labels, "database_labels": inputs.labels}
        return measure(index, inputs.queries, **classes, k=K, class_names=tuple("abcdefghij"), **options).map

    return {
        "simple evaluator": lambda: simple_evaluator(inputs),
        "bare IndexPQ.search": lambda: index.faiss_index.search(inputs.queries, K) and None,
        "ours, plain": lambda: ours(tie_aware=False, curve=False),
        "ours, with tie-aware": lambda: ours(tie_aware=True, curve=False),
        "ours, all metrics": lambda: ours(tie_aware=True, curve=True),
    }


def timed(work: Callable[[], float | None], repeats: int) -> tuple[float, float | None, float | None]:
    """Best seconds, peak memory in MB beyond the start (None if unavailable), and the result."""
    best, peak, result = float("inf"), None, None
    for _ in range(repeats):
        gc.collect()
        before = _reset_peak()
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
        if before is not None:
            peak = max(peak or 0.0, _memory("VmHWM") - before)
    return best, peak, result


def _reset_peak() -> float | None:
    """Release freed memory and reset the peak; returns the memory in use, MB."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return _memory("VmRSS")
    except OSError:
        return None


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1280)
    parser.add_argument("--database", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ties", action="store_true", help="keep repeated codes")
    options = parser.parse_args()
    threads = f"{torch.get_num_threads()} torch and {faiss.omp_get_max_threads()} faiss threads"
    print(f"{options.queries} queries x {options.database} items, K = {K}, best of {options.repeats}, {threads}")
    for m in (2, 4, 8):
        inputs = make_inputs(m, n=options.database, q=options.queries, ties=options.ties)
        distinct = len(np.unique(inputs.codes, axis=0))
        print(f"\nM = {m}, {distinct} different codes\n{'':<22} seconds  x bare  simple/x  peak MB      mAP")
        results = {name: timed(work, options.repeats) for name, work in contenders(inputs).items()}
        simple, bare = results["simple evaluator"][0], results["bare IndexPQ.search"][0]
        for name, (seconds, peak, score) in results.items():
            figures = f"{seconds:8.3f} {seconds / bare:7.2f} {simple / seconds:8.1f}"
            memory = "       -" if peak is None else f"{peak:8.0f}"
            print(f"{name:<22}{figures} {memory} {'' if score is None else f'{score:12.8f}'}")
        difference = abs(results["simple evaluator"][2] - results["ours, plain"][2])
        if not options.ties and difference > 1e-6:
            raise SystemExit(f"mAP differs by {difference:.2e}, more than 1e-6")


if __name__ == "__main__":
    main()
