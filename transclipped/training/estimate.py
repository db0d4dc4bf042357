"""How long a training will take on this machine, told before it starts.

What is to be done is counted: pictures that the feature cache lacks, steps of the head, pairs that measuring ranks. How
fast it goes is measured in a second or two on the real pictures, once, and remembered in speed.json beside
precision.json; for the same machine, pictures and network it is never measured again, unless `forget` is called.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from transclipped.config import BackboneConfig, RunConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split
from transclipped.errors import InputError
from transclipped.features.cache import FeatureCache, encode
from transclipped.flags import BUNDLED as BUNDLED_SETS
from transclipped.models import custom as own
from transclipped.models.backbone import BUNDLED, Backbone, load_backbone, weights_file
from transclipped.models.head import Head
from transclipped.models.precision import machine_key
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.metrics import measure as measure_ranking
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer
from transclipped.utils.files import cache_dir, write_json
from transclipped.utils.remembered import remember, remembered

STARTING = 7.0  # seconds until Python, torch and the pictures are loaded, on a laptop; not measured
LEARNING = 3  # forward passes that a pass with gradients is worth
BUDGET = 1.0  # seconds of encoding after which its speed is known
BUNDLED_BATCH, OTHER_BATCH = 64, 8  # pictures at a time while measuring
LARGEST_MODEL = 100_000_000  # parameters of a network that is made only to measure it
LARGEST_BATCH = 512  # of measured steps; larger ones are taken to cost the square of their ratio
WARM, STEPS = 2, 8  # steps of the head, not timed and timed
RANKED = (64, 5_000)  # queries and database of a timed ranking
MODES = 3  # kinds of search that are measured
_lock = threading.Lock()  # two measurements at once would halve each other


@dataclass(frozen=True)
class Work:
    """What a training is to do: `pictures` to encode, `steps` of the head, `pairs` to rank."""

    pictures: int
    steps: int
    pairs: int


@dataclass(frozen=True)
class Estimate:
    """Seconds of each part, and the pictures that are still to be encoded at `images_per_s`."""

    work: Work
    images_per_s: float
    encoding: float
    training: float
    measuring: float
    starting: float = STARTING

    @property
    def seconds(self) -> float:
        return self.starting + self.encoding + self.training + self.measuring


@dataclass(frozen=True)
class Known:
    """What the feature cache asks of a backbone, without its weights. `fingerprint` "" where nobody knows it yet."""

    name: str
    fingerprint: str
    image_size: int
    width: int


def estimate(config: RunConfig, images: ImageSet, split: Split) -> Estimate:
    """Seconds that a training will take.

    Raises:
        InputError: the backbone is unknown, cannot be had, or is too large to try out.
    """
    network = backbone_speed(config.backbone, images)
    known = Known(config.backbone.name, network["fingerprint"], network["image_size"], network["width"])
    todo = work(config, images, split, known)
    return Estimate(
        work=todo,
        images_per_s=network["images_per_s"],
        encoding=todo.pictures / network["images_per_s"],
        training=todo.steps * seconds_a_step(config, width=known.width),
        measuring=todo.pairs * seconds_a_pair() if images.labels is not None else 0.0,
    )


def work(config: RunConfig, images: ImageSet, split: Split, backbone: Known | Backbone) -> Work:
    """What is to be done, given what the feature cache holds; forward passes count as pictures if a backbone learns."""
    schedule = config.schedule
    steps = len(split.train) // schedule.batch * schedule.epochs
    pairs = MODES * len(split.query) * len(split.database)
    if config.backbone.train != "frozen":
        looks = schedule.epochs // config.validate_every * (len(split.train) + len(split.validation))
        learnt = 2 * LEARNING * schedule.epochs * len(split.train)
        validated = looks if len(split.validation) else 0
        return Work(learnt + validated + len(split.database) + len(split.query), steps, pairs)
    plain = np.unique(np.concatenate([split.train, split.validation, split.database, split.query]))
    cache = FeatureCache(images, backbone, seed=config.data.seed)
    known = bool(backbone.fingerprint)
    rows = [plain] + [split.train] * (schedule.views - 1)
    missing = [cache.missing(view, r) if known else r for view, r in enumerate(rows)]
    return Work(sum(map(len, missing)), steps, pairs)


def backbone_speed(config: BackboneConfig, images: ImageSet) -> dict[str, Any]:
    """images_per_s, image_size, width and fingerprint of a backbone that looks at these pictures; weights stay offline.

    Raises:
        InputError: it is unknown, its file is damaged, or it is too large to try out.
    """

    def measure() -> dict[str, Any]:
        backbone, fingerprint = _tried(config, images)
        return {
            "images_per_s": _images_per_s(backbone, images, BUNDLED_BATCH if config.name in BUNDLED else OTHER_BATCH),
            "image_size": backbone.image_size,
            "width": backbone.width,
            "fingerprint": fingerprint,
        }

    return _remembered(_encoding(config, images), measure)


def seconds_a_step(config: RunConfig, *, width: int) -> float:
    """Seconds of one step of the head on cached embeddings of `width` numbers."""
    batch = min(config.schedule.batch, LARGEST_BATCH)
    q = config.quantizer
    key = f"step {width} {batch} {q.bits} {q.dim} {q.codewords} {config.clipping.rule} {config.clipping.treatment}"
    schedule = replace(config.schedule, batch=batch, epochs=1, views=2)
    seconds = _remembered(key, lambda: _step_seconds(replace(config, schedule=schedule), width))
    return seconds * (config.schedule.batch / batch) ** 2


def seconds_a_pair() -> float:
    """Seconds to rank one item for one query, and to measure it."""
    return _remembered("pair", _pair_seconds)


def measured(config: RunConfig, images: ImageSet) -> bool:
    """Whether the speed of this backbone on these pictures is known already."""
    return _full_key(_encoding(config.backbone, images)) in remembered(_path())


def forget() -> None:
    """Measure all speeds again when they are next asked for."""
    write_json(_path(), {})


def _tried(config: BackboneConfig, images: ImageSet) -> tuple[Backbone, str]:
    """A backbone to time, and its fingerprint; with random weights where the real ones are on a hub."""
    local = config.name in BUNDLED or config.weights or config.name in own.BACKBONES or images.name == "embeddings"
    if local:
        backbone = load_backbone(config, default_size=images.default_size)
        return backbone, backbone.fingerprint
    if config.name.partition(".")[0] not in timm.list_models():
        raise InputError(f"there is no backbone {config.name!r}; timm.list_models() names all")
    with torch.device("meta"):
        parameters = sum(p.numel() for p in timm.create_model(config.name, num_classes=0).parameters())
    if parameters > LARGEST_MODEL:
        raise InputError(f"{config.name} has {parameters / 1e6:.0f} million parameters, too many to try out first")
    options = {} if config.image_size is None else {"img_size": config.image_size}
    try:
        network = timm.create_model(config.name, num_classes=0, **options)
    except TypeError:  # convolutional networks take any size and have no such option
        network = timm.create_model(config.name, num_classes=0)
    known = timm.data.resolve_model_data_config(network)
    size = config.image_size or known["input_size"][-1]
    return Backbone(network, name=config.name, image_size=size, mean=known["mean"], std=known["std"]), ""


def _images_per_s(backbone: Backbone, images: ImageSet, batch: int) -> float:
    """Decoding, augmenting and encoding, as the feature cache does it.

    Timed from the first picture on, since several batches are on their way when the first one arrives.
    """
    for _ in encode(backbone, images, np.arange(min(len(images), batch)), view=2, batch=batch):
        pass  # warms up
    n = max(2 * batch, min(len(images), 8 * batch))
    rows = np.linspace(0, len(images), n, endpoint=False).astype(int)  # some more than once where there are few
    started, done = time.perf_counter(), 0
    for encoded, _ in encode(backbone, images, rows, view=2, batch=batch):
        done += len(encoded)
        if time.perf_counter() - started > BUDGET:
            break
    return done / max(1e-9, time.perf_counter() - started)


def _step_seconds(config: RunConfig, width: int) -> float:
    batch = config.schedule.batch
    rng = np.random.default_rng(0)
    rows = np.arange(batch * (WARM + STEPS))
    views = [rng.normal(size=(batch, width)).astype(np.float16).repeat(WARM + STEPS, axis=0) for _ in range(2)]
    head = Head.from_config(width, config.quantizer, generator=torch.Generator().manual_seed(0))
    trainer = Trainer(head, CachedViews(views, rows, seed=0), config)
    started = 0.0
    for event in trainer.events():
        if event.kind == "step" and event.step == WARM:
            started = time.perf_counter()
    return (time.perf_counter() - started) / STEPS


def _pair_seconds() -> float:
    q, n = RANKED
    rng = np.random.default_rng(0)
    books = rng.normal(size=(4, 256, 16)).astype(np.float32)
    books /= np.linalg.norm(books, axis=-1, keepdims=True)
    index = PQIndex(books, rng.integers(0, 256, (n, 4), dtype=np.uint8))
    queries = rng.normal(size=(q, 64)).astype(np.float32)
    labels = {"query_labels": rng.integers(0, 10, q), "database_labels": rng.integers(0, 10, n)}
    measure_ranking(index, queries[:4], query_labels=labels["query_labels"][:4],
                    database_labels=labels["database_labels"], k=1000)  # fmt: skip
    started = time.perf_counter()
    measure_ranking(index, queries, **labels, k=1000)
    return (time.perf_counter() - started) / (q * n)


def _remembered(key: str, measure: Callable[[], Any]) -> Any:
    full = _full_key(key)
    with _lock:
        known = remembered(_path())
        if full in known:
            return known[full]
        value = measure()
        remember(_path(), full, value)
        return value


def _full_key(key: str) -> str:
    return f"{machine_key(torch.get_num_threads())} {key}"


def _path() -> Path:
    return cache_dir() / "speed.json"


def _encoding(config: BackboneConfig, images: ImageSet) -> str:
    """What a speed is measured for; custom pictures differ in size and so in decoding time, so each set has its own."""
    size = config.image_size or images.default_size
    which = images.name if images.name in BUNDLED_SETS else f"{images.name} {images.fingerprint}"
    return f"encode {which} {config.name} {config.weights} {size} {config.pool} {_stamp(config)}"


def _stamp(config: BackboneConfig) -> str:
    """Changes with a bundled model's or a person's file of weights."""
    path = weights_file(config)
    return f"{path.stat().st_size} {int(path.stat().st_mtime)}" if path.is_file() else "-"
