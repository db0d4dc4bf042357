"""Batches for the Clipping lab: from a run's training images, or from the lab set, which needs no encoding."""

import numpy as np
import torch

from transclipped.analysis.clipping.report import Batch, batch
from transclipped.errors import InputError
from transclipped.features.labset import LabSet
from transclipped.models.head import Head


def batch_of(run, *, size: int, seed: int, epoch: int | None = None, lab=None) -> Batch:
    """Two views, plain and flipped, of images drawn from a run's training set, under its model.

    Args:
        epoch: use the head of this epoch; None for the trained one.
        lab: lab set, used without encoding if its backbone is the run's; the images are then drawn from it.

    Raises:
        InputError: a part of the run is missing.
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
    _, head = trained_model(run, backbone=session.backbone)  # also loads trained weights into the backbone
    if not frozen:
        rows, features = _encoded_views(session, rows)
    if epoch is not None:
        head = run.head(epoch=epoch)
    labels = session.images.labels
    labels = None if labels is None else labels[rows]
    return _batch(head, np.concatenate(features), rows, labels, len(session.images.class_names))


def _cached_views(session, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The decodable rows `[n]`, and embeddings `[n, F]` of both views, from the feature cache, which is filled."""
    for view in (0, 1):
        for _ in session.cache.fill(view, rows):
            pass
    rows = session.images.readable(rows)
    return rows, [np.asarray(session.cache.view(view)[rows]) for view in (0, 1)]


def _encoded_views(session, rows: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """As `_cached_views`, for a trained backbone, whose embeddings no other run shares."""
    from transclipped.features.cache import encode, gather

    backbone = session.backbone
    views = [gather(encode(backbone, session.images, rows, view=v), width=backbone.width) for v in (0, 1)]
    rows = views[1][0]
    return rows, [embeddings[np.isin(encoded, rows)] for encoded, embeddings in views]


def lab_batch(lab: LabSet, head: Head, *, size: int, seed: int) -> Batch:
    """Two views, plain and flipped, of images drawn from the lab set, under a head; rows are of the image set."""
    chosen = np.sort(np.random.default_rng(seed).choice(len(lab), min(size, len(lab)), replace=False))
    features = np.concatenate([lab.features[0][chosen], lab.features[1][chosen]])
    return _batch(head, features, lab.rows[chosen], lab.labels[chosen], len(lab.class_names))


@torch.inference_mode()
def _batch(head: Head, features: np.ndarray, rows: np.ndarray, labels: np.ndarray | None, classes: int) -> Batch:
    embeddings = head(torch.from_numpy(features)).quantized.flatten(1)
    return batch(embeddings, rows=rows, labels=labels, classes=classes)


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
