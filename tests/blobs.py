"""Synthetic cached views in classes, a small configuration, and heads to train on them."""

import numpy as np
import torch

from transclipped.config import ClippingConfig, LossConfig, QuantizerConfig, RunConfig, ScheduleConfig
from transclipped.models.head import Head
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer

IMAGES, WIDTH, VIEWS, CLASSES = 70, 12, 3, 4
QUANTIZER = QuantizerConfig(bits=8, dim=8, codewords=16)  # M = 2, K = 16, d = 4


def views(seed=0):
    """V arrays `[70, 12]` float16 and labels `[70]`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=IMAGES)
    plain = rng.normal(size=(CLASSES, WIDTH))[labels] + 0.3 * rng.normal(size=(IMAGES, WIDTH))
    return [(plain + 0.2 * rng.normal(size=plain.shape)).astype(np.float16) for _ in range(VIEWS)], labels


def settings(*, epochs=3, batch=16, optimizer="adamw", rule="rank", seed=0, entropy=0.1, **clipping):
    return RunConfig(
        quantizer=QUANTIZER,
        clipping=ClippingConfig(rule=rule, **clipping),
        loss=LossConfig(entropy=entropy),
        schedule=ScheduleConfig(epochs=epochs, batch=batch, optimizer=optimizer, lr=0.01),
        seed=seed,
    )


def head(config, width=WIDTH):
    return Head.from_config(width, config.quantizer, generator=torch.Generator().manual_seed(config.seed))


def trainer(config=None, *, rows=None, **options):
    """A trainer of a new head on the synthetic views; 4 steps per epoch at the default batch size of 16."""
    config = config or settings()
    rows = np.arange(IMAGES) if rows is None else rows
    return Trainer(head(config), CachedViews(views()[0], rows, seed=config.seed), config, **options)


def same_state(first, second):
    """Whether two states hold the same tensors, except speed."""
    assert first.keys() == second.keys()
    return all(torch.equal(first[k], second[k]) for k in first if not k.endswith("images_per_s"))


def figures(event):
    """An event without its speed."""
    values = {name: value for name, value in event.values.items() if name != "images_per_s"}
    return event.kind, event.epoch, event.step, values
