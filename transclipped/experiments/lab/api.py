"""The lab set for notebooks: batches under a head, reports on clipping, and heads that train in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transclipped.analysis.clipping import report as clipping_report
from transclipped.analysis.clipping.batches import lab_batch
from transclipped.config import ClippingConfig, from_dict
from transclipped.experiments.lab.sweep import measured, train_head
from transclipped.features import labset
from transclipped.models.head import Head


class Lab:
    """Embeddings of 5,000 training images and 1,000 queries of CIFAR-10 by a frozen backbone.

    Args:
        folder: of the lab set; by default, the bundled one.

    Attributes:
        data: the `LabSet`.
        k: K of mAP@K.

    Raises:
        InputError: its files are missing or damaged, or a clipping setting is unknown or invalid.

    Examples:
        >>> lab = tc.Lab()
        >>> batch = lab.batch("after 1 epoch")
        >>> batch.similarity.shape
        (512, 512)
        >>> report = lab.report(batch, rule="threshold", threshold=0.6)
        >>> report.precision > 2 * float(batch.false.mean())  # far better than chance
        True
    """

    spread = staticmethod(clipping_report.spread)
    neighbours = staticmethod(clipping_report.neighbours)

    def __init__(self, folder: Path = labset.FOLDER) -> None:
        self.data = labset.load(folder)
        self.k = min(labset.K, len(self.data))

    def batch(self, head: Head | str, *, size: int = 256, seed: int = 0) -> clipping_report.Batch:
        """Two views of `size` images under a head, or under a bundled one from `labset.STAGES`, by name."""
        head = labset.load_head(self.data, head) if isinstance(head, str) else head
        return lab_batch(self.data, head, size=size, seed=seed)

    def report(
        self, batch: clipping_report.Batch, *, temperature: float = 0.3, **clipping: Any
    ) -> clipping_report.Report:
        """A report on clipping a batch; `clipping` are fields of `ClippingConfig`."""
        return clipping_report.report(batch, from_dict(ClippingConfig, clipping), temperature=temperature)

    def train(self, *, temperature: float = 0.3, seed: int = 0, **clipping: Any) -> Head:
        """A head trained for 608 steps; `clipping` are fields of `ClippingConfig`."""
        config = from_dict(ClippingConfig, clipping)
        return train_head(self.data, labset.lab_config(self.data, clipping=config, temperature=temperature, seed=seed))

    def map(self, head: Head) -> float:
        """mAP@K of the queries against the training images by asymmetric search, in [0, 1]."""
        config = labset.lab_config(self.data, clipping=ClippingConfig(), temperature=0.3)  # only its K matters
        return measured(self.data, head, config)
