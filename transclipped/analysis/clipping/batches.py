"""Batches for the Clipping lab: of a run's training images, or of the lab set, which needs no image encoded."""

from __future__ import annotations

import numpy as np
import torch

from transclipped.analysis.clipping.report import Batch, batch
from transclipped.errors import InputError
from transclipped.features.labset import LabSet
from transclipped.models.head import Head


def batch_of(run, *, size: int, seed: int, epoch: int | None = None, lab=None) -> Batch:
    """Two views, plain and flipped, of images drawn from a run's training set, under its model.

    Args:
        epoch: whose head is used, None for the kept one.
        lab: lab set, which spares the encoding where its backbone is the run's; the images are then out of it.

    Raises:
        InputError: the run lacks something.
    """
    from transclipped.runs.session import prepare_run, trained_model

    if lab is not None and serves(lab, run.record):
        return lab_batch(lab, run.head(epoch=epoch), size=size, seed=seed)
    session = prepare_run(run)
    train = session.split.train
    if len(train) < 2:
        raise InputError(f"{run.path} trained on {len(train)} images; a batch needs two")
    rows = np.sort(np.random.default_rng(seed).choice(train, min(size, len(train)), replace=False))
    frozen = run.config.backbone.train == "frozen"
    if frozen:
        rows, features = _cached_views(session, rows)
    _, head = trained_model(run, backbone=session.backbone)  # writes what a backbone learnt into it
    if not frozen:
        rows, features = _encoded_views(session, rows)
    if epoch is not None:
        head = run.head(epoch=epoch)
    with torch.inference_mode():
        codes = head(torch.from_numpy(np.concatenate(features)))
    labels = session.images.labels
    return batch(
        codes.quantized.flatten(1),
        rows=rows,
        labels=None if labels is None else labels[rows],
        classes=len(session.images.class_names),
    )


def _cached_views(session, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The rows `[n]` that can be decoded, and embeddings `[n, F]` of both views, which other epochs and runs share.

    They are in the feature cache, or go in it.
    """
    for view in (0, 1):
        for _ in session.cache.fill(view, rows):
            pass
    rows = session.images.readable(rows)
    return rows, [np.asarray(session.cache.view(view)[rows]) for view in (0, 1)]


def _encoded_views(session, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """As `_cached_views`, of a backbone that learnt, which no other run has."""
    from transclipped.features.cache import encode, gather

    backbone = session.backbone
    views = [gather(encode(backbone, session.images, rows, view=v), width=backbone.width) for v in (0, 1)]
    rows = views[1][0]
    return rows, [embeddings[np.isin(known, rows)] for known, embeddings in views]


def lab_batch(lab: LabSet, head: Head, *, size: int, seed: int) -> Batch:
    """Two views, plain and flipped, of images drawn from the lab set, under a head; rows are of the image set."""
    places = np.sort(np.random.default_rng(seed).choice(len(lab), min(size, len(lab)), replace=False))
    features = np.concatenate([lab.features[0][places], lab.features[1][places]])
    with torch.inference_mode():
        codes = head(torch.from_numpy(features))
    return batch(
        codes.quantized.flatten(1), rows=lab.rows[places], labels=lab.labels[places], classes=len(lab.class_names)
    )


def serves(lab: LabSet, record: dict) -> bool:
    """Whether the lab set's embeddings are those of a run (its `config.json`): same images, backbone and size."""
    data = record.get("data", {})
    return (
        not lab.about["projected"]
        and (data.get("dataset"), data.get("data")) == ("cifar10", None)
        and data.get("protocol") in (None, "I")
        and record.get("backbone", {}).get("train") == "frozen"
        and record.get("backbone_fingerprint") == lab.about["fingerprint"]
        and record.get("image_size") == lab.about["image_size"]
    )
