"""What an objective keeps from step to step: a slow copy of the model, a queue of its embeddings, a predictor."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from transclipped.config import BYOL, MOCO, RunConfig
from transclipped.errors import InputError
from transclipped.losses import Memory
from transclipped.models.head import Codes, Head
from transclipped.training.objectives.moco import QUEUE
from transclipped.training.objectives.views import compared

NEED = (MOCO, BYOL)  # objectives with a state
MOMENTUM = 0.99  # m of θ' ← m θ' + (1 − m) θ, as in both papers
HIDDEN = 4  # width of the predictor's hidden layer, in units of D
PREFIX = "memory."  # of its tensors in a saved training


class SlowState(nn.Module):
    """The state of `moco` or `byol`.

    Args:
        model: maps views to `Codes`; a slow copy of it embeds targets and queue.
        config: of the run.
    """

    def __init__(self, model: nn.Module, config: RunConfig) -> None:
        super().__init__()
        self.on, self.momentum = config.clipping.on, MOMENTUM
        self.copy = deepcopy(model).requires_grad_(False).eval()
        self.predictor, device = None, next(model.parameters()).device
        if config.loss.objective != MOCO:
            self.predictor = predictor(config.quantizer.dim, seed=config.seed).to(device)
            return
        head = self.copy if isinstance(model, Head) else self.copy.head
        dim, width = head.projection.weight.shape
        seen = {"quantized": 0, "continuous": dim, "backbone": width}[self.on]
        self.register_buffer("queue", torch.zeros(QUEUE, dim, device=device))
        self.register_buffer("seen", torch.zeros(QUEUE, seen, device=device))
        self.register_buffer("rows", torch.full((QUEUE,), -1, device=device))

    @torch.no_grad()
    def memory(self, views: Tensor, rows: np.ndarray) -> tuple[Memory, Codes]:
        """The memory for views `[2B, …]` of the images `rows` `[B]`, and the views' codes by the slow copy."""
        codes = self.copy(views)
        if self.predictor is not None:
            return Memory(targets=codes.quantized.flatten(1).float(), predict=self.predictor), codes
        own = torch.as_tensor(np.tile(rows, 2), device=self.rows.device)[:, None]  # [2B, 1]
        candidates = (self.rows >= 0) & (self.rows != own)  # [2B, Q]
        seen = self.seen if self.seen.shape[1] else None
        return Memory(queue=self.queue, seen=seen, rows=self.rows, candidates=candidates), codes

    @torch.no_grad()
    def follow(self, model: nn.Module, codes: Codes, rows: np.ndarray) -> None:
        """After a step: move the copy towards the model, and replace the oldest entries by the second views' codes."""
        torch._foreach_lerp_(list(self.copy.parameters()), list(model.parameters()), 1 - self.momentum)
        for mine, theirs in zip(self.copy.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)
        if self.predictor is not None:
            return
        seen, second = compared(codes, self.on), slice(len(rows), None)
        self.queue = _pushed(self.queue, codes.quantized.flatten(1)[second])
        self.rows = _pushed(self.rows, torch.as_tensor(rows))
        if seen is not None:
            self.seen = _pushed(self.seen, seen[second])

    def tensors(self) -> dict[str, Tensor]:
        """Copies of all tensors, for `load`."""
        return {PREFIX + name: tensor.detach().clone() for name, tensor in self.state_dict().items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore saved tensors; InputError if they are missing or of another shape."""
        saved = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
        shapes = {name: tensor.shape for name, tensor in self.state_dict().items()}
        if {name: tensor.shape for name, tensor in saved.items()} != shapes:
            raise InputError("the checkpoint lacks the state of its objective; delete it to start over")
        self.load_state_dict(saved)


def state_of(model: nn.Module, config: RunConfig) -> SlowState | None:
    """The state of the configured objective, None if it needs none."""
    return SlowState(model, config) if config.loss.objective in NEED else None


def predictor(dim: int, *, seed: int) -> nn.Sequential:
    """BYOL's predictor, D → 4D → D; batch statistics only, since it is used in training alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wide, narrow = nn.Linear(dim, HIDDEN * dim, bias=False), nn.Linear(HIDDEN * dim, dim)
    return nn.Sequential(wide, nn.BatchNorm1d(HIDDEN * dim, track_running_stats=False), nn.ReLU(), narrow)


def _pushed(queue: Tensor, new: Tensor) -> Tensor:
    """The queue with new entries at its end and the oldest ones dropped."""
    return torch.cat([queue, new.to(queue)])[-len(queue) :]
