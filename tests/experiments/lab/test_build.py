"""Building the lab set from the split of its configuration."""

import numpy as np

from transclipped.config import BackboneConfig, DataConfig
from transclipped.experiments.lab.build import build
from transclipped.features import labset


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_build_embeds_the_split_of_its_configuration(tmp_path):
    data = DataConfig(dataset="cifar10", protocol="I", database_limit=12, query_limit=5)
    backbone = BackboneConfig(name="efficientnet-lite0", image_size=32)
    for _ in build(tmp_path, backbone=backbone, data=data):
        pass
    lab = labset.load(tmp_path)
    assert lab.views.shape == (3, 12, labset.WIDTH) and lab.about["projected"]
    assert lab.rows.max() < 50_000 <= lab.query_rows.min()
    plain, flipped = (view.astype(np.float32) for view in lab.features[:2])
    assert cosine(plain, flipped).mean() > cosine(plain, np.roll(flipped, 1, 0)).mean()
