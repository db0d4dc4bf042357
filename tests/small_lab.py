"""A small synthetic lab set: images of three classes around three directions."""

import numpy as np

from transclipped.features.labset import LabSet, to_int8


def small_lab(*, images=300, queries=60, width=16, seed=0) -> LabSet:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, width))

    def around(labels):
        return (centres[labels] + rng.normal(scale=1.2, size=(len(labels), width))).astype(np.float32)

    labels, query_labels = np.arange(images) % 3, np.arange(queries) % 3
    plain = around(labels)
    views, view_scales = to_int8(np.stack([plain + rng.normal(scale=0.1, size=plain.shape) for _ in range(3)]))
    numbers, scales = to_int8(around(query_labels))
    about = {"backbone": "efficientnet-lite0", "image_size": 32, "fingerprint": "made up"}
    about |= {"projected": False, "class_names": ["a", "b", "c"]}
    rows, query_rows = np.arange(images), 50_000 + np.arange(queries)
    return LabSet(views, view_scales, numbers, scales, rows, query_rows, labels, query_labels, about)
