"""Fills the caches that the first view of Clipping needs."""

from __future__ import annotations

from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.ui.clipping import batch, suggestions, tune


def warm(run: RunDir) -> None:
    """Compute the first batch of the run and its figures."""
    view = batch.first(run)
    config, tau = tune.own(view), view.temperature
    for each in (config, ClippingConfig(rule="threshold")):  # of the slider, and of the suggestions
        batch.turned(view, each, temperature=tau)
        batch.reached(each.rule, tau)
    batch.suggested(view)
    suggestions.results()
    batch.report(view, config, temperature=tau)
    for each in (config, ClippingConfig(rule="none", treatment=config.treatment)):
        batch.mean_loss(view, each, temperature=tau)
