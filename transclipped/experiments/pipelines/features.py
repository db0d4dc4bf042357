"""Features stages: pooled vectors of a backbone, through the feature cache, and feature maps, streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from transclipped.config import IDENTITY, BackboneConfig
from transclipped.datasets.base import ImageSet, check_readable
from transclipped.datasets.embeddings import Embeddings
from transclipped.datasets.views import render, view_parameters
from transclipped.errors import InputError
from transclipped.features.cache import FeatureCache, encode
from transclipped.models import custom
from transclipped.models.backbone import Backbone, load_backbone, stem_backbone
from transclipped.models.hybrid import CHANNELS, STRIDE
from transclipped.models.precision import inference
from transclipped.models.zoo import BUNDLED, CNN, HYBRID
from transclipped.retrieval.stages import STAGES, stage
from transclipped.utils.progress import count_images, with_bars

BATCH = 32  # images whose maps are computed at once
SIZES = (0, 2048)  # pixels per side, 0 for the data set's default
load = lru_cache(maxsize=4)(load_backbone)


class Pooled:
    """Vectors of a backbone; those of a data set are cached, those of uploaded images are not."""

    def __init__(self, images: ImageSet, backbone: Backbone) -> None:
        self.images, self.backbone = images, backbone
        self.fingerprint = f"{backbone.fingerprint} {backbone.image_size}"

    def batches(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        if getattr(self.images, "transient", False):
            yield from (features for _, features in encode(self.backbone, self.images, rows, view=view))
            return
        cache = FeatureCache(self.images, self.backbone)
        for _ in with_bars(cache.fill(view, rows)):
            pass
        check_readable(self.images, rows)
        yield cache.view(view)[rows]


class Maps:
    """Maps of a network, clamped at 0: pooling assumes that a channel is active or not."""

    def __init__(self, images: ImageSet, backbone: Backbone, network: nn.Module, name: str) -> None:
        self.images, self.backbone, self.network = images, backbone, network.eval()
        self.fingerprint = hashlib.sha256(f"{name} {backbone.fingerprint} {backbone.image_size}".encode()).hexdigest()

    def batches(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        return count_images(self._maps(rows, view), len(rows), "maps")

    def _maps(self, rows: np.ndarray, view: int) -> Iterator[np.ndarray]:
        parameters = view_parameters(len(self.images), view=view, seed=0) if view else None
        for start in range(0, len(rows), BATCH):
            chunk = rows[start : start + BATCH]
            _, pixels = self.images.decoded(chunk, self.backbone.image_size)
            check_readable(self.images, chunk)
            part = None if parameters is None else parameters[chunk]
            size, mean, std = self.backbone.image_size, self.backbone.mean, self.backbone.std
            with inference(torch.device("cpu")):
                maps = self.network(render(pixels, part, size=size, mean=mean, std=std)).clamp(min=0).float().numpy()
            yield maps


class _Stem(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self.side = backbone, backbone.image_size // STRIDE

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone(images).unflatten(1, (CHANNELS[STRIDE], self.side, self.side))


class _Head(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone.network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.forward_features(images.contiguous(memory_format=torch.channels_last))


class _Tokens(nn.Module):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone.network

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.network.forward_features(images)  # [B, prefix + h · w, C]
        tokens = tokens[:, getattr(self.network, "num_prefix_tokens", 0) :]
        side = round(tokens.shape[1] ** 0.5)
        return tokens.mT.unflatten(2, (side, side))


@stage(
    "stem16",
    kind="features",
    gives="maps",
    idea="Maps of EfficientNet-Lite0 at stride 16: 112 channels, fine places.",
    formula="max(F, 0), F [112, S/16, S/16]",
    source="arXiv 1905.11946",
    bounds={"size": SIZES},
)
def stem16(images: ImageSet, *, size: int = 0) -> Maps:
    backbone = _stem(size or images.default_size)
    return Maps(images, backbone, _Stem(backbone), "stem16")


@stage(
    "head32",
    kind="features",
    gives="maps",
    idea="The last maps of EfficientNet-Lite0, before pooling: 1,280 channels at stride 32.",
    formula="max(F, 0), F [1280, S/32, S/32]",
    source="arXiv 1905.11946",
    bounds={"size": SIZES},
)
def head32(images: ImageSet, *, size: int = 0) -> Maps:
    backbone = load(BackboneConfig(name=CNN, image_size=size or images.default_size))
    return Maps(images, backbone, _Head(backbone), "head32")


@stage(
    "tokens",
    kind="features",
    gives="maps",
    idea="The tokens of a vision transformer as a map, one for each place.",
    formula="max(F, 0), F [C, h, w] of tokens",
    source="arXiv 2010.11929",
    bounds={"size": SIZES},
)
def tokens(images: ImageSet, *, backbone: str = HYBRID, size: int = 0) -> Maps:
    model = load(BackboneConfig(name=backbone, image_size=size or images.default_size))
    if not hasattr(model.network, "num_prefix_tokens"):
        raise InputError(f"{backbone} has no tokens; choose a vision transformer, such as {HYBRID}")
    return Maps(images, model, _Tokens(model), "tokens")


@stage(
    "backbone",
    kind="features",
    idea="Pooled vectors of any model of timm, or of one from a plug-in.",
    formula="x = network(image)",
    source="doi 10.5281/zenodo.4414861",
    bounds={"size": SIZES},
)
def backbone(images: ImageSet, *, name: str, size: int = 0) -> Pooled:
    if isinstance(images, Embeddings) != (name == IDENTITY):
        raise InputError(f"{name} does not suit {images.name}: imported embeddings go with backbone:{IDENTITY}")
    config = BackboneConfig(name=name, image_size=size or None)
    loaded = load_backbone if name in custom.BACKBONES else load  # a plug-in may be loaded again
    return Pooled(images, loaded(config, default_size=images.default_size))


_stem = lru_cache(maxsize=2)(stem_backbone)


def register_backbones() -> None:
    """Register bundled and custom backbones as features stages of their own name."""
    words = {name: bundled.words for name, bundled in BUNDLED.items()}
    for name in (*BUNDLED, *custom.BACKBONES):
        if name not in STAGES:
            _register(name, words.get(name, "A backbone from a plug-in"))


def _register(name: str, words: str) -> None:
    @stage(
        name,
        kind="features",
        idea=f"{words}: one vector for each image.",
        formula="x = network(image)",
        source="arXiv 2010.11929" if name.startswith("hybrid") else "arXiv 1905.11946",
        bounds={"size": SIZES},
    )
    def pooled(images: ImageSet, *, size: int = 0) -> Pooled:
        return backbone(images, name=name, size=size)


register_backbones()
