"""Objectives of the head besides SimCLR's: each a pure function in a file of its own, and the state that some need.

| objective | learns from                                                     | negatives            |
| --------- | --------------------------------------------------------------- | -------------------- |
| `simclr`  | two views of an image against the batch (`losses.py`)           | batch                |
| `moco`    | the same, and a queue of earlier batches                        | batch and queue      |
| `byol`    | a prediction of the other view's embedding by a slow copy       | none                 |
| `barlow`  | numbers that agree between the views and are decorrelated       | none                 |
| `vicreg`  | the same, by invariance, variance and covariance                | none                 |
| `triplet` | two encoders of one image (library and study only)              | hardest of the batch |

Clipping can help those with negatives only. While the backbone is frozen, a slow copy of the head is nearly pointless:
such copies guard a deep network against its own fast changes.

The triplets need two encoders, while a run has one: the study trains them, and a run cannot choose them.
"""

from transclipped.training.objectives import barlow, byol, moco, vicreg  # registers them

__all__ = ["barlow", "byol", "moco", "vicreg"]
