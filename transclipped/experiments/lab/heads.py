"""Heads that come with the lab set, so that the Clipping lab has a model to look at without any run."""

from __future__ import annotations

import copy
from pathlib import Path

from transclipped.config import ClippingConfig
from transclipped.experiments.lab.sweep import measured, train_head
from transclipped.features.labset import STAGES, LabSet, lab_config, save_heads
from transclipped.models.head import Head
from transclipped.training.trainer import Event

TEMPERATURE = 0.3  # τ of all of them


def train_heads(lab: LabSet, folder: Path) -> dict[str, float]:
    """Train and store every head of `STAGES`; returns their mAP@K."""
    kept: dict[str, Head] = {}
    for rule in dict.fromkeys(rule for rule, _ in STAGES.values()):
        epochs = _by_epoch(lab, rule, {epoch for r, epoch in STAGES.values() if r == rule})
        kept |= {name: epochs[epoch] for name, (r, epoch) in STAGES.items() if r == rule}
    save_heads(folder, kept)
    config = lab_config(lab, clipping=ClippingConfig(), temperature=TEMPERATURE)
    return {name: round(measured(lab, head, config), 5) for name, head in kept.items()}


def _by_epoch(lab: LabSet, rule: str, wanted: set[int]) -> dict[int, Head]:
    """Copies of a head in training after the wanted epochs."""
    found: dict[int, Head] = {}
    config = lab_config(lab, clipping=ClippingConfig(rule=rule), temperature=TEMPERATURE)

    def keep(event: Event, head: Head) -> None:
        if event.kind == "epoch" and round(event.epoch) in wanted:
            found[round(event.epoch)] = copy.deepcopy(head).eval()

    train_head(lab, config, watch=keep)
    return found
