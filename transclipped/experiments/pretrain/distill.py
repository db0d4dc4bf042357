"""Distillation without labels: a small network learns the geometry of larger networks' embeddings.

The target of an image combines its teachers' embeddings of the plain image: each is standardised and normalised, then
all are concatenated, reduced by PCA and normalised. The student embeds augmented views and minimises, over a batch,

    1 − mean_i cos(z_i, t_i) + mean_i KL( softmax(t_i · t_j / T) ‖ softmax(z_i · z_j / T) ),  j ≠ i,

so that its embeddings and their similarities agree with the targets.

References:
    Hinton et al. 2015, arXiv 1503.02531 (distillation); Park et al. 2019, arXiv 1904.05068 and
    Tejankar et al. 2021, arXiv 2106.15620 (distillation of similarities).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.models.precision import fastest_dtype
from transclipped.retrieval.whitening.pca import pca
from transclipped.runs.checkpoint import packed, unpack
from transclipped.training.sources import gathered
from transclipped.training.trainer import Event, cosine, decay_groups

TEMPERATURE = 0.1  # T of in-batch similarities
WARMUP = 100  # steps
WEIGHT_DECAY = 0.05


def distillation_targets(teachers: list[np.ndarray], *, width: int) -> Tensor:
    """Unit targets `[N, width]` float32 from teachers' embeddings `[N, F_t]`."""
    parts = []
    for embeddings in teachers:
        x = torch.as_tensor(np.asarray(embeddings, np.float32))
        x = (x - x.mean(0)) / x.std(0).clamp(min=1e-6)
        parts.append(F.normalize(x, dim=-1))
    x = torch.cat(parts, dim=1).numpy()  # [N, ΣF]
    reduced = pca(x, width)(x).astype(np.float32)
    return F.normalize(torch.from_numpy(reduced), dim=-1)


def distillation_loss(z: Tensor, target: Tensor, *, temperature: float = TEMPERATURE) -> Tensor:
    """Mean loss of embeddings `[B, D]` against unit targets `[B, D]`, in nats (and cosine)."""
    with torch.autocast(z.device.type, enabled=False):
        z = F.normalize(z.float(), dim=-1)
        itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
        student = (z @ z.T / temperature).masked_fill(itself, -1e4).log_softmax(-1)
        teacher = (target @ target.T / temperature).masked_fill(itself, -1e4).log_softmax(-1)
        return 1 - (z * target).sum(-1).mean() + F.kl_div(student, teacher, log_target=True, reduction="batchmean")


@dataclass
class Corpus:
    """Inputs and targets of one size of images."""

    views: list[np.ndarray]  # V arrays [N, F] float16, such as cached feature maps
    rows: np.ndarray  # training rows [n]
    targets: Tensor  # [n, D], unit targets of `rows`
    repeat: int = 1  # passes per epoch


class Distiller:
    """Trains a student on corpora; yields events and can be saved and restored like `Trainer`.

    Args:
        student: maps a batch of a corpus's views to `[B, D]`.
        corpora: each batch comes from one of them, in random order.
        epochs, batch, lr: of AdamW with linear warm-up and a cosine to zero.
        seed: for order and views.
    """

    def __init__(
        self, student: nn.Module, corpora: list[Corpus], *, epochs: int, batch: int, lr: float, seed: int
    ) -> None:
        self.model, self.corpora = student, corpora
        self.epochs, self.batch, self.lr, self.seed = epochs, batch, lr, seed
        self.step = 0
        self.steps_per_epoch = len(self._plan(0))
        self.total_steps = epochs * self.steps_per_epoch
        self.optimizer = torch.optim.AdamW(decay_groups(student, WEIGHT_DECAY), lr=lr)

    def events(self) -> Iterator[Event]:
        """Train to the end, with an event per step and per epoch."""
        while self.step < self.total_steps:
            epoch, skip = divmod(self.step, self.steps_per_epoch)
            total = 0.0
            plan = self._plan(epoch)[skip:]
            for corpus, places, views in plan:
                loss = self._train_step(self.corpora[corpus], places, views)
                total += loss
                yield self._event("step", loss)
            yield self._event("epoch", total / len(plan))

    def _plan(self, epoch: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Batches of an epoch: corpus, positions in its rows, view of each."""
        rng = np.random.default_rng([self.seed, epoch])
        batches = []
        for index, corpus in enumerate(self.corpora):
            order = np.concatenate([rng.permutation(len(corpus.rows)) for _ in range(corpus.repeat)])
            which = rng.integers(len(corpus.views), size=len(order))
            size = min(self.batch, len(order))
            for start in range(0, len(order) - size + 1, size):
                batches.append((index, order[start : start + size], which[start : start + size]))
        return [batches[i] for i in rng.permutation(len(batches))]

    def _train_step(self, corpus: Corpus, places: np.ndarray, views: np.ndarray) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self._lr()
        device = next(self.model.parameters()).device
        dtype = fastest_dtype(device)
        inputs = torch.from_numpy(gathered(corpus.views, corpus.rows[places], views)).to(device)
        self.model.train()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            z = self.model(inputs)
        loss = distillation_loss(z, corpus.targets[places].to(device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def _lr(self) -> float:
        warm = min(1.0, (self.step + 1) / WARMUP)
        return cosine(self.lr * warm, self.step / self.total_steps)

    def state(self) -> dict[str, Tensor]:
        """The state for `restore`."""
        return packed(self.model, self.optimizer, self.step)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore a saved state."""
        self.step, _ = unpack(state, self.model, self.optimizer)

    def _event(self, kind: str, loss: float) -> Event:
        return Event(kind, self.step / self.steps_per_epoch, self.step, self.total_steps, {"loss": loss})
