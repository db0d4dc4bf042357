"""Float embeddings of the bundled backbones, measured: `python -m tests.benchmarks.backbone_quality --out FILE`.

CIFAR-10 (I) at 96 pixels: 20-NN accuracy and mAP@1000 of 10,000 queries against 50,000. Caltech-101 at 160 pixels:
5-NN accuracy and mAP@100 of 1,010 queries against 2,020. A fixed subset, the first 2,000 CIFAR-10 training images:
mAP@100 of the last 500 against the first 1,500, which tests check. Speed: images a second at 96 pixels, all in one
run, as ratios to the CNN. Features are cached; the first run takes half an hour on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.quality import quality
from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.protocols import draw
from transclipped.datasets.registry import load
from transclipped.features.cache import FeatureCache, encode
from transclipped.models.backbone import load_backbone, weights_file
from transclipped.models.precision import inference
from transclipped.models.zoo import BUNDLED, CNN
from transclipped.utils.files import write_json
from transclipped.utils.progress import with_bars

SUBSET, ASKED = 2000, 500
SETS = {"cifar10": (96, 20, 1000), "caltech101": (160, 5, 100)}  # size, neighbours, K
REPEATS = 5


def main() -> None:
    """Measure the backbones that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file (default: print only)")
    parser.add_argument("--backbone", nargs="+", default=list(BUNDLED), choices=list(BUNDLED))
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    options = parser.parse_args()
    found = {name: measured(name, options.sets) for name in options.backbone}
    for name, ratio in speeds(options.backbone).items():
        found[name]["speed_ratio"] = round(ratio, 2)
    for name, values in found.items():
        print(name, values)
    if options.out:
        write_json(options.out, found)


def measured(name: str, sets: list[str]) -> dict:
    """File, subset and quality on each set of one backbone."""
    path = weights_file(BackboneConfig(name=name))
    found = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
    found["subset_map"] = round(subset_map(name), 4)
    for dataset in sets:
        size, neighbours, k = SETS[dataset]
        data = DataConfig(dataset=dataset)
        images = load(data)
        split = draw(images, data)
        cache = FeatureCache(images, load_backbone(BackboneConfig(name=name, image_size=size)))
        for rows in (split.database, split.query):
            for _ in with_bars(cache.fill(0, rows)):
                pass
        plain, labels = cache.view(0), images.labels
        got = quality(
            plain[split.query],
            plain[split.database],
            query_labels=labels[split.query],
            database_labels=labels[split.database],
            neighbours=neighbours,
            k=k,
        )
        found[dataset] = {"size": size, "accuracy": round(got.accuracy, 4), "map": round(got.map, 4), "k": k}
    return found


def subset_map(name: str) -> float:
    """mAP@100 within the fixed subset, in float32."""
    images = load(DataConfig())
    backbone = load_backbone(BackboneConfig(name=name), default_size=96)
    features = np.concatenate([f for _, f in encode(backbone, images, np.arange(SUBSET))])
    labels, database = images.labels, SUBSET - ASKED
    return quality(
        features[database:],
        features[:database],
        query_labels=labels[database:SUBSET],
        database_labels=labels[:database],
        neighbours=5,
        k=100,
    ).map


def speeds(names: list[str]) -> dict[str, float]:
    """Images a second of each backbone as a ratio to the CNN's: medians of runs that take turns."""
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
