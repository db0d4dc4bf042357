"""Backbones by name: how each was trained, how large it is, and whether its weights are on this machine.

Sizes come from timm's own networks, built without memory (device `meta`), so nothing is typed by hand. A choice
of the usual ones is listed; a word searches all pretrained networks of timm. Nothing here opens the network.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import timm
import torch

from transclipped.models import hub
from transclipped.models.backbone import DEFAULT_SIZE
from transclipped.models.hybrid import STEM, BesideCnn, hybrid_vit
from transclipped.models.zoo import BUNDLED, CNN, PHOTOGRAPHS, available

CHOICE = (  # by how they were trained; those that this timm does not have are left out
    "vit_tiny_patch16_224.augreg_in21k",
    "vit_small_patch16_224.augreg_in21k",
    "vit_base_patch32_224.augreg_in21k",
    "vit_base_patch16_224.augreg_in21k",
    "deit3_small_patch16_224.fb_in22k_ft_in1k",
    "vit_small_patch16_224.dino",
    "vit_base_patch16_224.dino",
    "vit_small_patch14_dinov2.lvd142m",
    "vit_small_patch14_reg4_dinov2.lvd142m",
    "vit_base_patch14_dinov2.lvd142m",
    "vit_small_patch16_dinov3.lvd1689m",
    "vit_base_patch16_dinov3.lvd1689m",
    "vit_base_patch32_clip_224.openai",
    "vit_base_patch16_clip_224.openai",
    "vit_base_patch16_clip_224.laion2b",
    "vit_base_patch16_224.mae",
    "mobilenetv3_small_100.lamb_in1k",
    "efficientnet_b0.ra_in1k",
    "resnet18.a1_in1k",
    "resnet50.a1_in1k",
    "convnext_tiny.fb_in22k",
    "convnext_tiny.dinov3_lvd1689m",
)
KINDS = (  # (part of the name, how it was trained), the first that fits
    ("dinov3", "DINOv3"),
    ("dinov2", "DINOv2"),
    ("dino", "DINO"),
    ("siglip", "SigLIP"),
    ("clip", "CLIP"),
    ("mae_", "supervised"),  # fine-tuned with labels after MAE
    ("mae", "MAE"),
)
HOW_TO_BRING = (
    "Weights marked network are fetched when first used. Without a network: on a machine that has one, save\n"
    "https://huggingface.co/<hub>/resolve/main/model.safetensors (<hub> is told by --json), carry the file here, and\n"
    "`train --backbone NAME --weights FILE`."
)
BATCH, REPEATS = 8, 3  # of a measured speed


@dataclass(frozen=True)
class Entry:
    """A backbone.

    Attributes:
        kind: how it was trained: supervised, DINO, DINOv2, DINOv3, CLIP, SigLIP, MAE, or hybrid for ours.
        family: "ViT" or "CNN".
        parameters: without a classifier.
        width: numbers in an embedding.
        image_size: pixels a side that it was trained with.
        pool: "token", "avg" or another; what its embedding is.
        pools: which of these can be chosen.
        available: "bundled", "cached" (fetched before) or "network".
        hub: where the weights are, None if bundled.
        license: of the weights, as timm tells.
    """

    name: str
    kind: str
    family: str
    parameters: int
    width: int
    image_size: int
    pool: str
    pools: tuple[str, ...]
    available: str
    hub: str | None
    license: str | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def entries(word: str | None = None) -> list[Entry]:
    """The bundled backbones and the usual ones; or all pretrained networks of timm with `word` in their name."""
    known = set(timm.list_models(pretrained=True))
    if word:
        return [*(entry(name) for name in BUNDLED if word in name), *(entry(n) for n in sorted(known) if word in n)]
    return [*map(entry, BUNDLED), *(entry(name) for name in CHOICE if name in known)]


def entry(name: str) -> Entry:
    """One backbone of the bundled ones or of timm's."""
    parameters, width, pool, pools, family = _shape(name)
    if name in BUNDLED:
        kind = BUNDLED[name].kind
        here = "bundled" if name in available() else "missing"
        return Entry(name, kind, family, parameters, width, DEFAULT_SIZE, pool, pools, here, None, "apache-2.0")
    known = timm.get_pretrained_cfg(name)
    return Entry(
        name=name,
        kind=kind_of(name),
        family=family,
        parameters=parameters,
        width=width,
        image_size=known.input_size[-1],
        pool=pool,
        pools=pools,
        available="cached" if hub.cached_file(known) else "network",
        hub=known.hf_hub_id,
        license=known.license,
    )


def kind_of(name: str) -> str:
    """How a network of timm was trained, by its name; "supervised" unless that says otherwise."""
    return next((kind for part, kind in KINDS if part in name and "_ft_" not in name), "supervised")


def speed(name: str) -> float:
    """Images a second of the bare forward pass on this machine, whatever the weights: the best of three batches."""
    from transclipped.models.precision import inference

    network = _network(name).to(memory_format=torch.channels_last).eval()
    size = entry(name).image_size
    x = torch.zeros(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    with inference(torch.device("cpu")):
        for _ in range(REPEATS + 1):
            started = time.perf_counter()
            network(x)
            best = min(best, time.perf_counter() - started)
    return BATCH / best


@cache
def _shape(name: str) -> tuple[int, int, str, tuple[str, ...], str]:
    """Parameters, width, pooling, possible poolings, family."""
    with torch.device("meta"):
        network = _network(name)
    width = getattr(network, "head_hidden_size", None) or network.num_features
    pool = getattr(network, "global_pool", "avg")
    transformer = isinstance(pool, str) and hasattr(network, "blocks") and hasattr(network, "patch_embed")
    pools = ("token", "avg") if transformer and getattr(network, "cls_token", None) is not None else ("avg",)
    shown = pool if isinstance(pool, str) else "avg"
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters, width, shown, pools, "ViT" if transformer or isinstance(network, BesideCnn) else "CNN"


def _network(name: str) -> torch.nn.Module:
    if name in BUNDLED:
        cnn = timm.create_model(STEM, num_classes=0)
        return cnn if name == CNN else BesideCnn(cnn, hybrid_vit()) if name == PHOTOGRAPHS else hybrid_vit()
    return timm.create_model(name, num_classes=0)
