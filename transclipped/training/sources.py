"""Sources of the two views of a batch: the feature cache, or freshly augmented images.

The batches of an epoch depend on (seed, epoch) only, so training can resume within an epoch after a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from transclipped.datasets.base import ImageSet
from transclipped.datasets.views import random_parameters, render
from transclipped.errors import InputError

if TYPE_CHECKING:  # timm takes seconds to import, and a head trains on cached views without it
    from transclipped.models.backbone import Backbone


class Batch(NamedTuple):
    """Two views of B images."""

    rows: np.ndarray  # [B] int64
    views: Tensor  # [2B, …], i and i + B of one image


class Source(Protocol):
    """The trainer's data."""

    rows: np.ndarray

    def batches(self, epoch: int, *, batch: int, skip: int = 0) -> Iterator[Batch]:
        """Batches of an epoch in order, without the first `skip`; an incomplete last one is dropped."""


class CachedViews:
    """Pairs of different cached views of each image.

    Args:
        views: V >= 2 arrays or memory maps `[N, F]`.
        rows: training rows `[n]`.
        seed: for the order and the choice of views.
    """

    def __init__(self, views: list[np.ndarray], rows: np.ndarray, *, seed: int) -> None:
        self.views, self.rows, self.seed = views, rows, seed

    def batches(self, epoch: int, *, batch: int, skip: int = 0) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.rows)
        first = rng.integers(len(self.views), size=len(order))
        second = (first + rng.integers(1, len(self.views), size=len(order))) % len(self.views)
        partners = self.partners(epoch, order)
        for start in range(skip * batch, len(order) - batch + 1, batch):
            part = slice(start, start + batch)
            rows = np.concatenate([order[part], partners[part]])
            which = np.concatenate([first[part], second[part]])
            yield Batch(order[part], torch.from_numpy(gathered(self.views, rows, which)))

    def partners(self, epoch: int, order: np.ndarray) -> np.ndarray:
        """Rows `[n]` of the images of the second views: the anchors themselves."""
        return order


class FreshViews:
    """Two newly augmented views of each image, for training a backbone.

    Images that cannot be decoded make their batch smaller and do not change the order of the others, so a resumed
    training gives the same result as one that was never stopped.

    Args:
        rows: training rows `[n]`.
        backbone: sets the size and normalisation of the views.
        seed: for the order and the augmentation.
        device: for rendering the views.
    """

    def __init__(
        self, images: ImageSet, rows: np.ndarray, backbone: Backbone, *, seed: int, device: str = "cpu"
    ) -> None:
        self.images, self.rows, self.backbone, self.seed, self.device = images, rows, backbone, seed, device

    def batches(self, epoch: int, *, batch: int, skip: int = 0) -> Iterator[Batch]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        size, mean, std = self.backbone.image_size, self.backbone.mean, self.backbone.std
        for step in range(skip, len(order) // batch):
            rows = order[step * batch : (step + 1) * batch]
            rng = np.random.default_rng([self.seed, epoch, step])
            rows, pixels = self.images.decoded(rows, size, framed=self.backbone.framed)
            if len(rows) < 2:
                raise InputError(f"only {len(rows)} of {batch} images in a batch can be read; is their disk connected?")
            pixels = pixels.to(self.device).repeat(2, 1, 1, 1)
            parameters = random_parameters(len(pixels), generator=rng)
            yield Batch(rows, render(pixels, parameters, size=size, mean=mean, std=std))


def gathered(views: list[np.ndarray], rows: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Row rows[i] of view which[i], `[B, F]` float16."""
    out = np.empty((len(rows), views[0].shape[1]), np.float16)
    for v, view in enumerate(views):
        out[which == v] = view[rows[which == v]]
    return out
