"""How long a training will take on this machine, by the speed of those before it.

What is to be done is counted: images that the feature cache lacks, steps, pairs that measuring ranks. How long each
takes is what the last training like it took, remembered in the cache.
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

from transclipped.config import BackboneConfig, RunConfig
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

STARTING = 7.0  # seconds until Python, torch and the images are loaded, on a laptop; not measured
ENOUGH = 100  # encoded images that tell a speed


@dataclass(frozen=True)
class Estimate:
    """What a training is to do, and the seconds that each part takes.

    Attributes:
        images: to encode.
        steps: of training.
    """

    images: int
    steps: int
    encoding: float
    training: float
    measuring: float
    starting: float = STARTING

    @property
    def seconds(self) -> float:
        return self.starting + self.encoding + self.training + self.measuring


def estimate(config: RunConfig, images: ImageSet, split: Split) -> Estimate | None:
    """Seconds that a training will take; None as long as none like it has run on this machine."""
    known, device = read_object(_path()), best_device()
    with suppress(KeyError, TypeError, ValueError, ZeroDivisionError):  # unknown, or the file is damaged
        info = BackboneInfo(**known[_backbone(config.backbone, images)])
        n = n_encoded(config, images, split, info)
        steps = len(split.train) // config.schedule.batch * config.schedule.epochs
        pairs = len(split.query) * len(split.database) if images.labels is not None else 0
        keys = _speeds(config, images, info.width, device)
        return Estimate(
            images=n,
            steps=steps,
            encoding=n / known[keys.encoding] if n else 0.0,
            training=steps * config.schedule.batch / known[keys.training],
            measuring=pairs / known[keys.ranking] if pairs else 0.0,
        )
    return None


def n_encoded(config: RunConfig, images: ImageSet, split: Split, backbone: BackboneInfo | Backbone) -> int:
    """Images that are encoded beside the steps, given what the feature cache holds; a view counts as an image."""
    if config.backbone.train != "frozen":
        return len(split.database) + len(split.query)
    cache = FeatureCache(images, backbone, seed=config.data.seed)
    plain = np.concatenate([split.train, split.validation, split.database, split.query])
    rows = [plain] + [split.train] * (config.schedule.views - 1)
    return sum(len(cache.missing(view, r)) for view, r in enumerate(rows))


def remembering(session: Session, work: Iterator[Progress | Event]) -> Iterator[Progress | Event]:
    """Pass on what a training tells; when it has finished, remember how fast it was."""
    stages: dict[str, Progress] = {}  # the last word of each
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
    config, images, backbone, split, path = session.config, session.images, session.backbone, session.split, _path()
    info = BackboneInfo(backbone.name, backbone.fingerprint, backbone.image_size, backbone.width)
    remember(path, _backbone(config.backbone, images), asdict(info))
    keys = _speeds(config, images, backbone.width, session.device)
    encoding = [stage for what, stage in stages.items() if what.startswith("encoding")]
    encoded = sum(stage.done for stage in encoding)
    ranking = stages.get("measuring")
    ranked = len(split.query) * len(split.database) if ranking and ranking.total else 0
    for key, amount, took in (
        (keys.encoding, encoded if encoded >= ENOUGH else 0, sum(stage.seconds for stage in encoding)),
        (keys.training, steps * config.schedule.batch, seconds),
        (keys.ranking, ranked, ranking.seconds if ranking else 0.0),
    ):
        if amount and took:
            remember(path, key, amount / took)


def _path() -> Path:
    return cache_dir() / "speed.json"


def _backbone(config: BackboneConfig, images: ImageSet) -> str:
    """Key of a backbone for these images; it changes with a bundled model's or a person's file of weights."""
    file = weights_file(config)
    stamp = f"{file.stat().st_size} {int(file.stat().st_mtime)}" if file.is_file() else "-"
    return f"backbone {config.name} {config.weights} {config.image_size or images.default_size} {config.pool} {stamp}"


class _Keys(NamedTuple):
    encoding: str  # images a second
    training: str  # images of its batches a second; other batches are taken to be as fast
    ranking: str  # pairs of query and database item a second


def _speeds(config: RunConfig, images: ImageSet, width: int, device: str) -> _Keys:
    """Keys of what is alike fast; custom images differ in size and so in decoding time, so each set has its own."""
    machine = f"{machine_key()} {torch.device(device).type}"
    which = images.name if images.name in BUNDLED else f"{images.name} {images.fingerprint}"
    encoding = f"{machine} encode {which} {_backbone(config.backbone, images)}"
    frozen = config.backbone.train == "frozen"
    head = f"{machine} train {width} {config.quantizer.bits}"
    return _Keys(encoding, head if frozen else f"{encoding} {config.backbone.train}", f"{machine} rank")
