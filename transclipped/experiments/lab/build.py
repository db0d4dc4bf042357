"""Builds the lab set: embeds the images, projects onto principal directions, rounds to 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from transclipped.config import BackboneConfig, DataConfig, RunConfig
from transclipped.datasets.protocols import readable
from transclipped.features.cache import FeatureCache, Progress
from transclipped.features.labset import DATA, VIEWS, WIDTH, LabSet, save, to_int8
from transclipped.retrieval.vectors import unit
from transclipped.retrieval.whitening.pca import pca
from transclipped.runs.session import prepare


def build(
    folder: Path, *, backbone: BackboneConfig, data: DataConfig = DATA, device: str = "cpu"
) -> Iterator[Progress]:
    """Embed the images, through the feature cache, and write labset.safetensors.

    Raises:
        InputError: images or backbone are unavailable, or the disk is full.
    """
    session = prepare(RunConfig(data=data, backbone=backbone), device=device)
    cache, split = FeatureCache(session.images, session.backbone, seed=data.seed), session.split
    for view in range(VIEWS):
        yield from cache.fill(view, split.train, device=device)
    yield from cache.fill(0, split.query, device=device)
    split = readable(split, session.images)
    views = [np.asarray(cache.view(view)[split.train], np.float32) for view in range(VIEWS)]
    queries = np.asarray(cache.view(0)[split.query], np.float32)
    projected = session.backbone.width > WIDTH
    if projected:
        matrix = pca(unit(np.concatenate(views)), WIDTH, centre=False).matrix.astype(np.float32)  # preserves cosines
        views, queries = [view @ matrix for view in views], queries @ matrix
    labels = session.images.labels
    about = {
        "backbone": backbone.name,
        "image_size": session.backbone.image_size,
        "fingerprint": session.backbone.fingerprint,
        "projected": projected,
        "class_names": list(session.images.class_names),
    }
    rows = {"rows": split.train, "query_rows": split.query}
    rows |= {"labels": labels[split.train], "query_labels": labels[split.query]}
    save(folder, LabSet(*to_int8(np.stack(views)), *to_int8(queries), **rows, about=about))
