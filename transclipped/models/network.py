"""Head = projection + product quantizer; network = backbone + head.

The head maps a backbone's embedding to D = M · d numbers, cuts them into M sub-vectors and brings each
to unit length ("intra-normalisation", MeCoQ), so that every codebook has the same say in a similarity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.config import QuantizerConfig
from transclipped.errors import InputError
from transclipped.models.quantizer import ProductQuantizer


class Codes(NamedTuple):
    """What the head says of a batch.

    features: `[B, F]` of the backbone; continuous, quantized: `[B, M, d]`; assignment: `[B, M, K]`.
    """

    features: Tensor
    continuous: Tensor
    quantized: Tensor
    assignment: Tensor


class Head(nn.Module):
    """Linear projection to D, intra-normalisation, product quantizer.

    Args:
        width: F, numbers in a backbone's embedding.
        config: of the quantizer.
        generator: of the initial weights.
    """

    def __init__(self, width: int, config: QuantizerConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.projection = nn.Linear(width, config.dim)
        with torch.no_grad():
            bound = width**-0.5
            self.projection.weight.uniform_(-bound, bound, generator=generator)
            self.projection.bias.zero_()
        self.quantizer = ProductQuantizer(config, generator=generator)

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, K, d."""
        return tuple(self.quantizer.codebooks.shape)

    def embed(self, features: Tensor) -> Tensor:
        """Unit sub-vectors `[B, M, d]` float32 of backbone embeddings `[B, F]`.

        Embeddings are brought to length √F first, so one learning rate suits every backbone.
        """
        m, _, d = self.shape
        with torch.autocast(features.device.type, enabled=False):
            x = F.normalize(features.float(), dim=-1) * features.shape[-1] ** 0.5
            return F.normalize(self.projection(x).view(-1, m, d), dim=-1)

    def forward(self, features: Tensor) -> Codes:
        """Continuous and soft codes of backbone embeddings `[B, F]`."""
        continuous = self.embed(features)
        assignment, quantized = self.quantizer(continuous)
        return Codes(features, continuous, quantized, assignment)


class Network(nn.Module):
    """A backbone followed by a head: pictures `[B, 3, H, W]` to codes."""

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Codes:
        return self.head(self.backbone(images))

    def train(self, mode: bool = True) -> Network:
        """Training mode for what learns; frozen blocks keep their running statistics."""
        super().train(mode)
        for module in self.backbone.modules():
            if not any(p.requires_grad for p in module.parameters()):
                module.eval()
        return self


def head_from_state(state: dict[str, Tensor], config: QuantizerConfig, *, source: str) -> Head:
    """Head with saved weights.

    Args:
        state: tensors named as in `Head`; others are ignored.
        source: file they come from, for the message.

    Raises:
        InputError: a tensor is missing or has another shape than `config` asks for.
    """
    expected = {"projection.weight", "projection.bias", "quantizer.codebooks"}
    if missing := sorted(expected - state.keys()):
        raise InputError(f"{source} lacks {', '.join(missing)}; it is not the head of a run")
    head = Head(state["projection.weight"].shape[-1], config)
    for name, parameter in head.named_parameters():
        if state[name].shape != parameter.shape:
            raise InputError(
                f"{source} holds {name} of shape {[*state[name].shape]}, the configuration asks for "
                f"{[*parameter.shape]}; use the file with the run that it came from"
            )
    head.load_state_dict({name: state[name].float() for name in expected})
    return head.eval()


@torch.inference_mode()
def embed_in_batches(head: Head, features, *, batch: int = 8192) -> tuple[Tensor, Tensor]:
    """Continuous embeddings `[N, D]` float32 and codes `[N, M]` uint8 of features `[N, F]` (array or memory map).

    The head works where its weights are; the answers are on the CPU.
    """
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
