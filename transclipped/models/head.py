"""Head = projection + product quantizer; network = backbone + head.

The head maps a backbone's embedding to D = M · d numbers, splits them into M sub-vectors and normalises each
("intra-normalisation", MeCoQ), so that every codebook has the same weight in a similarity.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.config import QuantizerConfig
from transclipped.errors import InputError
from transclipped.models.quantizer import ProductQuantizer
from transclipped.models.tensor_header import read_header
from transclipped.models.weights import load_tensors

MAX_WEIGHTS = 2**24  # of a projection
LARGEST = 1e12  # of a weight; larger ones overflow during encoding
PARTS = ("projection.weight", "projection.bias", "quantizer.codebooks")


class Codes(NamedTuple):
    """The head's output for a batch."""

    features: Tensor  # [B, F], of the backbone
    continuous: Tensor  # [B, M, d]
    quantized: Tensor  # [B, M, d]
    assignment: Tensor  # [B, M, K]


class Head(nn.Module):
    """Linear projection to D, intra-normalisation, product quantizer.

    Args:
        width: F, numbers in a backbone's embedding.
        dim, codebooks, codewords, alpha: as in `ProductQuantizer`.
        generator: for the initial weights.

    Raises:
        InputError: the sizes do not fit together, or there would be more than `MAX_WEIGHTS` weights.

    Examples:
        >>> head = Head(width=256, dim=64, codebooks=4, codewords=256)
        >>> codes = head(torch.randn(8, 256))  # [B, F]
        >>> codes.continuous.shape, codes.quantized.shape, codes.assignment.shape
        (torch.Size([8, 4, 16]), torch.Size([8, 4, 16]), torch.Size([8, 4, 256]))
        >>> head.quantizer.encode(codes.continuous).shape
        torch.Size([8, 4])
    """

    def __init__(
        self,
        width: int,
        *,
        dim: int = 64,
        codebooks: int = 4,
        codewords: int = 256,
        alpha: float = 10.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_size(width, dim)
        self.projection = nn.Linear(width, dim)
        with torch.no_grad():
            bound = width**-0.5
            self.projection.weight.uniform_(-bound, bound, generator=generator)
            self.projection.bias.zero_()
        self.quantizer = ProductQuantizer(dim, codebooks, codewords, alpha=alpha, generator=generator)

    @classmethod
    def from_config(cls, width: int, config: QuantizerConfig, *, generator: torch.Generator | None = None) -> Head:
        """A head with a run's configuration for embeddings of `width` numbers."""
        sizes = {"dim": config.dim, "codebooks": config.codebooks, "codewords": config.codewords}
        return cls(width, **sizes, alpha=config.alpha, generator=generator)

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, K, d."""
        return tuple(self.quantizer.codebooks.shape)

    def no_weight_decay(self) -> set[str]:
        """Parameters without weight decay: codebooks are used at unit length."""
        return {"quantizer.codebooks"}

    def project(self, features: Tensor) -> Tensor:
        """Sub-vectors `[B, M, d]`, not normalised, of backbone embeddings `[B, F]` float32.

        Embeddings are scaled to length √F first, so that one learning rate suits every backbone.
        """
        m, _, d = self.shape
        return self.projection(F.normalize(features, dim=-1) * features.shape[-1] ** 0.5).view(-1, m, d)

    def embed(self, features: Tensor) -> Tensor:
        """Unit sub-vectors `[B, M, d]` float32 of backbone embeddings `[B, F]`."""
        with torch.autocast(features.device.type, enabled=False):
            return F.normalize(self.project(features.float()), dim=-1)

    def forward(self, features: Tensor) -> Codes:
        """Continuous and soft codes of backbone embeddings `[B, F]`."""
        continuous = self.embed(features)
        assignment, quantized = self.quantizer(continuous)
        return Codes(features, continuous, quantized, assignment)


class Network(nn.Module):
    """A backbone followed by a head: images `[B, 3, H, W]` to codes."""

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Codes:
        return self.head(self.backbone(images))

    def train(self, mode: bool = True) -> Network:
        """Training mode, except in frozen blocks, which keep their running statistics."""
        super().train(mode)
        for module in self.backbone.modules():
            if not any(p.requires_grad for p in module.parameters()):
                module.eval()
        return self


def head_from_state(state: dict[str, Tensor], config: QuantizerConfig, *, source: str) -> Head:
    """Head with saved weights.

    Args:
        state: tensors named as in `Head`; others are ignored.
        source: file of the tensors, for the message.

    Raises:
        InputError: a tensor is missing, does not fit `config`, or holds non-finite numbers.
    """
    check_head({name: tuple(tensor.shape) for name, tensor in state.items()}, config, source=source)
    for name in PARTS:
        if not are_finite(state[name]):
            raise InputError(f"{source} is damaged: {name} holds numbers that are not finite; train the run again")
    head = Head.from_config(state["projection.weight"].shape[-1], config)
    head.load_state_dict({name: state[name].float() for name in PARTS})
    return head.eval()


def load_head(path: Path, config: QuantizerConfig) -> Head:
    """Head with the weights of a file; errors as `head_from_state` and `load_tensors`."""
    check_head({name: entry.shape for name, entry in read_header(path).items()}, config, source=str(path))
    return head_from_state(load_tensors(path, only=PARTS), config, source=str(path))


def check_head(shapes: dict[str, tuple[int, ...]], config: QuantizerConfig, *, source: str) -> int:
    """Width F of a head with tensors of these shapes; InputError if they do not fit `config` or are too large."""
    if missing := sorted(set(PARTS) - shapes.keys()):
        raise InputError(f"{source} lacks {', '.join(missing)}; it is not the head of a run")
    width = shapes["projection.weight"][-1] if shapes["projection.weight"] else 0
    expected = {
        "projection.weight": (config.dim, width),
        "projection.bias": (config.dim,),
        "quantizer.codebooks": (config.codebooks, config.codewords, config.subspace),
    }
    for name, shape in expected.items():
        if shapes[name] != shape or not width:
            raise InputError(
                f"{source} holds {name} of shape {[*shapes[name]]}, but the configuration needs {[*shape]}; "
                "use the file with the run that it came from"
            )
    _check_size(width, config.dim)
    return width


def _check_size(width: int, dim: int) -> None:
    if width * dim > MAX_WEIGHTS:
        raise InputError(
            f"a head from {width:,} to {dim:,} numbers has {width * dim:,} weights; the limit is {MAX_WEIGHTS:,}: "
            "choose a smaller quantizer.dim"
        )


def are_finite(tensor: Tensor) -> bool:
    """Whether these are floating-point numbers, none of them NaN, infinite or too large for sums of products."""
    if tensor.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        return False
    return not tensor.numel() or max(tensor.amax().item(), -tensor.amin().item()) <= LARGEST  # NaN spreads to both


@torch.inference_mode()
def embed_in_batches(head: Head, features, *, batch: int = 8192) -> tuple[Tensor, Tensor]:
    """Continuous embeddings `[N, D]` float32 and codes `[N, M]` uint8, on the CPU, of features `[N, F]` (an array)."""
    device = head.projection.weight.device
    continuous, codes = [], []
    for start in range(0, len(features), batch):
        x = head.embed(torch.as_tensor(np.array(features[start : start + batch])).to(device))  # [b, M, d]
        continuous.append(x.flatten(1).cpu())
        codes.append(head.quantizer.encode(x).cpu())
    m, _, d = head.shape
    if not continuous:
        return torch.empty(0, m * d), torch.empty(0, m, dtype=torch.uint8)
    return torch.cat(continuous), torch.cat(codes)
