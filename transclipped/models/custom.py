"""Custom backbones: a Python file registers them by name, and `--plugin FILE --backbone NAME` uses them.

    @register("thumbnails")
    def thumbnails() -> nn.Module:
        return Thumbnails()  # maps [B, 3, S, S] to [B, num_features]

The network's attributes `image_size`, `mean` and `std` describe its input; the defaults are the data set's size and
ImageNet's normalisation.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from transclipped.config import BackboneConfig
from transclipped.errors import InputError
from transclipped.registry import Registry

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
SIZE = 224  # pixels per side, by default

Factory = Callable[[], nn.Module]
BACKBONES: Registry[Factory] = Registry("backbone.name")
register = BACKBONES.register


class Created(NamedTuple):
    """A network and its input; `variant` changes with the file that defines it."""

    network: nn.Module
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    variant: str


def create(config: BackboneConfig, *, default_size: int | None) -> Created:
    """A registered backbone; InputError if its code fails or does not map images to embeddings."""
    if config.weights or config.pool:
        raise InputError(f"backbone {config.name} is custom; load its weights and pool in its own file")
    factory = BACKBONES[config.name]
    try:
        network = factory().eval()
        size = config.image_size or getattr(network, "image_size", None) or default_size or SIZE
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(1, 3, size, size)).shape)
    except Exception as error:  # custom code may raise anything
        raise InputError(f"backbone {config.name} fails: {type(error).__name__}: {error}") from error
    if shape != (1, getattr(network, "num_features", None)):
        raise InputError(
            f"backbone {config.name} maps one image to {[*shape]}; it must be [1, F] with F its `num_features`"
        )
    mean, std, source = getattr(network, "mean", MEAN), getattr(network, "std", STD), inspect.getsourcefile(factory)
    digest = hashlib.sha256(Path(source).read_bytes()).hexdigest() if source and Path(source).is_file() else ""
    return Created(network, size, tuple(mean), tuple(std), digest)
