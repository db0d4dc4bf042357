"""Stacked denoising auto-encoder: layers that undo noise, learned one after another and then together, without labels.

With W shared by both directions (tied weights), noise that sets 30 % of the numbers of x to 0, x̃, and σ the sigmoid,

    h = σ(x̃ W + b),  x̂ = σ(h Wᵀ + c),  loss = −mean [x ln x̂ + (1 − x) ln(1 − x̂)].

Each layer learns to restore the code of the layer below it; then the whole stack learns to restore the image through
its last layer. Codes of images use no noise.

References:
    Vincent et al. 2010, JMLR 11, "Stacked denoising autoencoders".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NOISE = 0.3  # share of the inputs that are set to 0
RATE, BATCH = 1e-3, 128  # of Adam; images a step


class Layer(nn.Module):
    """One auto-encoder. Initial weights are four times those for tanh, or a sigmoid would pass on almost nothing."""

    def __init__(self, inputs: int, outputs: int, *, generator: torch.Generator) -> None:
        super().__init__()
        bound = 4 * (6 / (inputs + outputs)) ** 0.5
        self.weight = nn.Parameter((2 * torch.rand(inputs, outputs, generator=generator) - 1) * bound)
        self.hidden, self.visible = nn.Parameter(torch.zeros(outputs)), nn.Parameter(torch.zeros(inputs))

    def encode(self, x: Tensor) -> Tensor:
        """Codes `[B, outputs]` in (0, 1)."""
        return torch.sigmoid(x @ self.weight + self.hidden)

    def logits(self, h: Tensor) -> Tensor:
        """What the sigmoid turns into the restored inputs `[B, inputs]`."""
        return h @ self.weight.T + self.visible


class Stack(nn.Module):
    """Layers of `widths`, the first of which is that of the input."""

    def __init__(self, widths: Sequence[int], *, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        pairs = itertools.pairwise(widths)
        self.layers = nn.ModuleList(Layer(*pair, generator=generator) for pair in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Codes `[B, widths[-1]]` of inputs `[B, widths[0]]` in [0, 1]."""
        for layer in self.layers:
            x = layer.encode(x)
        return x

    def logits(self, h: Tensor) -> Tensor:
        """What the sigmoid turns into the restored inputs, from codes."""
        for layer in reversed(self.layers[1:]):
            h = torch.sigmoid(layer.logits(h))
        return self.layers[0].logits(h)


def masked(x: Tensor, *, generator: torch.Generator, share: float = NOISE) -> Tensor:
    """Inputs with a share of the numbers, redrawn at each call, set to 0."""
    return x * (torch.rand(x.shape, generator=generator) >= share)


def loss(model: Layer | Stack, x: Tensor, noisy: Tensor) -> Tensor:
    """Cross-entropy in nats, the mean over all numbers, of x `[B, D]` in [0, 1] restored from `noisy`."""
    code = model.encode(noisy) if isinstance(model, Layer) else model(noisy)
    return F.binary_cross_entropy_with_logits(model.logits(code), x)


def learn(
    model: Stack, x: Tensor, *, steps: int, seed: int = 0, seen: Callable[[], object] = lambda: None
) -> list[float]:
    """Train each layer, then the stack, `steps` times each, on x `[n, D]` in [0, 1]; calls `seen` after each step.

    Returns:
        The last loss of each layer, then that of the stack.
    """
    generator = torch.Generator().manual_seed(seed)
    losses, inputs = [], x
    for part in (*model.layers, model):
        losses.append(_train(part, inputs, steps=steps, generator=generator, seen=seen))
        if part is not model:
            with torch.no_grad():
                inputs = part.encode(inputs)
        if part is model.layers[-1]:
            inputs = x
    return losses


def _train(
    model: Layer | Stack, x: Tensor, *, steps: int, generator: torch.Generator, seen: Callable[[], object]
) -> float:
    optimizer, value = torch.optim.Adam(model.parameters(), lr=RATE), torch.tensor(float("nan"))
    for _ in range(steps):
        batch = x[torch.randint(len(x), (min(BATCH, len(x)),), generator=generator)]
        value = loss(model, batch, masked(batch, generator=generator))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        seen()
    return float(value.detach())
