"""Triplets between two encoders of one image, with mined negatives; rules HN, Full-HN and Margin-HN.

Image i has the embedding a_i of one encoder and b_i of another, a pair with cosine p. The hardest negative of a_i is
the most similar b_ĉ of another image, that of b_i the most similar a_î. With [x] = max(0, x):

    hn      [α − p + s(a_i, b_ĉ)] + [α − p + s(a_î, b_i)]
    full    hn + [α₂ − p + s(a_î, a_i)] + [α₂ − p + s(b_ĉ, b_i)] + 1{î ≠ ĉ} · [α₂ − p + s(a_î, b_ĉ)]
    margin  [s(a_î, a_i) − p + s(a_i, b_ĉ)] + [s(b_ĉ, b_i) − p + s(a_î, b_i)]

The further terms of `full` compare within an encoder; the last one counts where a_î and b_ĉ are of two images. Cosines
are at least −1, so α₂ = −2 makes `full` equal `hn`.

The hardest of a few hundred images nearly always shows the anchor's class, so it is a false negative: clip first, and
mine among the rest. Ties go to the first. An anchor without a negative on either side has loss 0.

References:
    Mallea et al. 2025, Machine Learning (intramodal consistency in triplets; there, images and captions).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig

ALPHA, ALPHA2 = 0.2, 0.2  # cosine; the paper tries 0.2 and 0.4 for α
RULES = ("hn", "full", "margin")


def triplet(
    a: Tensor,
    b: Tensor,
    *,
    rule: Literal["hn", "full", "margin"] = "full",
    alpha: float = ALPHA,
    alpha2: float = ALPHA2,
    candidates: Tensor | None = None,
    reverse: Tensor | None = None,
) -> Tensor:
    """Losses `[n]` of the pairs (a_i, b_i).

    Args:
        a, b: `[n, D]` embeddings by two encoders; normalised here, and a row of zeros has cosine 0 with everything.
        alpha, alpha2: margins, on the cosine scale.
        candidates: `[n, n]` bool, True where b_j may be mined for a_i; by default every other image.
        reverse: `[n, n]` bool, True where a_j may be mined for b_i; by default `candidates`.

    Raises:
        ValueError: the rule is unknown, or shapes disagree.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    a, b, candidates, reverse = _comparable(a, b, candidates, reverse)
    cross = a @ b.T  # [n, n]
    caption, image = _hardest(cross, candidates), _hardest(cross.T, reverse)  # ĉ of a_i, î of b_i, [n]
    pair = torch.diagonal(cross)
    to_b, to_a = (a * b[caption]).sum(1), (a[image] * b).sum(1)  # s(a_i, b_ĉ), s(a_î, b_i)
    within_a, within_b = (a[image] * a).sum(1), (b[caption] * b).sum(1)  # s(a_î, a_i), s(b_ĉ, b_i)
    if rule == "margin":
        losses = F.relu(within_a - pair + to_b) + F.relu(within_b - pair + to_a)
    else:
        losses = F.relu(alpha - pair + to_b) + F.relu(alpha - pair + to_a)
    if rule == "full":
        between = (a[image] * b[caption]).sum(1)  # s(a_î, b_ĉ)
        losses = losses + F.relu(alpha2 - pair + within_a) + F.relu(alpha2 - pair + within_b)
        losses = losses + F.relu(alpha2 - pair + between) * (image != caption)
    return losses * (candidates.any(1) & reverse.any(1))


def _comparable(
    a: Tensor, b: Tensor, candidates: Tensor | None, reverse: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Embeddings at unit length in float32 or better, and what may be mined, by default every other image."""
    n = len(a)
    if candidates is None:
        candidates = ~torch.eye(n, dtype=torch.bool, device=a.device)
    reverse = candidates if reverse is None else reverse
    if a.ndim != 2 or a.shape != b.shape or not candidates.shape == reverse.shape == (n, n):
        shapes = ", ".join(str([*t.shape]) for t in (a, b, candidates, reverse))
        raise ValueError(f"need two [n, D] and two [n, n], got {shapes}")
    a, b = (F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1) for x in (a, b))
    return a, b, candidates, reverse


def clipped_triplet(
    a: Tensor, b: Tensor, *, clipping: ClippingConfig, epoch: float = math.inf, **options: Any
) -> tuple[Tensor, Clipped]:
    """`triplet` with the negatives that a rule does not clip, and what it clips for each a_i.

    The rule sees the cosines of a with b, and for mining in the other direction those of b with a.

    Args:
        a, b: `[2B, D]`; rows i and i + B are two views of one image, which are never negatives of each other.
        epoch: fractional epochs done, for the warm-up of clipping.
        options: of `triplet`.
    """
    with torch.no_grad():
        cross = F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).T  # [2B, 2B]
    others = negatives(len(a), device=a.device)
    forth, back = (clip(similarity.clamp(-1, 1), clipping, epoch=epoch) for similarity in (cross, cross.T))
    return triplet(a, b, candidates=others & ~forth.mask, reverse=others & ~back.mask, **options), forth


def _hardest(similarity: Tensor, candidates: Tensor) -> Tensor:
    """`[n]` int64: the most similar candidate of each row."""
    return similarity.detach().masked_fill(~candidates, -math.inf).argmax(1)
