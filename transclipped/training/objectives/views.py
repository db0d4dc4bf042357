"""The two views of a batch, in float32 or better."""

import torch
from torch import Tensor

from transclipped.models.head import Codes


def halves(views: Tensor) -> tuple[Tensor, Tensor]:
    """Both views `[B, D]` of `[2B, D]`; ValueError if there are no two views of each image."""
    if views.ndim != 2 or not len(views) or len(views) % 2:
        raise ValueError(f"need two views of each image, [2B, D], got {[*views.shape]}")
    return views.to(torch.promote_types(views.dtype, torch.float32)).chunk(2)


def other_views(views: Tensor) -> Tensor:
    """`[2B, D]`: in each row the other view of its image."""
    first, second = halves(views)
    return torch.cat([second, first])


def compared(codes: Codes, on: str) -> Tensor | None:
    """`[2B, E]` without gradient, whose similarities decide what is clipped; None for the soft codes themselves."""
    embeddings = {"quantized": None, "continuous": codes.continuous, "backbone": codes.features}[on]
    return None if embeddings is None else embeddings.detach().flatten(1)
