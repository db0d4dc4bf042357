"""The batch that a network likes: chosen by measured speed, remembered, and never a reason to fail."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from transclipped.features import batch_size
from transclipped.features.cache import encode
from transclipped.utils.files import cache_dir

CPU = batch_size.SIZES["cpu"]


@pytest.fixture
def own_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def backbone(name="net", size=32):
    return SimpleNamespace(name=name, image_size=size)


def clocked(monkeypatch, seconds):
    """As if a batch of each size took so long; returns the sizes that were tried."""
    tried = []

    def forward(backbone, device, size):
        tried.append(size)
        return seconds[size]

    monkeypatch.setattr(batch_size, "_forward", forward)
    return tried


@pytest.mark.parametrize(
    ("speeds", "best"),
    [
        ((500, 400, 300, 200), 16),
        ((100, 200, 300, 400), 128),
        ((100, 300, 305, 306), 32),  # hardly faster is not worth the memory
        ((100, 300, 0.001, 0.001), 32),
    ],
)
def test_fastest_size_wins_and_the_smallest_of_equals(monkeypatch, speeds, best):
    clocked(monkeypatch, {size: size / speed for size, speed in zip(CPU, speeds, strict=True)})
    assert batch_size.fastest_size(backbone(), "cpu", CPU) == best


def test_what_does_not_fit_into_memory_is_not_chosen(monkeypatch):
    class Narrow(torch.nn.Module):
        image_size, name = 8, "narrow"

        def forward(self, x):
            if len(x) > 32:
                raise torch.OutOfMemoryError("no room")
            return x

    assert batch_size.fastest_size(Narrow(), "cpu", CPU) in (16, 32)


def test_slow_networks_are_not_measured_for_long(monkeypatch):
    tried = clocked(monkeypatch, dict.fromkeys(CPU, 1.0))
    monkeypatch.setattr(batch_size, "BUDGET", -1.0)
    assert batch_size.fastest_size(backbone(), "cpu", CPU) == CPU[0]
    assert tried == [CPU[0]]


def test_choice_is_remembered_for_each_network_and_size(own_memory, monkeypatch):
    tried = clocked(monkeypatch, {size: size / (500 - size) for size in CPU})
    assert batch_size.chosen_batch(backbone(), "cpu", images=batch_size.WORTH) == 16
    count = len(tried)
    assert batch_size.chosen_batch(backbone(), "cpu", images=10) == 16
    assert len(tried) == count
    batch_size.chosen_batch(backbone(size=64), "cpu", images=batch_size.WORTH)
    assert len(tried) == 2 * count


def test_few_images_are_not_worth_a_measurement(own_memory, monkeypatch):
    tried = clocked(monkeypatch, {})
    assert batch_size.chosen_batch(backbone(), "cpu", images=batch_size.WORTH - 1) == batch_size.DEFAULT
    assert not tried and not (cache_dir() / "batches.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "null", '{"x": 1e9}', "\xff", '{"%s": "many"}', '{"%s": -4}'])
def test_damaged_memory_is_measured_again(own_memory, monkeypatch, content):
    clocked(monkeypatch, {size: float(size) for size in CPU})
    cache_dir().mkdir()
    text = content.replace("%s", batch_size._key(backbone(), "cpu"))
    (cache_dir() / "batches.json").write_text(text, encoding="latin-1")
    assert batch_size.chosen_batch(backbone(), "cpu", images=batch_size.WORTH) == 16


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_batches_of_any_size_bring_every_row_once_and_in_order(batch):
    from transclipped.config import BackboneConfig, DataConfig
    from transclipped.datasets.registry import load
    from transclipped.models.backbone import load_backbone

    images, network = load(DataConfig()), load_backbone(BackboneConfig(image_size=32))
    rows = np.array([5, 900, 3, 77, 41_000, 59_999, 12, 8, 2])
    found = list(encode(network, images, rows, batch=batch))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in found]), rows)
    assert max(len(part) for part, _ in found) <= batch
    features = np.concatenate([features for _, features in found]).astype(np.float32)
    one = np.concatenate([f for _, f in encode(network, images, rows[4:5])]).astype(np.float32)[0]
    cosine = features[4] @ one / np.linalg.norm(features[4]) / np.linalg.norm(one)
    assert cosine > 0.999
