"""How fast rankings are measured, beside the plain way and beside faiss alone, all in one run.

    python -m tests.benchmarks.evaluation_speed [--queries 1280] [--database 50000] [--repeats 3] [--ties]

The plain evaluator scores 128 queries at a time by table look-ups in torch, sorts the whole ranking, gathers the
relevance of every item and sums up. Codes are all different unless --ties is given, so its mAP must be ours to 1e-6.
Times are the best of the repeats; memory is the peak beyond what the inputs take (Linux only).
"""

from __future__ import annotations

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

DIM, CODEWORDS, CLASSES, K = 64, 256, 10, 1000
NOISE = 1.6  # against unit class centres: mAP near what trained codes give
PLAIN_BATCH = 128


@dataclass(frozen=True)
class Inputs:
    """codebooks `[M, 256, d]`, codes `[N, M]`, labels `[N]`, queries `[Q, D]`, their labels `[Q]`."""

    codebooks: np.ndarray
    codes: np.ndarray
    labels: np.ndarray
    queries: np.ndarray
    query_labels: np.ndarray


def made(m: int, *, n: int, q: int, ties: bool, seed: int = 0) -> Inputs:
    """Noisy class centres and their codes; without ties no code comes twice."""
    rng = np.random.default_rng(seed)
    codebooks = _unit(rng.normal(size=(m, CODEWORDS, DIM // m))).astype(np.float32)
    centres = _unit(rng.normal(size=(CLASSES, m, DIM // m)))

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(CLASSES, size=count)
        noise = _unit(rng.normal(size=(count, m, DIM // m))) * NOISE
        return _unit(centres[labels] + noise).reshape(count, DIM).astype(np.float32), labels

    queries, query_labels = drawn(q)
    items, labels = drawn(n)
    codes = encode(codebooks, items)
    if not ties:
        codes = _all_different(codes, rng)
    return Inputs(codebooks, codes, labels, queries, query_labels)


def _all_different(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Repeated codes become random ones until each is there once."""
    codes = codes.copy()
    while True:
        _, first = np.unique(codes, axis=0, return_index=True)
        repeated = np.setdiff1d(np.arange(len(codes)), first)
        if not len(repeated):
            return codes
        codes[repeated] = rng.integers(CODEWORDS, size=(len(repeated), codes.shape[1]))


def plain_evaluator(given: Inputs) -> float:
    """mAP@K, and precision@k, by sorting everything."""
    tables = torch.from_numpy(given.codebooks)
    m, _, d = tables.shape
    codes = torch.from_numpy(given.codes).long()
    labels, asked = torch.from_numpy(given.labels), torch.from_numpy(given.query_labels)
    ranks = torch.arange(1, len(codes) + 1)
    average, precision = [], torch.zeros(K)
    for start in range(0, len(given.queries), PLAIN_BATCH):
        queries = torch.from_numpy(given.queries[start : start + PLAIN_BATCH]).view(-1, m, d)
        table = torch.einsum("qmd,mkd->qmk", queries, tables) / m  # [q, M, K]
        scores = sum(table[:, i, codes[:, i]] for i in range(m))  # [q, N]
        order = scores.argsort(dim=1, descending=True, stable=True)
        found = (labels == asked[start : start + PLAIN_BATCH, None]).gather(1, order)
        at = found.cumsum(1) / ranks
        top, hits = at[:, :K], found[:, :K]
        average.append((top * hits).sum(1) / hits.sum(1).clamp(min=1))
        precision += top.sum(0)
    return torch.cat(average).double().mean().item()


def contenders(given: Inputs) -> dict[str, Callable[[], float | None]]:
    """What is timed, by name; each gives its mAP@K if it has one."""
    index = PQIndex(given.codebooks, given.codes)

    def ours(**options: bool) -> float:
        found = measure(
            index,
            given.queries,
            query_labels=given.query_labels,
            database_labels=given.labels,
            k=K,
            class_names=tuple("abcdefghij"),
            **options,
        )
        return found.map

    return {
        "plain evaluator": lambda: plain_evaluator(given),
        "bare IndexPQ.search": lambda: index.faiss_index.search(given.queries, K) and None,
        "ours, plain": lambda: ours(tie_aware=False, curve=False),
        "ours, with tie-aware": lambda: ours(tie_aware=True, curve=False),
        "ours, all metrics": lambda: ours(tie_aware=True, curve=True),
    }


def timed(work: Callable[[], float | None], repeats: int) -> tuple[float, float | None, float | None]:
    """Best seconds, peak memory in MB beyond the start (None if the system does not tell), and the answer."""
    best, peak, answer = float("inf"), None, None
    for _ in range(repeats):
        gc.collect()
        before = _reset_peak()
        started = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - started)
        if before is not None:
            peak = max(peak or 0.0, _memory("VmHWM") - before)
    return best, peak, answer


def _reset_peak() -> float | None:
    """Give freed memory back and forget the peak so far; returns the memory in use, MB."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        return _memory("VmRSS")
    except OSError:
        return None


def _memory(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1280)
    parser.add_argument("--database", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ties", action="store_true", help="keep codes that come more than once")
    asked = parser.parse_args()
    threads = f"{torch.get_num_threads()} torch and {faiss.omp_get_max_threads()} faiss threads"
    print(f"{asked.queries} queries x {asked.database} items, K = {K}, best of {asked.repeats}, {threads}")
    for m in (2, 4, 8):
        given = made(m, n=asked.database, q=asked.queries, ties=asked.ties)
        distinct = len(np.unique(given.codes, axis=0))
        print(f"\nM = {m}, {distinct} different codes\n{'':<22} seconds  x bare  plain/x  peak MB      mAP")
        found = {name: timed(work, asked.repeats) for name, work in contenders(given).items()}
        plain, bare = found["plain evaluator"][0], found["bare IndexPQ.search"][0]
        for name, (seconds, peak, answer) in found.items():
            figures = f"{seconds:8.3f} {seconds / bare:7.2f} {plain / seconds:8.1f}"
            memory = "       -" if peak is None else f"{peak:8.0f}"
            print(f"{name:<22}{figures} {memory} {'' if answer is None else f'{answer:12.8f}'}")
        apart = abs(found["plain evaluator"][2] - found["ours, plain"][2])
        if not asked.ties and apart > 1e-6:
            raise SystemExit(f"mAP differs by {apart:.2e}, more than 1e-6")


if __name__ == "__main__":
    main()
