"""Fills the caches that the first view of Clipping needs."""

from __future__ import annotations

from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.ui.clipping import batch, tune


def warm(run: RunDir) -> None:
    """Compute the first batch of the run and its figures."""
    view = batch.first(run)
    config, tau = tune.own(view), view.temperature
    batch.turned(view, config, temperature=tau)
    batch.reached(config.rule, tau)
    batch.suggested(view)
    batch.report(view, config, temperature=tau)
    for each in (config, ClippingConfig(rule="none", treatment=config.treatment)):
        batch.mean_loss(view, each, temperature=tau)
