"""Backbones of one's own: a Python file registers them by name, and `--plugin FILE --backbone NAME` uses them.

    @register("thumbnails")
    def thumbnails() -> nn.Module:
        return Thumbnails()  # maps [B, 3, S, S] to [B, num_features]

The network's attributes `image_size`, `mean` and `std` say what it wants to be fed; without them it gets the data
set's size and ImageNet's normalisation.
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
SIZE = 224  # pixels a side, where nobody says

Factory = Callable[[], nn.Module]
BACKBONES: Registry[Factory] = Registry("backbone.name")
register = BACKBONES.register


class Created(NamedTuple):
    """A network with what it is fed; `variant` changes with the file that defines it."""

    network: nn.Module
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    variant: str


def create(config: BackboneConfig, *, default_size: int | None) -> Created:
    """The registered backbone that a configuration names.

    Raises:
        InputError: it cannot be made, or does not map images to embeddings.
    """
    if config.weights or config.pool:
        raise InputError(f"backbone {config.name} is of your own file; let that load its weights and pool them")
    factory = BACKBONES[config.name]
    try:
        network = factory().eval()
        size = config.image_size or getattr(network, "image_size", None) or default_size or SIZE
        with torch.inference_mode():
            shape = tuple(network(torch.zeros(1, 3, size, size)).shape)
    except Exception as error:  # whatever a person's own code raises
        raise InputError(f"backbone {config.name} fails: {type(error).__name__}: {error}") from error
    if shape != (1, getattr(network, "num_features", None)):
        raise InputError(
            f"backbone {config.name} makes {[*shape]} of one image; it must be [1, F] with F its `num_features`"
        )
    mean, std = getattr(network, "mean", MEAN), getattr(network, "std", STD)
    return Created(network, size, tuple(mean), tuple(std), _digest(factory))


def _digest(factory: Factory) -> str:
    source = inspect.getsourcefile(factory)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest() if source and Path(source).is_file() else ""
