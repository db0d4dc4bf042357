"""One image on its way to a code: patches, attention, embedding, sub-vectors, codewords, bytes, and a score.

    A'_l = (mean over heads of A_l + 1) / 2,   rollout = A'_L … A'_2 A'_1,

since each block adds its attention output to its input. Row i is the contribution of each place to token i. A network
without attention has the energy of its last feature map instead, the mean square over channels at each place.

Sources: Abnar & Zuidema 2020, "Quantifying attention flow in transformers", arXiv 2005.00928 (rollout);
Jégou et al. 2011, "Product quantization for nearest neighbor search" (look-up tables).
"""

import math
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from timm.utils import AttentionExtract
from torch import Tensor

from transclipped.analysis.codebooks import entropy
from transclipped.datasets.views import render
from transclipped.models.backbone import Backbone
from transclipped.models.head import Head
from transclipped.retrieval.coding import product

SIDE = 384  # pixels per side, at least, of a displayed image


@dataclass(frozen=True)
class AnatomyView:
    """A backbone's view of one image, with T = prefix + h · w tokens.

    Attributes:
        grid: (h, w) places of its last feature map or tokens; None where they form no square.
        energy: `[h · w]` float32 mean square over channels, as shares of 1; None without a grid.
        attention: `[L, H, T, T]` float32, rows sum to 1; None where not all tokens attend to all.
        prefix: tokens that stand for no place, such as a class token.
        class_token: whether the embedding is read off the first token instead of averaged over places.
        embedding: `[F]` float32.
        stem: whether a CNN makes the tokens, so that each sees more of the image than its patch.
    """

    grid: tuple[int, int] | None
    energy: np.ndarray | None
    attention: np.ndarray | None
    prefix: int
    class_token: bool
    embedding: np.ndarray
    stem: bool = False


@dataclass(frozen=True)
class Projected:
    """An embedding as M sub-vectors: `raw` `[M, d]`, their `length` `[M]`, and `unit` `[M, d]` at length one."""

    raw: np.ndarray
    length: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Assigned:
    """Soft assignment at some α: `p` `[M, K]` float64, rows sum to 1; entropy `bits` `[M]` of each row; `order`
    `[M, K]`, codewords by decreasing probability, ties by number."""

    p: np.ndarray
    bits: np.ndarray
    order: np.ndarray


@dataclass(frozen=True)
class SoftmaxWeight:
    """A weight exp(α (cosine − largest)) / Σ_k exp(α (cosine_k − largest)): its two cosines, `power` and `total`."""

    cosine: float
    largest: float
    power: float
    total: float

    @property
    def share(self) -> float:
        return self.power / self.total


class Microscope:
    """Records the attention and features of a backbone; may be called from several threads.

    It registers hooks and turns fused attention off, so give it a backbone that nothing else uses.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._attending = getattr(backbone.network, "vit", backbone.network)  # of a hybrid, its transformer
        blocks = {
            f"{name}.attn_drop": module
            for name, module in self._attending.named_modules()
            if hasattr(module, "fused_attn") and hasattr(module, "attn_drop")
        }
        for module in blocks.values():
            module.fused_attn = False  # fused kernels never hold the weights
        self._extract = AttentionExtract(self._attending, names=list(blocks), method="hook") if blocks else None
        self._lock = Lock()

    @torch.inference_mode()
    def look(self, pixels: Tensor) -> AnatomyView:
        """Features, attention and embedding, in float32, of pixels `[3, s, s]` uint8."""
        network, whole = self._attending, self.backbone.network
        size, mean, std = self.backbone.image_size, self.backbone.mean, self.backbone.std
        image = render(pixels[None], None, size=size, mean=mean, std=std)
        with self._lock:
            features = network.forward_features(image)
            maps = self._extract.hooks.get_output(device=features.device) if self._extract else {}
            embedding = network.forward_head(features, pre_logits=True) if network is whole else whole(image)
        prefix = getattr(network, "num_prefix_tokens", 0) if features.ndim == 3 else 0
        grid, energy = _energy(features, prefix, getattr(network, "num_features", self.backbone.width))
        return AnatomyView(
            grid=grid,
            energy=energy,
            attention=None if grid is None else _stacked(list(maps.values()), prefix + math.prod(grid)),
            prefix=prefix,
            class_token=prefix > 0 and getattr(network, "global_pool", "") == "token",
            embedding=embedding[0].float().numpy().copy(),
            stem=hasattr(getattr(network, "patch_embed", None), "backbone"),  # timm's HybridEmbed
        )


def rollout(attention: np.ndarray) -> np.ndarray:
    """Attention through all layers, `[T, T]` float64 with rows that sum to 1, from `[L, H, T, T]`."""
    total = np.eye(attention.shape[-1])
    for heads in attention.astype(np.float64):
        total = (heads.mean(0) + np.eye(len(total))) / 2 @ total
    return total / total.sum(1, keepdims=True)


def layer(attention: np.ndarray, number: int, head: int | None = None) -> np.ndarray:
    """Weights `[T, T]` of one layer of `[L, H, T, T]`: of a head, or the mean over its heads."""
    return attention[number].mean(0) if head is None else attention[number, head]


def over_places(weights: np.ndarray, view: AnatomyView, token: int | None = None) -> np.ndarray:
    """Attention of a token to each place of the image, `[h · w]`, from weights `[T, T]`; row i is of token i.

    Args:
        token: a place; None for the source of the embedding: the class token, or the mean over all places.
    """
    rows = weights[:, view.prefix :]
    if token is not None:
        return rows[view.prefix + token]
    return rows[0] if view.class_token else rows[view.prefix :].mean(0)


def side_for(grid: tuple[int, int], native: int | None, *, at_least: int = SIDE) -> int:
    """Pixels a side of a displayed image: a multiple of the grid and, if that is small enough, of the native size."""
    step = math.lcm(*grid)
    whole = math.lcm(step, native or 1)
    step = whole if whole <= at_least else step
    return step * math.ceil(at_least / step)


def cut(image: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Patches `[h · w, S / h, S / w, C]`, row by row, of an image `[S, S, C]`; ValueError if the grid does not fit."""
    (height, width, channels), (h, w) = image.shape, grid
    if height % h or width % w:
        raise ValueError(f"{h} × {w} patches do not divide an image of {height} × {width} pixels")
    tiles = image.reshape(h, height // h, w, width // w, channels).swapaxes(1, 2)
    return tiles.reshape(h * w, height // h, width // w, channels)


@torch.inference_mode()
def project(head: Head, embedding: np.ndarray) -> Projected:
    """An embedding `[F]` projected by the head of a run."""
    features = torch.from_numpy(embedding)[None].float()
    raw = head.project(features)[0].numpy()
    return Projected(raw, np.linalg.norm(raw, axis=1), head.embed(features)[0].numpy())


def assign(unit: np.ndarray, codebooks: np.ndarray, alpha: float) -> Assigned:
    """Soft assignment softmax(α ⟨x_m, C_m⟩) of sub-vectors `[M, d]` to codebooks `[M, K, d]`."""
    logits = alpha * np.einsum("md,mkd->mk", unit.astype(np.float64), codebooks.astype(np.float64))
    weights = np.exp(logits - logits.max(1, keepdims=True))
    p = weights / weights.sum(1, keepdims=True)
    return Assigned(p, entropy(p), np.argsort(-p, axis=1, kind="stable"))


def products(sub_vector: np.ndarray, codeword: np.ndarray) -> np.ndarray:
    """Products `[d]` float64 of the numbers of two vectors; their sum is the cosine, as both have length 1."""
    return sub_vector.astype(np.float64) * codeword.astype(np.float64)


def softmax_weight(sub_vector: np.ndarray, codebook: np.ndarray, word: int, alpha: float) -> SoftmaxWeight:
    """How a sub-vector `[d]` gives a codeword of its codebook `[K, d]` its weight at sharpness α."""
    cosines = codebook.astype(np.float64) @ sub_vector.astype(np.float64)
    powers = np.exp(alpha * (cosines - cosines.max()))
    return SoftmaxWeight(float(cosines[word]), float(cosines.max()), float(powers[word]), float(powers.sum()))


def code_of(unit: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Code `[M]` uint8 of sub-vectors `[M, d]`: the nearest codeword of each codebook."""
    return product.encode(codebooks, unit.ravel())


def spelled(code: np.ndarray, k: int) -> list[tuple[str, str, str]]:
    """Each number of a code in decimal, hexadecimal and binary, the latter two at full width."""
    width = (k - 1).bit_length()
    return [(str(number), f"{number:02X}", f"{number:0{width}b}") for number in code.tolist()]


def tables(query: np.ndarray, codebooks: np.ndarray) -> np.ndarray:
    """Contribution of every codeword to a score, ⟨q_m, c_mk⟩ / M: `[M, K]` float32, for a query `[M, d]`."""
    return product.tables(codebooks, query.ravel())


def _energy(features: Tensor, prefix: int, width: int) -> tuple[tuple[int, int] | None, np.ndarray | None]:
    """Grid and channel energy of tokens `[1, T, C]`, or of a map `[1, C, h, w]` or `[1, h, w, C]`."""
    if features.ndim == 3:
        places = features[0, prefix:]
        side = math.isqrt(len(places))
        grid = (side, side)
    elif features.ndim == 4:
        channels_last = features.shape[-1] == width and features.shape[1] != width
        places = features[0] if channels_last else features[0].permute(1, 2, 0)
        grid, places = tuple(places.shape[:2]), places.flatten(0, 1)
    else:
        return None, None
    if math.prod(grid) != len(places) or not len(places):
        return None, None
    energy = places.float().square().mean(1)
    return grid, (energy / energy.sum().clamp(min=1e-12)).numpy()


def _stacked(maps: list[Tensor], tokens: int) -> np.ndarray | None:
    """Attention `[L, H, T, T]` of the layers where every token attends to every token, if they agree in shape."""
    whole = [each[0] for each in maps if each.ndim == 4 and each.shape[-2:] == (tokens, tokens)]
    if not whole or len({each.shape for each in whole}) > 1:
        return None
    return torch.stack(whole).float().numpy()
