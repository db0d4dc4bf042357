"""Product quantizer: each sub-vector is encoded as the index of its nearest codeword.

Training uses the soft assignment p_m = softmax(α ⟨x_m, C_m⟩) and x̂_m = p_m C_m, through which
gradients reach the codebooks; the database stores argmax_k ⟨x_m, c_mk⟩, one byte per codebook.
Codewords have unit length, so that inner product and distance rank them equally.

Sources: Jégou et al. 2011 (product quantization); Jang et al. 2021, SPQ, arXiv 2109.02244 and
Wang et al. 2022, MeCoQ, arXiv 2109.05205 (soft assignment, unit codewords).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.config import QuantizerConfig


class SoftCodes(NamedTuple):
    """Soft codes of a batch."""

    assignment: Tensor  # [B, M, K], rows sum to 1
    quantized: Tensor  # [B, M, d], not normalised


def nearest(x: Tensor, codewords: Tensor) -> Tensor:
    """Indices `[B, M]` int64 of the codewords `[M, K, d]` nearest to sub-vectors `[B, M, d]`."""
    return torch.einsum("bmd,mkd->bmk", x, codewords).argmax(-1)


class ProductQuantizer(nn.Module):
    """M learned codebooks of K unit codewords of width d = D / M.

    Args:
        dim: D, numbers in a vector.
        codebooks: M, a divisor of D; also the bytes of a code.
        codewords: K per codebook, a power of two from 2 to 256.
        alpha: α > 0, sharpness of the soft assignment.
        generator: for the initial codewords.

    Raises:
        InputError: the sizes do not fit together.

    Examples:
        >>> quantizer = ProductQuantizer(dim=64, codebooks=4, codewords=256)
        >>> x = F.normalize(torch.randn(8, 4, 16), dim=-1)  # [B, M, d]
        >>> soft = quantizer(x)
        >>> soft.assignment.shape, soft.quantized.shape
        (torch.Size([8, 4, 256]), torch.Size([8, 4, 16]))
        >>> codes = quantizer.encode(x)
        >>> codes.shape, codes.dtype, quantizer.decode(codes).shape
        (torch.Size([8, 4]), torch.uint8, torch.Size([8, 4, 16]))
    """

    def __init__(
        self,
        dim: int = 64,
        codebooks: int = 4,
        codewords: int = 256,
        *,
        alpha: float = 10.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        bits = codebooks * (codewords.bit_length() - 1)
        config = QuantizerConfig(bits=bits, dim=dim, codewords=codewords, alpha=alpha)  # checks the sizes
        self.alpha = alpha
        shape = (codebooks, codewords, config.subspace)
        self.codebooks = nn.Parameter(F.normalize(torch.randn(shape, generator=generator), dim=-1))

    def codewords(self) -> Tensor:
        """Unit codewords `[M, K, d]`, float32."""
        return F.normalize(self.codebooks.float(), dim=-1)

    def forward(self, x: Tensor) -> SoftCodes:
        """Soft codes of unit sub-vectors `[B, M, d]`, in float32 even under autocast."""
        with torch.autocast(x.device.type, enabled=False):
            codewords = self.codewords()  # [M, K, d]
            x = x.float().transpose(0, 1)  # [M, B, d], the memory layout of matmul: avoids copying [B, M, K]
            assignment = F.softmax(self.alpha * (x @ codewords.mT), dim=-1)  # [M, B, K]
            return SoftCodes(assignment.transpose(0, 1), (assignment @ codewords).transpose(0, 1))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Hard codes `[B, M]` uint8 of unit sub-vectors `[B, M, d]`."""
        return nearest(x.float(), self.codewords()).to(torch.uint8)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """Codewords `[B, M, d]` of codes `[B, M]`."""
        subspace = torch.arange(codes.shape[1], device=codes.device)
        return self.codewords()[subspace, codes.long()]
