"""Warm-up of Retrieval."""

from transclipped.runs.run import RunDir
from transclipped.ui import cached


def warm(run: RunDir) -> None:
    """Embed an image: a network's first pass takes longer than later ones."""
    images = cached.images(cached.run_data(run))
    cached.engine(run.fingerprint, run).embed([images.image(0)])
