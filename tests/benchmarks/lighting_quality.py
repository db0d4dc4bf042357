"""Does `lighting` rank by light, and a network not? `python -m tests.benchmarks.lighting_quality`

300 photographs of Caltech-101, each under three lights: warm and bright (gamma 0.6), as it is, and blue, pale and dark
(gamma 1.6). For each of the 900 images, the share of the first 10 others that have its light; a third by chance. Then
the images per second of `lighting`.

How vectors are compared was chosen on four times 300 photographs of the database (`--choose`, means); five ways were
also measured on 300 queries. On one core:

| | choosing | queries |
| --- | --- | --- |
| standardise, whiten(0.5), l2 | 0.733 | 0.745 |
| l2 alone | 0.730 | 0.741 |
| standardise, whiten(0.25), l2 | 0.727 | |
| standardise, whiten(1), l2 | 0.724 | |
| standardise, l2 | 0.717 | 0.731 |
| histogram of 16 words, square roots | 0.700 | 0.685 |
| standardise, l2, dba(10) | 0.694 | |
| hybrid-vit | | 0.340 |
| efficientnet-lite0 | | 0.308 |

348 images of Caltech-101 and 4,894 of CIFAR-10 a second.
"""

import sys
import time

import numpy as np
from PIL import Image

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.sampling import sample
from transclipped.experiments.pipelines.lighting import _numbers, _windows
from transclipped.experiments.pipelines.same_light import LINE
from transclipped.experiments.pipelines.source import ImageSource, Uploaded, images_of

PHOTOGRAPHS, SIDE, FIRST, WORDS = 300, 160, 10, 16
LIGHTS = (  # gamma, saturation, tint
    (0.6, 1.0, (1.0, 0.85, 0.65)),
    (1.0, 1.0, (1.0, 1.0, 1.0)),
    (1.6, 0.5, (0.7, 0.85, 1.0)),
)
GREY = (0.299, 0.587, 0.114)
TIMED = {"caltech101": 1000, "cifar10": 5000}  # images
WHITENED = tuple(f"lighting | standardise | whiten({power}) | l2" for power in (0.25, 0.5, 1))
CHOICE = (*WHITENED, "lighting | standardise | l2", "lighting | l2", "lighting | standardise | l2 | dba(10)")
LINES = (LINE, "lighting | standardise | l2", "lighting | l2", "hybrid-vit | l2", "efficientnet-lite0 | l2")


def lit(pixels: np.ndarray, gamma: float, saturation: float, tint: tuple[float, float, float]) -> np.ndarray:
    """An image `[H, W, 3]` uint8 in another light."""
    x = pixels / 255
    grey = (x @ GREY)[..., None]
    return (255 * (grey + saturation * (x - grey)).clip(0, 1) ** gamma * tint).round().astype(np.uint8)


def of_same_light(line: str, images: list[Image.Image], like: ImageSet) -> float:
    """Precision of the first others."""
    features, *steps = tc.Pipeline(line).line.steps
    shown = Uploaded(images, like=like, step=features)
    x = np.concatenate(list(features.stage.function(shown, **dict(features.options)).batches(np.arange(len(images)))))
    rows = tc.Pipeline(" | ".join(map(str, steps))).fit(np.float32(x)).search(np.float32(x), FIRST + 1).rows
    return precision(rows)


def of_same_words(images: list[Image.Image]) -> float:
    """The same by the other reading: how often each of 16 kinds of windows occurs, compared by square roots."""
    import faiss

    pixels = np.stack([np.asarray(image) for image in images])
    numbers = _numbers(_windows(pixels, np.arange(len(pixels)), 0))  # [B, windows, 9]
    flat = numbers.reshape(-1, numbers.shape[2])
    scaled = np.float32((flat - flat.mean(0)) / flat.std(0))
    kmeans = faiss.Kmeans(scaled.shape[1], WORDS, niter=25, nredo=3, seed=0)
    kmeans.train(scaled)
    word = kmeans.index.search(scaled, 1)[1].reshape(numbers.shape[:2])
    shares = np.sqrt((word[..., None] == np.arange(WORDS)).mean(1, dtype=np.float32))
    return precision(tc.Pipeline("float").fit(shares).search(shares, FIRST + 1).rows)


def precision(rows: np.ndarray) -> float:
    """Share of the first other images `[B, FIRST + 1]` that have the light of their query."""
    light = np.arange(len(rows)) % len(LIGHTS)
    others = [row[row != i][:FIRST] for i, row in enumerate(rows)]
    return float((light[np.array(others)] == light[:, None]).mean())


def seconds(name: str, n: int) -> float:
    source = images_of(DataConfig(dataset=name))
    step = tc.Pipeline("lighting").line.steps[0]
    started = time.perf_counter()
    for _ in source.features(step, source.images).computed(source.split.database[:n]):
        pass
    return time.perf_counter() - started


def rendered(rows: np.ndarray, source: ImageSource) -> list[Image.Image]:
    """Photographs under each light, those of one photograph next to each other."""
    pixels = source.images.pixels(rows, SIDE).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(lit(photograph, *light)) for photograph in pixels for light in LIGHTS]


def main(*, choose: bool) -> None:
    source = images_of(DataConfig(dataset="caltech101"))
    of, seeds = (source.split.database, (1, 2, 3, 4)) if choose else (source.split.query, (0,))
    sets = [rendered(sample(of, PHOTOGRAPHS, seed=seed, purpose="lights"), source) for seed in seeds]
    for line in CHOICE if choose else LINES:
        values = [of_same_light(line, images, source.images) for images in sets]
        print(f"{line:48} P@{FIRST}", *(f"{value:.3f}" for value in values), flush=True)
    values = [of_same_words(images) for images in sets]
    print(f"{'histogram of words':48} P@{FIRST}", *(f"{value:.3f}" for value in values), flush=True)
    for name, n in TIMED.items() if not choose else ():
        print(f"{name}: {n / seconds(name, n):,.0f} images a second", flush=True)


if __name__ == "__main__":
    main(choose="--choose" in sys.argv)
