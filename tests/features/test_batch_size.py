"""The batch size of a network: chosen by measured speed, cached, and never a cause of failure."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.registry import load
from transclipped.features import batch_size
from transclipped.features.cache import encode, gather
from transclipped.models.backbone import load_backbone
from transclipped.utils.files import cache_dir

CPU = batch_size.SIZES["cpu"]


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def backbone(name="net", size=32):
    return SimpleNamespace(name=name, image_size=size)


def patch_times(monkeypatch, seconds):
    """Let a batch of each size take so many seconds; returns the measured sizes."""
    measured = []
    monkeypatch.setattr(batch_size, "_forward", lambda _, device, size: measured.append(size) or seconds[size])
    return measured


@pytest.mark.parametrize(
    ("speeds", "best"),
    [
        ((500, 400, 300, 200), 16),
        ((100, 200, 300, 400), 128),
        ((100, 300, 305, 306), 32),  # slightly faster is not worth the memory
        ((100, 300, 0.001, 0.001), 32),
    ],
)
def test_fastest_size_wins_and_the_smallest_of_equals(monkeypatch, speeds, best):
    patch_times(monkeypatch, {size: size / speed for size, speed in zip(CPU, speeds, strict=True)})
    assert batch_size.fastest_size(backbone(), "cpu", CPU) == best


def test_sizes_that_do_not_fit_into_memory_are_not_chosen():
    class Narrow(torch.nn.Module):
        image_size, name = 8, "narrow"

        def forward(self, x):
            if len(x) > 32:
                raise torch.OutOfMemoryError("no room")
            return x

    assert batch_size.fastest_size(Narrow(), "cpu", CPU) in (16, 32)


def test_the_measurement_has_a_time_limit(monkeypatch):
    measured = patch_times(monkeypatch, dict.fromkeys(CPU, 1.0))
    monkeypatch.setattr(batch_size, "BUDGET", -1.0)
    assert batch_size.fastest_size(backbone(), "cpu", CPU) == CPU[0]
    assert measured == [CPU[0]]


def test_choice_is_cached_per_network_and_size(own_cache_folder, monkeypatch):
    measured = patch_times(monkeypatch, {size: size / (500 - size) for size in CPU})
    assert batch_size.best_batch_size(backbone(), "cpu", images=batch_size.WORTH) == 16
    count = len(measured)
    assert batch_size.best_batch_size(backbone(), "cpu", images=10) == 16
    assert len(measured) == count
    batch_size.best_batch_size(backbone(size=64), "cpu", images=batch_size.WORTH)
    assert len(measured) == 2 * count


def test_few_images_need_no_measurement(own_cache_folder, monkeypatch):
    measured = patch_times(monkeypatch, {})
    assert batch_size.best_batch_size(backbone(), "cpu", images=batch_size.WORTH - 1) == batch_size.DEFAULT
    assert not measured and not (cache_dir() / "batches.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "null", '{"x": 1e9}', "\xff", '{"%s": "many"}', '{"%s": -4}'])
def test_damaged_cache_is_measured_again(own_cache_folder, monkeypatch, content):
    patch_times(monkeypatch, {size: float(size) for size in CPU})
    cache_dir().mkdir()
    text = content.replace("%s", batch_size._key(backbone(), "cpu"))
    (cache_dir() / "batches.json").write_text(text, encoding="latin-1")
    assert batch_size.best_batch_size(backbone(), "cpu", images=batch_size.WORTH) == 16


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_batches_of_any_size_contain_every_row_once_in_order(batch):
    images, network = load(DataConfig()), load_backbone(BackboneConfig(image_size=32))
    rows = np.array([5, 900, 3, 77, 41_000, 59_999, 12, 8, 2])
    batches = list(encode(network, images, rows, batch=batch))
    assert max(len(part) for part, _ in batches) <= batch
    encoded, features = gather(batches, width=network.width)
    np.testing.assert_array_equal(encoded, rows)
    _, alone = gather(encode(network, images, rows[4:5]), width=network.width)
    one, other = (x / np.linalg.norm(x) for x in (features[4].astype(np.float32), alone[0].astype(np.float32)))
    assert one @ other > 0.999
