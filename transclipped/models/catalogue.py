"""The list of backbones: how each was trained, its size, and whether its weights are on this machine.

Sizes come from timm's networks, built without memory (device `meta`). The default list is a selection; a search word
finds all pretrained networks of timm. Nothing here connects to the internet.
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

SELECTION = """
    vit_tiny_patch16_224.augreg_in21k vit_small_patch16_224.augreg_in21k vit_base_patch32_224.augreg_in21k
    vit_base_patch16_224.augreg_in21k deit3_small_patch16_224.fb_in22k_ft_in1k
    vit_small_patch16_224.dino vit_base_patch16_224.dino
    vit_small_patch14_dinov2.lvd142m vit_small_patch14_reg4_dinov2.lvd142m vit_base_patch14_dinov2.lvd142m
    vit_small_patch16_dinov3.lvd1689m vit_base_patch16_dinov3.lvd1689m
    vit_base_patch32_clip_224.openai vit_base_patch16_clip_224.openai vit_base_patch16_clip_224.laion2b
    vit_base_patch16_224.mae mobilenetv3_small_100.lamb_in1k efficientnet_b0.ra_in1k resnet18.a1_in1k resnet50.a1_in1k
    convnext_tiny.fb_in22k convnext_tiny.dinov3_lvd1689m
"""  # by how they were trained; names that the installed timm lacks are omitted
KINDS = {  # part of the name: how it was trained; the first match counts
    "dinov3": "DINOv3",
    "dinov2": "DINOv2",
    "dino": "DINO",
    "siglip": "SigLIP",
    "clip": "CLIP",
    "mae_": "supervised",  # fine-tuned with labels after MAE
    "mae": "MAE",
}
WEIGHTS_HELP = (
    "Weights marked network are downloaded when first used. Without internet access, download\n"
    "https://huggingface.co/<hub>/resolve/main/model.safetensors elsewhere (--json prints <hub>), copy the file here,\n"
    "and run `train --backbone NAME --weights FILE`."
)
BATCH, REPEATS = 8, 3  # for measuring speed


@dataclass(frozen=True)
class Entry:
    """A backbone.

    Attributes:
        kind: how it was trained: supervised, DINO, DINOv2, DINOv3, CLIP, SigLIP, MAE, or hybrid.
        family: "ViT" or "CNN".
        parameters: without a classifier.
        width: numbers in an embedding.
        image_size: pixels per side in training.
        pool: default pooling: "token", "avg" or another; pools: the supported ones of token and avg.
        available: "bundled", "cached", "network" (to download) or "missing".
        hub: repository of the weights, None if bundled.
        license: of the weights, from timm.
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
    """The bundled backbones and a selection; or all bundled and pretrained timm models with `word` in their name."""
    models = set(timm.list_models(pretrained=True))
    if word:
        return [entry(name) for name in (*BUNDLED, *sorted(models)) if word in name]
    return [*map(entry, BUNDLED), *(entry(name) for name in SELECTION.split() if name in models)]


def entry(name: str) -> Entry:
    """The entry of a bundled or timm backbone."""
    family, *shape = _shape(name)
    if name in BUNDLED:
        kind, status = BUNDLED[name].kind, "bundled" if name in available() else "missing"
        facts = (DEFAULT_SIZE, status, None, "apache-2.0")
    else:
        config = timm.get_pretrained_cfg(name)
        kind, status = kind_of(name), "cached" if hub.cached_file(config) else "network"
        facts = (config.input_size[-1], status, config.hf_hub_id, config.license)
    parameters, width, pool, pools = shape
    size, status, repository, license = facts
    return Entry(name, kind, family, parameters, width, size, pool, pools, status, repository, license)


def kind_of(name: str) -> str:
    """How a timm model was trained, by its name; "supervised" by default."""
    return next((kind for part, kind in KINDS.items() if part in name and "_ft_" not in name), "supervised")


def speed(name: str) -> float:
    """Images per second of the forward pass on this machine, the best of three batches; weights do not matter."""
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
def _shape(name: str) -> tuple[str, int, int, str, tuple[str, ...]]:
    """Family, parameters, width, default pooling, supported poolings."""
    with torch.device("meta"):
        network = _network(name)
    width = getattr(network, "head_hidden_size", None) or network.num_features
    pool = getattr(network, "global_pool", "avg")
    transformer = isinstance(pool, str) and hasattr(network, "blocks") and hasattr(network, "patch_embed")
    pools = ("token", "avg") if transformer and getattr(network, "cls_token", None) is not None else ("avg",)
    family = "ViT" if transformer or isinstance(network, BesideCnn) else "CNN"
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return family, parameters, width, pool if isinstance(pool, str) else "avg", pools


def _network(name: str) -> torch.nn.Module:
    if name in BUNDLED:
        cnn = timm.create_model(STEM, num_classes=0)
        return cnn if name == CNN else BesideCnn(cnn, hybrid_vit()) if name == PHOTOGRAPHS else hybrid_vit()
    return timm.create_model(name, num_classes=0)
