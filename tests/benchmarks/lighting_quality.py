"""Does `lighting` rank by light, and a network not? `python -m tests.benchmarks.lighting_quality`

300 photographs of Caltech-101, each under three lights: warm and bright (gamma 0.6), as it is, and blue, pale and dark
(gamma 1.6). For each of the 900 images, the share of the first 10 others that have its light; a third by chance. Then
the images per second of `lighting`.

On one core: lighting | standardise | l2 0.731, lighting | l2 0.740, hybrid-vit 0.333, efficientnet-lite0 0.304; 344
images of Caltech-101 and 5,533 of CIFAR-10 a second. On 300 other photographs the first gives 0.686.
"""

import time

import numpy as np
from PIL import Image

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.sampling import sample
from transclipped.experiments.pipelines.source import Uploaded, images_of

PHOTOGRAPHS, SIDE, FIRST = 300, 160, 10
LIGHTS = (  # gamma, saturation, tint
    (0.6, 1.0, (1.0, 0.85, 0.65)),
    (1.0, 1.0, (1.0, 1.0, 1.0)),
    (1.6, 0.5, (0.7, 0.85, 1.0)),
)
GREY = (0.299, 0.587, 0.114)
TIMED = {"caltech101": 1000, "cifar10": 5000}  # images
LINES = ("lighting | standardise | l2", "lighting | l2", "hybrid-vit | l2", "efficientnet-lite0 | l2")


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
    light = np.arange(len(images)) % len(LIGHTS)
    others = [row[row != i][:FIRST] for i, row in enumerate(rows)]
    return float((light[np.array(others)] == light[:, None]).mean())


def seconds(name: str, n: int) -> float:
    source = images_of(DataConfig(dataset=name))
    step = tc.Pipeline("lighting").line.steps[0]
    started = time.perf_counter()
    for _ in source.features(step, source.images).batches(source.split.database[:n]):
        pass
    return time.perf_counter() - started


def main() -> None:
    source = images_of(DataConfig(dataset="caltech101"))
    rows = sample(source.split.database, PHOTOGRAPHS, seed=0, purpose="lights")
    pixels = source.images.pixels(rows, SIDE).permute(0, 2, 3, 1).numpy()
    images = [Image.fromarray(lit(photograph, *light)) for photograph in pixels for light in LIGHTS]
    for line in LINES:
        print(f"{line:30} P@{FIRST} {of_same_light(line, images, source.images):.3f}", flush=True)
    for name, n in TIMED.items():
        print(f"{name}: {n / seconds(name, n):,.0f} images a second", flush=True)


if __name__ == "__main__":
    main()
