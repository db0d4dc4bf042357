"""Building the lab set: the split of its configuration, and directions that keep cosines."""

import numpy as np
import pytest

from transclipped.config import BackboneConfig, DataConfig
from transclipped.experiments.lab.build import build, principal
from transclipped.features import labset


def cosine(a, b):
    return (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)


def test_principal_directions_keep_cosines_of_a_flat_cloud():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30))
    onto = principal(values, 5)
    assert onto.T @ onto == pytest.approx(np.eye(5), abs=1e-9)
    assert cosine(values[:20] @ onto, values[20:] @ onto) == pytest.approx(cosine(values[:20], values[20:]))


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
