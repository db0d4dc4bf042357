"""Hybrid ViT: a transformer over a convolutional feature map instead of raw patches.

Stem: EfficientNet-Lite0 up to stride 16 (112 channels, ImageNet weights). Each place of its feature map is a
token, 6 × 6 of them at 96 pixels; timm's transformer blocks and average pooling follow. Position embeddings
are interpolated for other sizes.

Source: Dosovitskiy et al. 2021, arXiv 2010.11929, §3.1 ("hybrid architecture").
"""

from __future__ import annotations

from functools import partial

import timm
import torch
import torch.nn.functional as F
from timm.layers import HybridEmbed
from timm.models import VisionTransformer
from torch import Tensor, nn

from transclipped.errors import InputError

STEM = "tf_efficientnet_lite0"
STEM_STAGE = 3  # of timm's feature maps: stride 16
STEM_BLOCKS = 5  # of the network's seven stages
STRIDE, CHANNELS = 16, 112
SIZE = 96  # pixels a side that position embeddings are stored for
WIDTH, DEPTH, HEADS = 256, 4, 4
MLP_RATIO = 2  # half of a ViT's usual 4: encoding stays near the speed of the bare CNN
STEM_PREFIX = "patch_embed.backbone."
BESIDE = 0.3  # weight of the transformer beside the CNN: best 5-NN accuracy within Caltech-101's database


def hybrid_vit(*, width: int = WIDTH, depth: int = DEPTH, heads: int = HEADS) -> VisionTransformer:
    """timm's VisionTransformer over the stem, `[B, 3, H, W]` to `[B, width]`, with random weights."""
    vit = VisionTransformer(
        img_size=SIZE,
        patch_size=1,  # of the feature map
        embed_layer=partial(HybridEmbed, backbone=stem()),
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=MLP_RATIO,
        class_token=False,
        global_pool="avg",
        num_classes=0,
        dynamic_img_size=True,
    )
    for block in vit.blocks:  # so few tokens: on CPUs the backward pass of fused attention takes twice as long
        block.attn.fused_attn = False
    return vit


def stem() -> nn.Module:
    """EfficientNet-Lite0 up to stride 16: `[B, 3, H, W]` to one map `[B, 112, H/16, W/16]`, with random weights."""
    network = timm.create_model(STEM, features_only=True, out_indices=(STEM_STAGE,))
    network.blocks = network.blocks[:STEM_BLOCKS]  # timm keeps, and runs, the stages after the map that is asked for
    return network


def joined(stem_state: dict[str, Tensor], hybrid_state: dict[str, Tensor]) -> dict[str, Tensor]:
    """State of the whole hybrid: the CNN's own stem, unless the hybrid's file brings a stem that it trained."""
    names = stem().state_dict().keys()
    if missing := [name for name in names if name not in stem_state]:
        raise InputError(f"the stem's file lacks {missing[0]}; it is not EfficientNet-Lite0")
    return {STEM_PREFIX + name: stem_state[name] for name in names} | hybrid_state


def without_stem(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a hybrid with an untouched stem needs to store."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(STEM_PREFIX)}


class OnMaps(nn.Module):
    """The hybrid after its stem, on stored feature maps: `[B, 112 · h · w]` to `[B, width]`.

    Args:
        vit: shares its weights with this; its stem stays out.
    """

    def __init__(self, vit: VisionTransformer) -> None:
        super().__init__()
        self.vit = vit
        self.num_features = vit.num_features

    def forward(self, maps: Tensor) -> Tensor:
        tokens = self.vit.patch_embed.proj(_square_maps(maps)).permute(0, 2, 3, 1)  # [B, h, w, width]
        x = self.vit.norm_pre(self.vit._pos_embed(tokens))  # [B, h · w, width]
        x = self.vit.norm(self.vit.blocks(x))
        return self.vit.forward_head(x, pre_logits=True).float()


class CnnOnMaps(nn.Module):
    """EfficientNet-Lite0 after the stem, on stored feature maps: `[B, 112 · h · w]` to `[B, 1280]`."""

    def __init__(self, cnn: nn.Module) -> None:
        super().__init__()
        self.cnn = cnn

    def forward(self, maps: Tensor) -> Tensor:
        x = _square_maps(maps).contiguous(memory_format=torch.channels_last)
        x = self.cnn.bn2(self.cnn.conv_head(self.cnn.blocks[STEM_BLOCKS:](x)))
        return self.cnn.forward_head(x, pre_logits=True).float()


class BesideCnn(nn.Module):
    """The transformer's embedding beside that of the whole CNN over the same stem: `[B, 3, H, W]` to `[B, 1536]`.

    Both have unit length before the transformer's is weighted. On photographs unlike those that the transformer was
    trained on, the CNN knows more; together they know more than either.
    """

    def __init__(self, cnn: nn.Module, vit: VisionTransformer) -> None:
        super().__init__()
        self.cnn, self.vit = cnn, vit
        self.num_features = cnn.num_features + vit.num_features

    def forward(self, images: Tensor) -> Tensor:
        return self.on_maps(self.vit.patch_embed.backbone(images)[-1].flatten(1))

    def on_maps(self, maps: Tensor) -> Tensor:
        """From the stem's maps `[B, 112 · h · w]`."""
        seen, attended = CnnOnMaps(self.cnn)(maps), OnMaps(self.vit)(maps)
        return torch.cat([F.normalize(seen, dim=-1), BESIDE * F.normalize(attended, dim=-1)], dim=-1)


class BesideOnMaps(nn.Module):
    """`BesideCnn` after the stem, on stored feature maps: `[B, 112 · h · w]` to `[B, 1536]`."""

    def __init__(self, both: BesideCnn) -> None:
        super().__init__()
        self.both = both

    def forward(self, maps: Tensor) -> Tensor:
        return self.both.on_maps(maps)


class StemMaps(nn.Module):
    """The stem as a network of flat feature maps: `[B, 3, S, S]` to `[B, 112 · (S/16)²]`, for the feature cache."""

    def __init__(self, stem: nn.Module, size: int) -> None:
        super().__init__()
        self.stem = stem
        self.num_features = CHANNELS * (size // STRIDE) ** 2

    def forward(self, images: Tensor) -> Tensor:
        return self.stem(images)[-1].flatten(1)


def _square_maps(maps: Tensor) -> Tensor:
    """`[B, 112 · h · w]` of any precision to `[B, 112, h, h]` float32."""
    side = round((maps.shape[1] / CHANNELS) ** 0.5)
    return maps.float().view(-1, CHANNELS, side, side)
