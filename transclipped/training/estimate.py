"""Estimates how long a training will take on this machine, from the speed of earlier ones.

The amounts are counted: images missing from the feature cache, steps, and pairs to rank. The speeds are those of the
last similar training, stored in the cache folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from transclipped.config import SIMCLR, BackboneConfig, RunConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split
from transclipped.features.cache import FeatureCache, Progress
from transclipped.flags import BUNDLED
from transclipped.models.backbone import Backbone, BackboneInfo, weights_file
from transclipped.models.precision import machine_key
from transclipped.runs.session import Session
from transclipped.training.trainer import Event
from transclipped.utils.files import cache_dir, read_object
from transclipped.utils.machine import best_device
from transclipped.utils.measured import remember

STARTING = 7.0  # seconds to load Python, torch and the images, a constant for a laptop
MIN_ENCODED = 100  # encoded images for a reliable speed


@dataclass(frozen=True)
class Estimate:
    """The work of a training, and the seconds of each part."""

    images: int  # to encode
    steps: int
    encoding: float
    training: float
    measuring: float
    starting: float = STARTING

    @property
    def seconds(self) -> float:
        return self.starting + self.encoding + self.training + self.measuring


def estimate(config: RunConfig, images: ImageSet, split: Split) -> Estimate | None:
    """An estimate for a training; None until a similar one has run on this machine."""
    speeds, device = read_object(_path()), best_device()
    with suppress(KeyError, TypeError, ValueError, ZeroDivisionError):  # missing, or the file is damaged
        info = BackboneInfo(**speeds[_backbone(config.backbone, images)])
        n = n_encoded(config, images, split, info)
        steps = len(split.train) // config.schedule.batch * config.schedule.epochs
        pairs = len(split.query) * len(split.database) if images.labels is not None else 0
        keys = _speeds(config, images, info.width, device)
        return Estimate(
            images=n,
            steps=steps,
            encoding=n / speeds[keys.encoding] if n else 0.0,
            training=steps * config.schedule.batch / speeds[keys.training],
            measuring=pairs / speeds[keys.ranking] if pairs else 0.0,
        )
    return None


def n_encoded(config: RunConfig, images: ImageSet, split: Split, backbone: BackboneInfo | Backbone) -> int:
    """The number of images, counting each view, that are missing from the feature cache and encoded outside steps."""
    if config.backbone.train != "frozen":
        return len(split.database) + len(split.query)
    cache = FeatureCache(images, backbone, seed=config.data.seed)
    plain = np.concatenate([split.train, split.validation, split.database, split.query])
    rows = [plain] + [split.train] * (config.schedule.views - 1)
    return sum(len(cache.missing(view, r)) for view, r in enumerate(rows))


def storing_speeds(session: Session, work: Iterator[Progress | Event]) -> Iterator[Progress | Event]:
    """Yield the items of a training; after its end, store its speeds."""
    stages: dict[str, Progress] = {}  # the last item of each
    steps, started, seconds = [], 0.0, 0.0
    with closing(work):
        for item in work:
            if isinstance(item, Event):
                started = started if steps else time.monotonic()
                steps, seconds = [*steps[:1], item.step], time.monotonic() - started
            else:
                stages[item.what] = item
            yield item
    _remember(session, stages, steps=steps[-1] - steps[0] if steps else 0, seconds=seconds)


def _remember(session: Session, stages: dict[str, Progress], *, steps: int, seconds: float) -> None:
    config, images, backbone, split = session.config, session.images, session.backbone, session.split
    info = BackboneInfo(backbone.name, backbone.fingerprint, backbone.image_size, backbone.width)
    remember(_path(), _backbone(config.backbone, images), asdict(info))
    keys = _speeds(config, images, backbone.width, session.device)
    encoding = [stage for what, stage in stages.items() if what.startswith("encoding")]
    encoded, ranking = sum(stage.done for stage in encoding), stages.get("measuring")
    pairs = len(split.query) * len(split.database) if ranking and ranking.total else 0
    for key, amount, duration in (
        (keys.encoding, encoded if encoded >= MIN_ENCODED else 0, sum(stage.seconds for stage in encoding)),
        (keys.training, steps * config.schedule.batch, seconds),
        (keys.ranking, pairs, ranking.seconds if ranking else 0.0),
    ):
        if amount and duration:
            remember(_path(), key, amount / duration)


def _path() -> Path:
    return cache_dir() / "speed.json"


def _backbone(config: BackboneConfig, images: ImageSet) -> str:
    """Key of a backbone for these images; it changes with the weights file."""
    file = weights_file(config)
    stamp = f"{file.stat().st_size} {int(file.stat().st_mtime)}" if file.is_file() else "-"
    return f"backbone {config.name} {config.weights} {config.image_size or images.default_size} {config.pool} {stamp}"


class _Keys(NamedTuple):
    encoding: str  # images per second
    training: str  # images per second, for any batch size
    ranking: str  # pairs of query and database item per second


def _speeds(config: RunConfig, images: ImageSet, width: int, device: str) -> _Keys:
    """Keys of the stored speeds; each custom image set has its own, since decoding time depends on image size."""
    machine = f"{machine_key()} {torch.device(device).type}"
    dataset = images.name if images.name in BUNDLED else f"{images.name} {images.fingerprint}"
    encoding = f"{machine} encode {dataset} {_backbone(config.backbone, images)}"
    training = f"{encoding} {config.backbone.train}"
    if config.backbone.train == "frozen":
        training = f"{machine} train {width} {config.quantizer.bits}"
    if config.loss.objective != SIMCLR:
        training += f" {config.loss.objective}"
    return _Keys(encoding, training, f"{machine} rank")
