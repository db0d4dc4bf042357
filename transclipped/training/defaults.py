"""Defaults that suit the number of images, and settings that no training can have with so few.

A folder and no other setting is enough for a training that works, whether it holds a dozen images or a million.
What a person chose is never changed: it is refused, with the values that are allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transclipped.config import RunConfig, ScheduleConfig
from transclipped.errors import InputError
from transclipped.flags import SIZED, configured, settings

if TYPE_CHECKING:
    from transclipped.datasets.base import ImageSet
    from transclipped.datasets.protocols import Split

STEPS = 40  # of a training at least: as many as 2,000 images get by default
BATCH, EPOCHS = SIZED
NAMES = {BATCH: "the batch is", EPOCHS: "epochs are"}


@dataclass(frozen=True)
class Fit:
    """A configuration for so many images.

    Attributes:
        images: that train.
        changes: settings whose usual default does not suit them, by path, with what is used instead.
    """

    config: RunConfig
    images: int
    changes: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """One sentence, or none."""
        usual = settings(RunConfig())
        parts = [f"{NAMES[path]} {value} (usually {usual[path]})" for path, value in self.changes.items()]
        return f"{self.images:,} images train, so {' and '.join(parts)}" if parts else ""


def suited_batch(images: int, *, most: int = ScheduleConfig.batch) -> int:
    """The largest power of two that gives at least two steps an epoch, from 2 to `most`.

    An incomplete last batch is left out, so a batch of more than half of the images would leave out up to half of
    them in each epoch. Larger is better otherwise, since the rest of a batch are an anchor's negatives.
    """
    return max(2, min(most, 1 << max(1, images // 2).bit_length() - 1))


def suited_epochs(images: int, batch: int, *, least: int = ScheduleConfig.epochs) -> int:
    """Passes that make at least `STEPS` steps.

    Of 300 photographs in 10 classes, 81 trained for 12, 40, 100 and 300 steps give mAP 0.80, 0.85, 0.87, 0.84, and 11
    of them 0.53, 0.57, 0.57, 0.58 (six draws each, 32 bits, EfficientNet-Lite0).
    """
    return max(least, -(-STEPS // max(1, images // batch)))


def fitted(config: RunConfig, *, images: int, chosen: Collection[str]) -> Fit:
    """`config` with those defaults changed that do not suit so many training images.

    The number of codewords stays: gradients and not k-means train a codebook, so it may have more codewords
    than there are images. At 32 bits K = 256 gives mAP 0.853 with 81 images and 0.568 with 11, K = 16 gives 0.826
    and 0.563, in twice the bytes (as measured in `suited_epochs`, 40 steps). So do the four views: eight gain 0.01.

    Args:
        images: that train.
        chosen: settings by path that a person gave, which stay as they are.
    """
    now, changes = settings(config), {}
    if BATCH not in chosen:
        changes[BATCH] = suited_batch(images, most=now[BATCH])
    if EPOCHS not in chosen:
        changes[EPOCHS] = suited_epochs(images, changes.get(BATCH, now[BATCH]), least=now[EPOCHS])
    changes = {path: value for path, value in changes.items() if value != now[path]}
    return Fit(configured(config, changes), images, changes)


def check(config: RunConfig, images: ImageSet, split: Split, *, chosen: Collection[str]) -> None:
    """Refuse a configuration that cannot train.

    Args:
        chosen: settings by path that a person gave; K of mAP@K is refused only if it is among them.

    Raises:
        InputError: the batch or K is larger than there are images, or selection needs labels.
    """
    check_batch(len(split.train), config.schedule.batch)
    k = config.k
    if k is not None and k > len(split.database) and "k" in chosen:
        raise InputError(
            f"k is {k}, but the database holds {len(split.database)} images; choose at most {len(split.database)}",
            setting="k",
        )
    if config.select == "validation" and images.labels is None:
        raise InputError(
            "select is 'validation', which needs labels, but these images have none; choose last", setting="select"
        )


def check_batch(images: int, batch: int) -> None:
    """Raises InputError if the training images cannot fill one batch."""
    if batch > images:
        raise InputError(
            f"schedule.batch is {batch}, but only {images} images train; choose a batch of at most {images}",
            setting="schedule.batch",
        )
