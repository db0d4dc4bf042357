"""Training data of the hybrid: corpora of bundled images, teachers' embeddings of them, and the stem's maps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import draw
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.experiments.pretrain.distill import distillation_targets
from transclipped.features.cache import FeatureCache, Progress
from transclipped.models.backbone import Backbone, load_backbone, stem_backbone

PLANS = (("cifar10", 96, 1), ("caltech101", 128, 2))  # corpus, pixels per side, passes per epoch
TEACHER_SCALE = 1.5  # image size of a teacher without a given size, relative to the student's


@dataclass(frozen=True)
class Images:
    """A corpus before embedding."""

    images: ImageSet
    rows: np.ndarray
    size: int  # pixels per side
    repeat: int  # passes per epoch


def chosen_corpora(limit: int | None = None) -> list[Images]:
    """The corpora, each with at most `limit` training rows."""
    corpora = []
    for dataset, size, repeat in PLANS:
        images = load(DataConfig(dataset=dataset))
        corpora.append(Images(images, draw(images, DataConfig(dataset=dataset)).train[:limit], size, repeat))
    return corpora


def teachers_targets(
    teachers: tuple[str, ...], corpora: list[Images], *, width: int, flips: bool, device: str
) -> Iterator[Progress]:
    """Targets `[n, width]` of each corpus, in one common space; teachers' embeddings are cached.

    Args:
        teachers: in the form of `parsed_teacher`.
        flips: average each teacher's embedding with that of the mirror image.
    """
    embeddings = []
    for spec in teachers:
        parts = []
        for images in corpora:
            cache = FeatureCache(images.images, _teacher(spec, images.size))
            for view in range(1 + flips):
                yield from cache.fill(view, images.rows, device=device)
            views = [cache.view(view)[images.rows].astype(np.float32) for view in range(1 + flips)]
            parts.append(sum(views) / len(views))
        embeddings.append(np.concatenate(parts))
    targets: Tensor = distillation_targets(embeddings, width=width)
    return targets.split([len(images.rows) for images in corpora])


def stem_maps(images: Images, *, views: int, stride: int, seed: int, device: str) -> Iterator[Progress]:
    """Feature maps `[N, F]` of V views by the frozen part of the stem, cached."""
    cache = FeatureCache(images.images, stem_backbone(images.size, stride=stride), seed=seed)
    for view in range(views):
        yield from cache.fill(view, images.rows, device=device)
    return [cache.view(view) for view in range(views)]


def parsed_teacher(spec: str) -> tuple[str, int | None, str | None]:
    """Name, size and file of a teacher given as NAME, NAME@SIZE, NAME=FILE or NAME@SIZE=FILE."""
    match = re.fullmatch(r"([^@=]+)(?:@(\d+))?(?:=(.+))?", spec)
    if not match:
        raise InputError(f"teacher {spec!r} must be NAME, NAME@SIZE, NAME=FILE or NAME@SIZE=FILE")
    name, size, weights = match.groups()
    return name, int(size) if size else None, weights


def _teacher(spec: str, student_size: int) -> Backbone:
    name, size, weights = parsed_teacher(spec)
    scaled = round(TEACHER_SCALE * student_size / 16) * 16
    return load_backbone(BackboneConfig(name=name, image_size=size or scaled, weights=weights))
