"""One channel: the preprocessing of images that are measurements, such as radar's, in front of any backbone.

An image is padded with zeros or cut to `frame` pixels per side around its centre, not scaled; but in a data set whose
images have one native size, such as CIFAR-10, they are scaled to `frame`. The grey value is resized to `size`,
bilinear, with corners aligned and without antialiasing, repeated to three channels and normalised. Resizing commutes
with normalisation, since its weights sum to 1; so images are normalised first, as those of any backbone, and the
network begins with the rest.

Source: Glaser et al. 2025, WV-Net, arXiv 2406.18765, and the constants of its public loader.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, of red, green and blue; a grey image stays as it is


@dataclass(frozen=True)
class Recipe:
    """Constants of a preset.

    Attributes:
        frame: side in pixels that images are padded or cut to, or scaled to if they have one native size.
        size: side in pixels of the network's input.
        mean, std: of the grey value, on the scale [0, 1].
    """

    frame: int
    size: int
    mean: float
    std: float


RECIPES = {"wv-net": Recipe(frame=450, size=224, mean=103.486 / 255, std=56.745 / 255)}


class OneChannel(nn.Module):
    """A network that sees the grey value of its images, `size` pixels per side."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size
        self.num_features = getattr(network, "head_hidden_size", None) or network.num_features
        self.num_prefix_tokens = getattr(network, "num_prefix_tokens", 0)
        self.global_pool = getattr(network, "global_pool", "")
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    def grey(self, images: Tensor) -> Tensor:
        """`[B, 3, size, size]` of normalised images `[B, 3, H, W]`, three equal channels."""
        grey = (images.float() * self.luma).sum(1, keepdim=True)
        grey = F.interpolate(grey, (self.size, self.size), mode="bilinear", align_corners=True)
        return grey.to(images.dtype).repeat(1, 3, 1, 1).contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.grey(images))

    def forward_features(self, images: Tensor) -> Tensor:
        return self.network.forward_features(self.grey(images))

    def forward_head(self, features: Tensor, **options: bool) -> Tensor:
        return self.network.forward_head(features, **options)

    @property
    def vit(self) -> OneChannel:
        """The transformer of a network that has one beside another network."""
        return OneChannel(self.network.vit, self.size)
