"""Quality of the bundled backbones' float embeddings: `python -m tests.benchmarks.backbone_quality --out FILE`.

CIFAR-10 (I) at 96 pixels: 20-NN accuracy and mAP@1000 of 10,000 queries against 50,000. Caltech-101 at 160 pixels:
5-NN accuracy and mAP@100 of 1,010 queries against 2,020. A fixed subset, the first 2,000 CIFAR-10 training images:
mAP@100 of the last 500 against the first 1,500, which tests check. Speed: images per second at 96 pixels, as ratios to
the CNN in the same run. Features are cached; the first run takes half an hour on two cores.
"""

import argparse
import hashlib
import time
from collections import deque
from pathlib import Path

import numpy as np
import torch

from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.protocols import draw
from transclipped.datasets.registry import load
from transclipped.features.cache import FeatureCache, encode
from transclipped.models.backbone import load_backbone, weights_file
from transclipped.models.precision import inference
from transclipped.models.zoo import BUNDLED, CNN
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.metrics import average_precision
from transclipped.retrieval.relevance import relevance
from transclipped.retrieval.vectors import unit
from transclipped.utils.files import write_json
from transclipped.utils.progress import with_bars

SUBSET, QUERIES = 2000, 500
SETS = {"cifar10": (96, 20, 1000), "caltech101": (160, 5, 100)}  # size, neighbours, K
REPEATS = 5


def main() -> None:
    """Measure the backbones that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file (default: print only)")
    parser.add_argument("--backbone", nargs="+", default=list(BUNDLED), choices=list(BUNDLED))
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    options = parser.parse_args()
    results = {name: quality_of(name, options.sets) for name in options.backbone}
    for name, ratio in speeds(options.backbone).items():
        results[name]["speed_ratio"] = round(ratio, 2)
    for name, values in results.items():
        print(name, values)
    if options.out:
        write_json(options.out, results)


def quality_of(name: str, sets: list[str]) -> dict:
    """File, subset and quality on each set of one backbone."""
    path = weights_file(BackboneConfig(name=name))
    result: dict = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    result["subset_map"] = round(subset_map(name), 4)
    for dataset in sets:
        size, neighbours, k = SETS[dataset]
        data = DataConfig(dataset=dataset)
        images = load(data)
        split = draw(images, data)
        cache = FeatureCache(images, load_backbone(BackboneConfig(name=name, image_size=size)))
        for rows in (split.database, split.query):
            deque(with_bars(cache.fill(0, rows)), maxlen=0)
        plain, labels = cache.view(0), images.labels
        pairs = [(plain[rows], labels[rows]) for rows in (split.query, split.database)]
        accuracy, precision = quality(*pairs, neighbours=neighbours, k=k)
        result[dataset] = {"size": size, "accuracy": round(accuracy, 4), "map": round(precision, 4), "k": k}
    return result


def subset_map(name: str) -> float:
    """mAP@100 within the fixed subset, in float32."""
    images = load(DataConfig())
    backbone = load_backbone(BackboneConfig(name=name), default_size=96)
    features = np.concatenate([f for _, f in encode(backbone, images, np.arange(SUBSET))])
    labels, n = images.labels[:SUBSET], SUBSET - QUERIES
    return quality((features[n:], labels[n:]), (features[:n], labels[:n]), neighbours=5, k=100)[1]


def quality(queries: tuple, database: tuple, *, neighbours: int, k: int, chunk: int = 1024) -> tuple[float, float]:
    """Accuracy of a majority vote of the nearest neighbours and plain mAP@K, both by cosine similarity.

    Args:
        queries, database: embeddings `[Q, F]` or `[N, F]` with class labels `[Q]` or `[N]`.

    Raises:
        ValueError: k is less than `neighbours`.
    """
    if k < neighbours:
        raise ValueError(f"mAP@{k} does not rank the {neighbours} neighbours that vote")
    (vectors, classes), (items, labels) = queries, database
    index = FlatIndex(unit(items), codebooks=1)
    correct, precision = 0, 0.0
    for start in range(0, len(vectors), chunk):
        part = slice(start, start + chunk)
        rows = index.search(unit(vectors[part]), k).rows
        precision += average_precision(relevance(classes[part], labels, rows))[0].sum()
        correct += int((vote(labels[rows[:, :neighbours]]) == classes[part]).sum())
    return correct / len(vectors), float(precision / len(vectors))


def vote(classes: np.ndarray) -> np.ndarray:
    """The most frequent class of each row `[Q, n]`, in a tie that of the nearest voter."""
    counts = (classes[:, :, None] == classes[:, None, :]).sum(2)  # [Q, n], occurrences of each entry
    return np.take_along_axis(classes, counts.argmax(1)[:, None], 1)[:, 0]


def speeds(names: list[str]) -> dict[str, float]:
    """Images per second of each backbone as a ratio to the CNN's: medians of interleaved runs."""
    backbones = {name: load_backbone(BackboneConfig(name=name, image_size=96)) for name in dict.fromkeys([CNN, *names])}
    pixels = torch.randn(128, 3, 96, 96)
    seconds = {name: [] for name in backbones}
    for _ in range(REPEATS + 1):
        for name, backbone in backbones.items():
            started = time.perf_counter()
            with inference(torch.device("cpu")):
                backbone(pixels)
            seconds[name].append(time.perf_counter() - started)
    median = {name: float(np.median(values[1:])) for name, values in seconds.items()}
    return {name: median[CNN] / median[name] for name in names}


if __name__ == "__main__":
    main()
