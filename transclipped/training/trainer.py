"""The training loop as a generator of events, without files or screens.

    trainer = Trainer(model, source, config)
    for event in trainer.events():
        ...                      # a step, or the end of an epoch
    state = trainer.state()      # at any time; training restored from it gives the same result

A model maps the views of a batch to `Codes`: a head on cached features, or a whole network on images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from transclipped.config import RunConfig, ScheduleConfig
from transclipped.errors import InputError
from transclipped.losses import NOTHING, LossParts, Memory, training_loss
from transclipped.models.head import Codes, Head
from transclipped.models.precision import fastest_dtype
from transclipped.retrieval.relevance import relevance
from transclipped.runs.checkpoint import packed, unpack
from transclipped.training.collapse import mean_cosine
from transclipped.training.defaults import check_batch
from transclipped.training.objectives.state import state_of
from transclipped.training.objectives.views import compared
from transclipped.training.sources import Source

MOMENTUM = 0.9  # of SGD


@dataclass(frozen=True)
class Event:
    """An event of kind "step" or "epoch", after `epoch` fractional epochs and `step` of `total` steps.

    values: loss, contrastive, entropy, diversity (nats, nats, nats, cosine), clip_fraction, mean_cosine, perplexity
    (codewords), lr, images_per_s; with labels clip_precision, and at epochs validation_map.
    """

    kind: str
    epoch: float
    step: int
    total: int
    values: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains a head, or a network, on a source of views.

    Args:
        model: maps views to `Codes`.
        labels: of all rows, `[N]` int or `[N, L]` 0/1, only to log the share of clipped pairs that are false negatives.
        observe: called at the end of every `validate_every`-th epoch; its metrics join the epoch's event.
        log_codes: log entropy and perplexity; without them a step of a head takes a fifth less time.

    Raises:
        InputError: the batch is larger than the data.
    """

    def __init__(
        self,
        model: nn.Module,
        source: Source,
        config: RunConfig,
        *,
        labels: np.ndarray | None = None,
        observe: Callable[[], dict[str, float]] | None = None,
        log_codes: bool = True,
    ) -> None:
        check_batch(len(source.rows), config.schedule.batch)
        self.model, self.source, self.config = model, source, config
        self.labels, self.observe, self.log_codes = labels, observe, log_codes
        self.step = 0
        self._ended = 0  # epochs whose "epoch" event was yielded
        self._sums: dict[str, tuple[float, int]] = {}  # sum and count of this epoch's metrics
        self.steps_per_epoch = len(source.rows) // config.schedule.batch
        self.total_steps = self.steps_per_epoch * config.schedule.epochs
        self.slow = state_of(model, config)
        self.optimizer = _optimizer(model, config.schedule, self.slow and self.slow.predictor)
        device = next(model.parameters()).device
        self._autocast = torch.autocast(
            device.type,
            dtype=torch.bfloat16,
            enabled=not isinstance(model, Head) and fastest_dtype(device) == torch.bfloat16,
        )

    @property
    def epoch(self) -> float:
        """Fractional epochs done."""
        return self.step / self.steps_per_epoch

    def events(self) -> Iterator[Event]:
        """Train to the end of the schedule, with an event per step and per epoch."""
        while self.step < self.total_steps or self._ended < self.config.schedule.epochs:
            epoch = self._ended
            yield from self._steps(epoch, skip=self.step - epoch * self.steps_per_epoch)
            self._ended += 1
            yield Event("epoch", self.epoch, self.step, self.total_steps, self._summary(epoch))

    def _steps(self, epoch: int, *, skip: int) -> Iterator[Event]:
        self.model.train()
        if skip == 0:
            self._sums = {}
        done, started = 0, time.perf_counter()
        for batch in self.source.batches(epoch, batch=self.config.schedule.batch, skip=skip):
            values = self._train_step(batch.rows, batch.views)
            done += len(batch.rows)
            values["images_per_s"] = done / (time.perf_counter() - started)
            for name, value in values.items():
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = (total + value, count + 1)
            self._sums["images_per_s"] = (values["images_per_s"], 1)  # already a mean
            yield Event("step", self.epoch, self.step, self.total_steps, values)

    def _summary(self, epoch: int) -> dict[str, float]:
        """Means over the steps of an epoch, and the metrics of `observe`."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        last = epoch + 1 == self.config.schedule.epochs
        if self.observe and (last or (epoch + 1) % self.config.validate_every == 0):
            self.model.eval()
            means |= self.observe()
        return means

    def _train_step(self, rows: np.ndarray, views: Tensor) -> dict[str, float]:
        lr = scheduled_lr(self.epoch, self.config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["scale"]
        device = next(self.model.parameters()).device
        views, memory, slow = views.to(device, non_blocking=True), NOTHING, None
        with self._autocast:
            codes = self.model(views)
            if self.slow is not None:
                memory, slow = self.slow.memory(views, rows)
        options = {"epoch": self.epoch, "log_codes": self.log_codes, "memory": memory}
        parts = loss_of(codes, _head(self.model), self.config, **options)
        if not torch.isfinite(parts.total):
            raise InputError(
                f"the loss became {parts.total.item()} at step {self.step}; choose a smaller learning rate "
                f"than {self.config.schedule.lr} or a higher temperature than {self.config.loss.temperature}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        self.optimizer.step()
        self.step += 1
        values = self._observed(parts, codes, rows, memory)
        if self.slow is not None:
            self.slow.follow(self.model, slow, rows)
        return {**values, "lr": lr}

    def _observed(self, parts: LossParts, codes: Codes, rows: np.ndarray, memory: Memory) -> dict[str, float]:
        mask = parts.clipped.mask  # [2B, 2B + Q]
        clipped = int(mask.sum())
        values = {
            "loss": parts.total.item(),
            "contrastive": parts.contrastive.item(),
            "diversity": parts.diversity.item(),
            "clip_fraction": clipped / max(1, _pairs(mask, memory)),
            "mean_cosine": mean_cosine(codes.quantized.detach().flatten(1)),
        }
        if self.log_codes:
            values |= {"entropy": parts.entropy.item(), "perplexity": perplexity(codes.assignment.detach())}
        if self.labels is not None and clipped:
            both = self.labels[np.tile(rows, 2)]
            more = both if memory.rows is None else np.concatenate([both, self.labels[memory.rows.cpu().numpy()]])
            same = torch.from_numpy(relevance(both, more)).to(mask.device)
            values["clip_precision"] = int((mask & same).sum()) / clipped
        return values

    def state(self) -> dict[str, Tensor]:
        """The state for `restore`, as a flat dictionary of copied tensors."""
        sums = {f"sum.{name}": torch.tensor(pair, dtype=torch.float64) for name, pair in self._sums.items()}
        slow = {} if self.slow is None else self.slow.tensors()
        return packed(self.model, self.optimizer, self.step) | {"ended": torch.tensor(self._ended)} | sums | slow

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restore a saved state; InputError if it is from a model of another shape or another schedule."""
        step, ended = unpack(state, self.model, self.optimizer)
        if self.slow is not None:
            self.slow.load(state)
        ended = step // self.steps_per_epoch if ended is None else ended
        done, epochs = ended * self.steps_per_epoch, self.config.schedule.epochs
        if ended > epochs or not done <= step <= min(done + self.steps_per_epoch, self.total_steps):
            raise InputError(
                f"the saved state is at step {step} after {ended} epochs, outside this schedule of {self.total_steps} "
                f"steps in {epochs} epochs; delete it to start again"
            )
        self.step, self._ended = step, ended
        sums = {k.removeprefix("sum."): v.tolist() for k, v in state.items() if k[:4] == "sum." and v.shape == (2,)}
        self._sums = {name: (total, int(count)) for name, (total, count) in sums.items() if count >= 1}


def loss_of(
    codes: Codes,
    head: Head,
    config: RunConfig,
    *,
    epoch: float,
    log_codes: bool = True,
    memory: Memory = NOTHING,
) -> LossParts:
    """The training loss of the codes of two views; `log_codes` and `memory` as in `training_loss`."""
    return training_loss(
        codes.quantized.flatten(1),
        codes.assignment,
        head.quantizer.codewords(),
        detect=compared(codes, config.clipping.on),
        clipping=config.clipping,
        loss=config.loss,
        epoch=epoch,
        log_codes=log_codes,
        memory=memory,
    )


def _pairs(mask: Tensor, memory: Memory) -> int:
    """Number of pairs of an anchor and a negative."""
    return len(mask) * (len(mask) - 2) + (0 if memory.candidates is None else int(memory.candidates.sum()))


def scheduled_lr(epoch: float, schedule: ScheduleConfig) -> float:
    """Learning rate after `epoch` fractional epochs: linear warm-up, then half a cosine down to 0."""
    if epoch < schedule.warmup:
        return schedule.lr * (epoch + 1e-2) / (schedule.warmup + 1e-2)
    return cosine(schedule.lr, (epoch - schedule.warmup) / max(1e-9, schedule.epochs - schedule.warmup))


def cosine(peak: float, done: float) -> float:
    """Half a cosine from `peak` at 0 down to 0 at 1, and 0 beyond."""
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def decay_groups(
    module: nn.Module, weight_decay: float, *, exempt: Collection[str] = (), **options: float
) -> list[dict[str, Any]]:
    """Optimizer groups of a module's trainable parameters: matrices and kernels, which decay; then biases and norms.

    Saved states number parameters in this order. timm's `param_groups_weight_decay` has the opposite order and takes
    seconds to import.

    Args:
        exempt: names of parameters without decay, whatever their shape.
        options: of both groups.
    """
    groups = [{"params": [], "weight_decay": decay, **options} for decay in (weight_decay, 0.0)]
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups[parameter.ndim <= 1 or name in exempt]["params"].append(parameter)
    return groups


def perplexity(assignment: Tensor) -> float:
    """Effective number of codewords: exp of the entropy of hard assignments `[B, M, K]`, averaged over codebooks.

    At most min(B, K); 1 if all codebooks have collapsed to one codeword.
    """
    _, m, k = assignment.shape
    hard = assignment.argmax(-1) + k * torch.arange(m, device=assignment.device)  # [B, M]
    usage = torch.bincount(hard.flatten(), minlength=m * k).view(m, k) / len(assignment)
    return torch.special.entr(usage).sum(-1).exp().mean().item()


def _optimizer(model: nn.Module, schedule: ScheduleConfig, predictor: nn.Module | None) -> torch.optim.Optimizer:
    head = _head(model)
    groups = decay_groups(head, schedule.weight_decay, exempt=head.no_weight_decay(), scale=1.0)
    if head is not model:
        groups += decay_groups(model.backbone, schedule.weight_decay, scale=schedule.backbone_lr / schedule.lr)
    if predictor is not None:
        groups += decay_groups(predictor, schedule.weight_decay, scale=1.0)
    if schedule.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=schedule.lr, momentum=MOMENTUM)
    return torch.optim.AdamW(groups, lr=schedule.lr)


def _head(model: nn.Module) -> Head:
    return model if isinstance(model, Head) else model.head
