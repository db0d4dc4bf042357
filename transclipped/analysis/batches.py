"""Batches for the Clipping lab without encoding a picture: out of the lab set, under its heads or under a run's."""

from __future__ import annotations

import numpy as np
import torch

from transclipped.analysis.clipping import Batch, batch
from transclipped.models.network import Head
from transclipped.training.labset import LabSet


def lab_batch(lab: LabSet, head: Head, *, size: int, seed: int) -> Batch:
    """Two views, plain and flipped, of pictures drawn from the lab set, under a head; rows are of the picture set."""
    places = np.sort(np.random.default_rng(seed).choice(len(lab), min(size, len(lab)), replace=False))
    features = np.concatenate([lab.features[0][places], lab.features[1][places]])
    with torch.inference_mode():
        codes = head(torch.from_numpy(features))
    return batch(
        codes.quantized.flatten(1), rows=lab.rows[places], labels=lab.labels[places], classes=len(lab.class_names)
    )


def serves(lab: LabSet, record: dict) -> bool:
    """Whether the lab set's embeddings are those of a run (its `config.json`): same pictures, backbone and size."""
    return (
        not lab.about["projected"]
        and record.get("data", {}).get("dataset") == "cifar10"
        and record.get("backbone", {}).get("train") == "frozen"
        and record.get("backbone_fingerprint") == lab.about["fingerprint"]
        and record.get("image_size") == lab.about["image_size"]
    )
