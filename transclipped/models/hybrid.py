"""Hybrid ViT: a transformer over a convolutional feature map instead of raw patches.

Stem: EfficientNet-Lite0 up to stride 16 (112 channels, ImageNet weights). Each position of its feature map is a
token, 6 × 6 of them at 96 pixels; timm's transformer blocks and average pooling follow. Position embeddings
are interpolated for other sizes. The stem's last two stages can be fine-tuned jointly with the blocks, from its maps
at stride 8, except for their depthwise kernels and running statistics; the hybrid's file then contains them.

Source: Dosovitskiy et al. 2021, arXiv 2010.11929, §3.1 ("hybrid architecture").
"""

from __future__ import annotations

from functools import cache, partial

import timm
import torch
import torch.nn.functional as F
from timm.layers import HybridEmbed
from timm.models import VisionTransformer
from torch import Tensor, nn

from transclipped.errors import InputError

STEM = "tf_efficientnet_lite0"
STRIDE, EARLY_STRIDE = 16, 8
CHANNELS = {STRIDE: 112, EARLY_STRIDE: 40}  # of the maps at a stride
STEM_STAGES = {STRIDE: 5, EARLY_STRIDE: 3}  # of the CNN's seven, up to that stride
SIZE = 96  # pixels per side of the stored position embeddings
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
    for block in vit.blocks:  # with so few tokens, fused attention takes twice as long backward on CPUs
        block.attn.fused_attn = False
    return vit


def stem(*, stride: int = STRIDE) -> nn.Module:
    """Untrained EfficientNet-Lite0 up to a stride: `[B, 3, S, S]` to one map `[B, C, S/stride, S/stride]`."""
    network = timm.create_model(STEM, features_only=True, out_indices=((2, 4, 8, 16).index(stride),))
    network.blocks = network.blocks[: STEM_STAGES[stride]]  # timm keeps, and runs, the later stages too
    return network


@cache
def stem_names(*, stride: int = STRIDE) -> tuple[str, ...]:
    """Names in the hybrid of the stem's tensors up to a stride."""
    return tuple(STEM_PREFIX + name for name in stem(stride=stride).state_dict())


def joined(stem_state: dict[str, Tensor], hybrid_state: dict[str, Tensor]) -> dict[str, Tensor]:
    """State of the whole hybrid: the CNN's stem, replaced by the tensors that the hybrid's file contains."""
    names = [name.removeprefix(STEM_PREFIX) for name in stem_names()]
    if missing := [name for name in names if name not in stem_state]:
        raise InputError(f"the stem's file lacks {missing[0]}; it is not EfficientNet-Lite0")
    return {STEM_PREFIX + name: stem_state[name] for name in names} | hybrid_state


def without_stem(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors outside the stem, all that a hybrid with the CNN's stem stores."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(STEM_PREFIX)}


def freeze_stem(vit: VisionTransformer, *, stride: int = STRIDE) -> None:
    """Train everything except the stem up to a stride and the depthwise kernels after it.

    Gradients of those kernels take nearly half of the stages' time on a CPU (with AMX 5.1 core ms per view with them,
    2.7 without, forward pass included: `tests/benchmarks/stem_speed.py`).
    """
    frozen = stem_names(stride=stride)
    for name, parameter in vit.named_parameters():
        parameter.requires_grad_(name not in frozen and ".conv_dw." not in name)


class OnMaps(nn.Module):
    """The hybrid after its stem, or the stem's first stages, on stored maps: `[B, C · h · w]` to `[B, width]`.

    It shares the weights of `vit`; the running statistics of the stem stay unchanged.
    """

    def __init__(self, vit: VisionTransformer, *, stride: int = STRIDE) -> None:
        super().__init__()
        self.vit, self.stride = vit, stride
        self.num_features = vit.num_features

    def train(self, mode: bool = True) -> OnMaps:
        super().train(mode)
        self.vit.patch_embed.backbone.eval()
        return self

    def forward(self, maps: Tensor) -> Tensor:
        x = _square_maps(maps, self.stride)
        if self.stride != STRIDE:
            x = x.contiguous(memory_format=torch.channels_last)
            x = self.vit.patch_embed.backbone.blocks[STEM_STAGES[self.stride] :](x)
        tokens = self.vit.patch_embed.proj(x).permute(0, 2, 3, 1)  # [B, h, w, width]
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
        x = self.cnn.bn2(self.cnn.conv_head(self.cnn.blocks[STEM_STAGES[STRIDE] :](x)))
        return self.cnn.forward_head(x, pre_logits=True).float()


class BesideCnn(nn.Module):
    """The embeddings of the whole CNN and the transformer over one stem, concatenated: `[B, 3, H, W]` to `[B, 1536]`.

    Both are normalised, then the transformer's is weighted. On photographs unlike the transformer's training images,
    the CNN is better, and both together are better than either.
    """

    def __init__(self, cnn: nn.Module, vit: VisionTransformer) -> None:
        super().__init__()
        self.cnn, self.vit = cnn, vit
        self.num_features = cnn.num_features + vit.num_features

    def forward(self, images: Tensor) -> Tensor:
        return self.on_maps(self.vit.patch_embed.backbone(images)[-1].flatten(1))

    def on_maps(self, maps: Tensor) -> Tensor:
        """From the stem's maps `[B, 112 · h · w]`."""
        cnn, vit = CnnOnMaps(self.cnn)(maps), OnMaps(self.vit)(maps)
        return torch.cat([F.normalize(cnn, dim=-1), BESIDE * F.normalize(vit, dim=-1)], dim=-1)


class BesideOnMaps(nn.Module):
    """`BesideCnn` after the stem, on stored feature maps: `[B, 112 · h · w]` to `[B, 1536]`."""

    def __init__(self, both: BesideCnn) -> None:
        super().__init__()
        self.both = both

    def forward(self, maps: Tensor) -> Tensor:
        return self.both.on_maps(maps)


class StemMaps(nn.Module):
    """A stem with flat feature maps as embeddings: `[B, 3, S, S]` to `[B, C · (S/stride)²]`, for the feature cache."""

    def __init__(self, stem: nn.Module, size: int) -> None:
        super().__init__()
        self.stem = stem
        (channels,), (stride,) = stem.feature_info.channels(), stem.feature_info.reduction()
        self.num_features = channels * (size // stride) ** 2

    def forward(self, images: Tensor) -> Tensor:
        return self.stem(images)[-1].flatten(1)


def _square_maps(maps: Tensor, stride: int = STRIDE) -> Tensor:
    """`[B, C · h · w]` of any precision to `[B, C, h, h]` float32."""
    side = round((maps.shape[1] / CHANNELS[stride]) ** 0.5)
    return maps.float().view(-1, CHANNELS[stride], side, side)
