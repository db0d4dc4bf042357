"""Heads bundled with the lab set, so that the Clipping page works without any run."""

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
    heads: dict[str, Head] = {}
    for rule in dict.fromkeys(rule for rule, _ in STAGES.values()):
        names = {epoch: name for name, (r, epoch) in STAGES.items() if r == rule}

        def copy_head(event: Event, head: Head, names: dict[int, str] = names) -> None:
            if event.kind == "epoch" and round(event.epoch) in names:
                heads[names[round(event.epoch)]] = copy.deepcopy(head).eval()

        config = lab_config(lab, clipping=ClippingConfig(rule=rule), temperature=TEMPERATURE)
        train_head(lab, config, watch=copy_head)
    save_heads(folder, {name: heads[name] for name in STAGES})
    config = lab_config(lab, clipping=ClippingConfig(), temperature=TEMPERATURE)
    return {name: round(measured(lab, heads[name], config), 5) for name in STAGES}
