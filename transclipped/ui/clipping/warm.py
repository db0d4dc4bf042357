"""Fills the caches that the first view of Clipping needs."""

from __future__ import annotations

from transclipped.clipping import DELTA
from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.ui.clipping import batch


def warm(run: RunDir) -> None:
    """Compute the first batch of the run and its figures."""
    view = batch.first(run)
    config = ClippingConfig(rule="threshold", threshold=DELTA.start)
    batch.turned(view, config)
    batch.suggested(view)
    batch.report(view, config, temperature=view.temperature)
    for each in (config, ClippingConfig(rule="none", treatment=config.treatment)):
        batch.mean_loss(view, each, temperature=view.temperature)
