"""Codes of the denoising auto-encoder as a stage: which images it learns from, and for whom."""

import numpy as np
import pytest
import torch

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.experiments.pipelines.source import images_of

LIMITS = {"dataset": "cifar10", "train_limit": 150, "database_limit": 200, "query_limit": 20}
LINE = "sda(steps=2)"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def codes(source, images=None):
    return source.features(tc.Pipeline(LINE).line.steps[0], source.images if images is None else images)


@pytest.mark.parametrize("validation", [0, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_learns_from_the_training_images_of_this_split_alone(seed, validation):
    source = images_of(DataConfig(**LIMITS, seed=seed), validation=validation)
    rows = codes(source).rows
    assert {*rows.tolist()} == {*source.split.train.tolist()} and not np.isin(rows, source.split.query).any()


def test_another_split_is_another_network():
    sources = [images_of(DataConfig(**LIMITS, seed=seed), validation=n) for seed, n in ((0, 0), (1, 0), (0, 40))]
    assert len({codes(source).fingerprint for source in sources}) == 3
    again = images_of(DataConfig(**LIMITS))
    assert codes(again).fingerprint == codes(sources[0]).fingerprint


def test_images_from_elsewhere_are_coded_by_the_network_of_the_data_set():
    source = images_of(DataConfig(**LIMITS))
    step, row = tc.Pipeline(LINE).line.steps[0], int(source.split.query[0])
    uploaded = source.of(step, source.images.image(row))
    np.testing.assert_allclose(uploaded, source.of(step, source.images.ids[row].item()), atol=1e-6)
    outside, rows = source.outside
    assert codes(source, outside).fingerprint == codes(source).fingerprint
    assert codes(source, outside).stack.layers[0].weight.equal(codes(source).stack.layers[0].weight)
    assert next(codes(source, outside).batches(rows[:3])).shape == (3, 64)


def test_inference_mode_ends_with_each_batch():
    source = images_of(DataConfig(**LIMITS))
    for _ in codes(source).batches(source.split.database):
        assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
