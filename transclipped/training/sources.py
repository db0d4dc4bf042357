"""Where the two views of a batch come from: the feature cache, or freshly augmented images.

A source is asked for the batches of an epoch and owes the same answer each time: everything random in it
follows from (seed, epoch), so training can go on in mid-epoch after a crash.
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

if TYPE_CHECKING:  # timm takes seconds, and a head learns from cached views without
    from transclipped.models.backbone import Backbone


class Batch(NamedTuple):
    """rows `[B]` int64; views `[2B, …]`, rows i and i + B of one image."""

    rows: np.ndarray
    views: Tensor


class Source(Protocol):
    """What the trainer asks for."""

    rows: np.ndarray

    def batches(self, epoch: int, *, batch: int, skip: int = 0) -> Iterator[Batch]:
        """Batches of an epoch in order, without the first `skip`; an incomplete last one is left out."""


class CachedViews:
    """Pairs of different cached views of each image.

    Args:
        views: V >= 2 arrays or memory maps `[N, F]`.
        rows: training rows `[n]`.
        seed: of the order and of the choice of views.
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
        """Whose view each anchor's second view is, `[n]` rows: its own."""
        return order


class FreshViews:
    """Two newly augmented views of each image, for a backbone that learns.

    Images that cannot be decoded leave their batch smaller, each time: the order of the others stays the same whether
    they were known to be unreadable before or not, so a resumed training ends as one that was never stopped.

    Args:
        images: the images.
        rows: training rows `[n]`.
        backbone: whose size and normalisation the views take.
        seed: of the order and of the augmentation.
        device: where the views are rendered.
    """

    def __init__(
        self, images: ImageSet, rows: np.ndarray, backbone: Backbone, *, seed: int, device: str = "cpu"
    ) -> None:
        self.images, self.rows, self.backbone, self.seed, self.device = images, rows, backbone, seed, device

    def batches(self, epoch: int, *, batch: int, skip: int = 0) -> Iterator[Batch]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        look = self.backbone
        for step in range(skip, len(order) // batch):
            rows = order[step * batch : (step + 1) * batch]
            rng = np.random.default_rng([self.seed, epoch, step])
            rows, pixels = self.images.decoded(rows, look.image_size)
            if len(rows) < 2:
                raise InputError(f"{len(rows)} of a batch's {batch} images can be read; is the disk with them there?")
            pixels = pixels.to(self.device).repeat(2, 1, 1, 1)
            drawn = random_parameters(len(pixels), generator=rng)
            yield Batch(rows, render(pixels, drawn, size=look.image_size, mean=look.mean, std=look.std))


def gathered(views: list[np.ndarray], rows: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Row rows[i] of view which[i], `[B, F]` float16."""
    out = np.empty((len(rows), views[0].shape[1]), np.float16)
    for v, view in enumerate(views):
        mine = which == v
        out[mine] = view[rows[mine]]
    return out
