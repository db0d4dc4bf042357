"""Codes of a stacked denoising auto-encoder: 64 numbers of a grey image of 32 × 32 pixels, learned from the images.

The layers, 1024-512-256-64, learn from training images of the data set, without labels, and are kept in the cache. The
published system finds places that a robot has seen before. Only its abstract is public, so that widths, noise and
training are a reconstruction.

References:
    Ding et al. 2018, CAC: a stacked denoising auto-encoder for loop closure, by its abstract.
    Vincent et al. 2010, JMLR 11, "Stacked denoising autoencoders".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from transclipped.datasets.base import ImageSet, check_readable
from transclipped.datasets.embeddings import Embeddings
from transclipped.datasets.sampling import sample
from transclipped.datasets.views import render, view_parameters
from transclipped.errors import InputError
from transclipped.models.autoencoder import Stack, learn
from transclipped.models.precision import inference
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.retrieval.stages import stage
from transclipped.retrieval.vectors import unit
from transclipped.utils.files import cache_dir

SIDE = 32
WIDTHS = (SIDE * SIDE, 512, 256, 64)
GREY = (0.299, 0.587, 0.114)  # luma of R, G, B
TRAINING = 5000  # images that are learned from, at most
BATCH = 128


class Codes:
    """Unit codes of images, by a network that learns from rows of `source`."""

    def __init__(self, images: ImageSet, source: ImageSet, rows: np.ndarray, steps: int, seed: int) -> None:
        self.images, self.source, self.steps, self.seed = images, source, steps, seed
        self.rows = sample(source.readable(rows), TRAINING, seed=seed, purpose="sda")
        key = f"sda 1 {WIDTHS} {steps} {seed} {source.fingerprint} ".encode() + self.rows.astype("<i8").tobytes()
        self.fingerprint = hashlib.sha256(key).hexdigest()

    def batches(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        stack = self.stack
        for x in _grey(self.images, rows, view):
            with inference(torch.device("cpu")):
                codes = unit(stack(x).float().numpy())
            yield codes

    @cached_property
    def stack(self) -> Stack:
        """The network, trained if it is not in the cache."""
        path, stack = cache_dir() / "sda" / f"{self.fingerprint[:16]}.safetensors", Stack(WIDTHS, seed=self.seed)
        if not _loaded(stack, path):
            x = torch.cat(list(_grey(self.source, self.rows, 0)) or [torch.zeros(1, WIDTHS[0])])
            with tqdm(total=self.steps * len(WIDTHS), desc="sda", disable=None) as bar:  # shown in a terminal
                learn(stack, x, steps=self.steps, seed=self.seed, seen=bar.update)
            with suppress(InputError):  # a full disk only costs time later
                save_tensors(path, stack.state_dict())
        return stack.eval()


def _loaded(stack: Stack, path: Path) -> bool:
    """Whether a file holds the network's weights, which are then set."""
    try:
        stack.load_state_dict(load_tensors(path))
    except (InputError, RuntimeError):  # missing or damaged
        return False
    return True


def _grey(images: ImageSet, rows: np.ndarray, view: int) -> Iterator[Tensor]:
    """Grey images `[b, 1024]` in [0, 1], in batches."""
    parameters = view_parameters(len(images), view=view, seed=0) if view else None
    for start in range(0, len(rows), BATCH):
        chunk = np.asarray(rows)[start : start + BATCH]
        _, pixels = images.decoded(chunk, SIDE)
        check_readable(images, chunk)
        part = None if parameters is None else parameters[chunk]
        x = pixels.float() / 255
        if part is not None:
            x = render(pixels, part, size=pixels.shape[-1], mean=(0, 0, 0), std=(1, 1, 1))
        grey = (x * torch.tensor(GREY)[:, None, None]).sum(1, keepdim=True)
        yield F.interpolate(grey, (SIDE, SIDE), mode="area").flatten(1).clamp(0, 1)


@stage(
    "sda",
    kind="features",
    idea="The code of a stacked denoising auto-encoder, which learns to restore grey images; a reconstruction.",
    formula="h = σ(x W + b), x̂ = σ(h Wᵀ + c), three times: 1024-512-256-64",
    source="Ding et al. 2018, CAC",
    needs=("training",),
    bounds={"steps": (1, 10_000), "seed": (0, 2**31 - 1)},
)
def sda(images: ImageSet, training: tuple[ImageSet, np.ndarray], *, steps: int = 300, seed: int = 0) -> Codes:
    """Learned from rows of a data set in `steps` of 128 images for each layer and for all together."""
    if isinstance(images, Embeddings):
        raise InputError(f"{images.name} has no pixels to learn from; choose a data set of images")
    return Codes(images, *training, steps, seed)
