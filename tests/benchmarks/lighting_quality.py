"""Does `lighting` rank by light, and a network not? `python -m tests.benchmarks.lighting_quality`

300 photographs of Caltech-101, each under three lights: warm and bright (gamma 0.6), as it is, and blue, pale and dark
(gamma 1.6). For each of the 900 images, the share of the first 10 others that have its light; a third by chance. Then
the images per second of `lighting`.

How vectors are compared was chosen on four draws of 300 photographs of the database (`--choose`), and measured on four
draws of 300 queries, into `assets/pipeline/light-caltech101.json`. Means ± standard deviation over draws, which share
photographs, so that ± is too small; delete the file when the lights or `lighting` change:

| | choosing | queries |
| --- | --- | --- |
| l2, whiten(0.6), l2 | 0.772 ± 0.004 | 0.770 ± 0.011 |
| l2, whiten(0.75), l2 | 0.771 ± 0.004 | |
| l2, whiten(0.5), l2 | 0.768 ± 0.005 | |
| l2, whiten(0.25), l2 | 0.751 ± 0.006 | |
| standardise, whiten(0.75), l2 | 0.734 ± 0.009 | |
| standardise, whiten(0.5), l2 | 0.733 ± 0.008 | 0.733 ± 0.013 |
| l2, whiten(1), l2 | 0.733 ± 0.006 | |
| l2 | 0.730 ± 0.005 | |
| standardise, whiten(0.25), l2 | 0.727 ± 0.006 | |
| standardise, l2, whiten(0.5), l2 | 0.727 ± 0.007 | |
| standardise, whiten(1), l2 | 0.724 ± 0.006 | |
| standardise, l2 | 0.717 ± 0.005 | |
| histogram of 16 words, square roots | 0.700 ± 0.030 | |
| standardise, l2, dba(10) | 0.694 ± 0.006 | |
| hybrid-vit | | 0.336 ± 0.004 |
| efficientnet-lite0 | | 0.306 ± 0.004 |

375 images of Caltech-101 and 5,370 of CIFAR-10 a second, on one core.
"""

import sys
import time
from collections.abc import Sequence

import numpy as np
from PIL import Image

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.sampling import sample
from transclipped.experiments.pipelines.lighting import _numbers, _windows
from transclipped.experiments.pipelines.same_light import LINE, MEASURED, NETWORK
from transclipped.experiments.pipelines.source import ImageSource, Uploaded, images_of
from transclipped.utils.files import read_object, write_json

PHOTOGRAPHS, SIDE, FIRST, WORDS = 300, 160, 10, 16
LIGHTS = (  # gamma, saturation, tint
    (0.6, 1.0, (1.0, 0.85, 0.65)),
    (1.0, 1.0, (1.0, 1.0, 1.0)),
    (1.6, 0.5, (0.7, 0.85, 1.0)),
)
GREY = (0.299, 0.587, 0.114)
TIMED = {"caltech101": 1000, "cifar10": 5000}  # images
CHOICE = (
    *(f"lighting | l2 | whiten({power}) | l2" for power in (0.25, 0.5, 0.6, 0.75, 1)),
    *(f"lighting | standardise | whiten({power}) | l2" for power in (0.25, 0.5, 0.75, 1)),
    "lighting | standardise | l2 | whiten(0.5) | l2",
    "lighting | standardise | l2",
    "lighting | l2",
    "lighting | standardise | l2 | dba(10)",
)
LINES = (LINE, "lighting | standardise | whiten(0.5) | l2", NETWORK, "efficientnet-lite0 | l2")
DRAWS = {True: (1, 2, 3, 4), False: (0, 1, 2, 3)}  # seeds, for choosing and for measuring


def lit(pixels: np.ndarray, gamma: float, saturation: float, tint: tuple[float, float, float]) -> np.ndarray:
    """An image `[H, W, 3]` uint8 in another light."""
    x = pixels / 255
    grey = (x @ GREY)[..., None]
    return (255 * (grey + saturation * (x - grey)).clip(0, 1) ** gamma * tint).round().astype(np.uint8)


def of_same_light(lines: Sequence[str], images: list[Image.Image], like: ImageSet) -> list[float]:
    """Precision of the first others by lines of the same features."""
    (features,) = {tc.Pipeline(line).line.steps[0] for line in lines}
    shown = Uploaded(images, like=like, step=features)
    x = np.concatenate(list(features.stage.function(shown, **dict(features.options)).batches(np.arange(len(images)))))
    chains = [" | ".join(map(str, tc.Pipeline(line).line.steps[1:])) for line in lines]
    return [precision(tc.Pipeline(c).fit(np.float32(x)).search(np.float32(x), FIRST + 1).rows) for c in chains]


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


def choose(sets: list[list[Image.Image]], like: ImageSet) -> None:
    for line, *values in zip(CHOICE, *(of_same_light(CHOICE, images, like) for images in sets), strict=True):
        _show(line, values)
    _show("histogram of words", [of_same_words(images) for images in sets])


def measure(sets: list[list[Image.Image]], like: ImageSet) -> None:
    """Measure the lines that `MEASURED` lacks, and add them to it; start afresh if it was measured otherwise."""
    header = {"photographs": PHOTOGRAPHS, "lights": len(LIGHTS), "first": FIRST}
    stored = read_object(MEASURED) or {}
    same = header == {name: stored.get(name) for name in header}
    result = header | {"precision": stored["precision"] if same else {}}
    for line in LINES:
        if line not in result["precision"]:
            result["precision"][line] = [round(of_same_light([line], images, like)[0], 5) for images in sets]
            write_json(MEASURED, result)
        _show(line, result["precision"][line])
    for name, n in TIMED.items():
        print(f"{name}: {n / seconds(name, n):,.0f} images a second", flush=True)


def _show(line: str, values: list[float]) -> None:
    draws = " ".join(f"{value:.3f}" for value in values)
    print(f"{line:48} {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}  {draws}", flush=True)


def main(*, choosing: bool) -> None:
    source = images_of(DataConfig(dataset="caltech101"))
    rows = source.split.database if choosing else source.split.query
    draws = [sample(rows, PHOTOGRAPHS, seed=seed, purpose="lights") for seed in DRAWS[choosing]]
    (choose if choosing else measure)([rendered(draw, source) for draw in draws], source.images)


if __name__ == "__main__":
    main(choosing="--choose" in sys.argv)
