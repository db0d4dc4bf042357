"""Speed of the stages of a retrieval pipeline, each compared with the work that it is added to.

    python -m tests.benchmarks.pipeline_speed [--part pooling whitening codes] [--repeats 5] [--n 50000]

pooling    and filters, per image, compared with the network's forward pass. Target: at most 0.1 of it.
whitening  fit on n vectors of 1,280 numbers, and applied to them. Target: at most 15 s for 50,000.
codes      1,000 queries on n items of 128 numbers, compared with faiss's bare search of the floats, `IndexFlatIP`.

Compared work is interleaved and medians are reported, since other programs may be running.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import transclipped.retrieval.aggregation
import transclipped.retrieval.coding
import transclipped.retrieval.filters
import transclipped.retrieval.whitening  # noqa: F401
from transclipped.config import BackboneConfig
from transclipped.models.backbone import load_backbone
from transclipped.models.precision import inference
from transclipped.retrieval.stages import STAGES
from transclipped.retrieval.vectors import unit

MAPS = ((112, 6, 6), (1280, 3, 3), (112, 14, 14))  # of the bundled network at 96, 96 and 224 pixels
QUERIES, DEPTH = 1000, 100


def main() -> None:
    parts = {"pooling": pooling, "whitening": whitening, "codes": codes}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--n", type=int, default=50_000, help="vectors")
    arguments = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, medians of {arguments.repeats}")
    for name in arguments.part:
        parts[name](arguments)


def pooling(arguments: argparse.Namespace) -> None:
    """Every aggregation and filter on each size of map, 64 images at a time."""
    backbone = load_backbone(BackboneConfig(name="efficientnet-lite0", image_size=96))
    generator = torch.Generator().manual_seed(0)
    for shape in MAPS:
        side = 224 if shape[1] == 14 else 96
        images = torch.randn(64, 3, side, side, generator=generator).contiguous(memory_format=torch.channels_last)
        maps = torch.randn(64, *shape, generator=generator).numpy()
        work = {"network": lambda images=images: _forward(backbone, images)}
        for name, stage in STAGES.items():
            if stage.kind == "aggregation" or (stage.kind == "filter" and (name != "mpfa" or shape[1] > 3)):
                state = [stage.fit([maps])] if stage.fit else []
                work[name] = lambda stage=stage, state=state, maps=maps: stage.function(maps, *state)
        print(f"pooling [64, {', '.join(map(str, shape))}], images of {side} pixels")
        table(work, arguments.repeats, 64)


def whitening(arguments: argparse.Namespace) -> None:
    """Whitening at full width, and reduced."""
    x = np.random.default_rng(0).normal(size=(arguments.n, 1280)).astype(np.float32)
    for name, options in (("whiten", {}), ("pca", {"dim": 128}), ("svd", {"dim": 128})):
        stage, started = STAGES[name], time.perf_counter()
        state = stage.fit(x, **options)
        fitted = time.perf_counter()
        stage.function(x, state, **options)
        done = time.perf_counter()
        print(f"{name}: {len(x):,} × 1,280 fitted in {fitted - started:.1f} s, applied in {done - fitted:.1f} s")


def codes(arguments: argparse.Namespace) -> None:
    """The search of every code."""
    import faiss

    rng = np.random.default_rng(0)
    items, queries = (unit(rng.normal(size=(n, 128)).astype(np.float32)) for n in (arguments.n, QUERIES))
    bare = faiss.IndexFlatIP(128)
    bare.add(items)
    work: dict[str, Callable[[], object]] = {"faiss": lambda: bare.search(queries, DEPTH)}
    for name, stage in STAGES.items():
        if stage.kind == "coding":
            started = time.perf_counter()
            index = stage.function(items, *([stage.fit(items[:10_000])] if stage.fit else []))
            print(f"{name}: built in {time.perf_counter() - started:.1f} s")
            work[name] = lambda index=index: index.search(index.embed(queries), DEPTH)
    print(f"codes: {QUERIES:,} queries on {len(items):,} items")
    table(work, arguments.repeats, QUERIES)


def table(work: dict[str, Callable[[], object]], repeats: int, n: int) -> None:
    """Milliseconds per item of each, and the ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(repeats + 1):  # the first warms up
        for name, do in work.items():
            started = time.perf_counter()
            do()
            if turn:
                times[name].append(time.perf_counter() - started)
    medians = {name: float(np.median(seconds)) for name, seconds in times.items()}
    first = next(iter(medians.values()))
    for name, seconds in medians.items():
        print(f"  {name:12} {1000 * seconds / n:8.3f} ms  {seconds / first:7.3f}")


def _forward(backbone, images: torch.Tensor) -> None:
    with inference(torch.device("cpu")):
        backbone(images)


if __name__ == "__main__":
    main()
