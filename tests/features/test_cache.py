"""The feature cache: each view of each image is encoded once, in any order, despite interruptions."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from tests.datasets import facts
from tests.limits import files_up_to, left_over
from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.base import ArraySet
from transclipped.datasets.registry import load
from transclipped.datasets.views import render, view_parameters
from transclipped.errors import InputError
from transclipped.features import cache as module
from transclipped.features.cache import FeatureCache, Progress, encode, gather
from transclipped.models import precision
from transclipped.models.backbone import Backbone, load_backbone, stem_backbone

N, SIZE = 30, 24
ROWS = np.arange(N)


class Network(nn.Module):
    """Seven numbers per image; counts the images."""

    num_features = 7

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 7, 3, stride=2)
        self.n_images = 0

    def forward(self, x):
        self.n_images += len(x)
        return self.conv(x).relu().mean((2, 3))


@pytest.fixture(autouse=True)
def whole_precision(monkeypatch):
    monkeypatch.setattr(precision, "fastest_dtype", lambda device: torch.float32)


@pytest.fixture
def images():
    pixels = np.random.default_rng(0).integers(0, 256, size=(N, 3, 16, 16), dtype=np.uint8)
    return ArraySet(pixels=pixels, **facts(N, fingerprint="0123456789abcdef"))


@pytest.fixture
def make(images, tmp_path):
    """A cache of a new backbone, by default in the same folder."""

    def create(*, seed=0, weights=0, size=SIZE, root=None):
        backbone = Backbone(Network(weights), name="small", image_size=size, mean=(0.5,) * 3, std=(0.5,) * 3)
        return FeatureCache(images, backbone, seed=seed, root=root or tmp_path)

    return create


def expected(cache, view):
    """Features `[N, 7]` directly from the images."""
    net = cache.backbone
    parameters = view_parameters(N, view=view, seed=cache.seed)
    views = render(cache.images.pixels(ROWS, SIZE), parameters, size=net.image_size, mean=net.mean, std=net.std)
    with torch.inference_mode():
        return net(views).numpy()


@pytest.mark.parametrize("view", [0, 1, 2, 3])
def test_features_are_those_of_the_view(view, make):
    cache = make()
    list(cache.fill(view, ROWS))
    np.testing.assert_allclose(cache.view(view), expected(cache, view), atol=2e-3)
    assert cache.view(view).dtype == np.float16


def test_views_differ(make):
    cache = make()
    for view in range(4):
        list(cache.fill(view, ROWS))
    for one, other in pairwise(range(4)):
        assert not np.array_equal(cache.view(one), cache.view(other))


def test_any_order_gives_the_same_features(make, tmp_path):
    whole, parts = make(), make(root=tmp_path / "parts")
    list(whole.fill(2, ROWS))
    for rows in (ROWS[20:], ROWS[5:12], ROWS[::-1]):
        list(parts.fill(2, rows))
    np.testing.assert_allclose(whole.view(2), parts.view(2), atol=1e-3)


def test_nothing_is_encoded_twice(make):
    first = make()
    list(first.fill(0, ROWS[:10]))
    list(first.fill(0, ROWS[5:15]))
    assert first.backbone.network.n_images == 15
    again = make()  # as another run would
    assert list(again.missing(0, ROWS)) == list(ROWS[15:])
    assert list(again.fill(0, ROWS[:15])) == []
    assert again.backbone.network.n_images == 0
    np.testing.assert_array_equal(again.view(0), first.view(0))


def test_other_rows_stay_empty(make):
    cache = make()
    assert not cache.view(0).any()  # nothing on disk yet
    list(cache.fill(0, np.array([3, 9])))
    assert list(np.flatnonzero(cache.view(0).any(1))) == [3, 9]


def test_an_interrupted_fill_is_resumed(make, monkeypatch):
    monkeypatch.setattr(module, "best_batch_size", lambda *a, **k: 8)
    cache = make()
    work = cache.fill(0, ROWS)
    next(work)
    next(work)
    work.close()
    left = len(make().missing(0, ROWS))
    assert 0 < left < N
    list(make().fill(0, ROWS))
    np.testing.assert_allclose(make().view(0), expected(cache, 0), atol=2e-3)


def test_rows_without_marks_are_encoded_again(make):
    cache = make()
    list(cache.fill(0, ROWS))
    (cache.folder / "view-0.done.npy").unlink()
    assert len(cache.missing(0, ROWS)) == N
    list(cache.fill(0, ROWS))
    np.testing.assert_allclose(cache.view(0), expected(cache, 0), atol=2e-3)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense", None])
def test_damaged_marks_are_ignored(damage, make):
    cache = make()
    list(cache.fill(0, ROWS))
    path = cache.folder / "view-0.done.npy"
    if damage is None:
        np.save(path, np.ones(N - 1, bool))  # of fewer images
    else:
        path.write_bytes(damage)
    assert len(cache.missing(0, ROWS)) == N
    list(cache.fill(0, ROWS))
    assert not len(cache.missing(0, ROWS))


def test_other_seeds_weights_sizes_and_images_have_separate_caches(make, images):
    folders = {make().folder, make(seed=1).folder, make(weights=1).folder, make(size=32).folder}
    images.fingerprint = "fedcba9876543210"
    folders.add(make().folder)
    assert len(folders) == 5


def test_views_are_read_only(make):
    cache = make()
    list(cache.fill(0, ROWS))
    with pytest.raises(ValueError, match="read-only"):
        cache.view(0)[0] = 1


def test_progress_counts_up_with_the_time_left(make):
    steps = list(make().fill(1, ROWS[:20]))
    assert steps[-1].done == steps[-1].total == 20
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1].what == "encoding view 1"
    assert steps[-1].seconds_left == 0
    assert Progress("x", 0, 10, 3.0).seconds_left is None
    assert Progress("x", 4, 10, 2.0).seconds_left == pytest.approx(3.0)


@pytest.mark.parametrize("damage", [0.0, -0.0, np.nan, np.inf, -np.inf])
def test_marked_rows_without_content_are_encoded_again(damage, make):
    """Of an older version, or after a disk error."""
    cache = make()
    list(cache.fill(0, ROWS))
    expected = np.array(cache.view(0))
    stored = np.memmap(cache.folder / "view-0.f16", np.float16, "r+", shape=expected.shape)
    stored[[3, 4, 29], slice(None) if damage == 0 else 2] = damage
    stored.flush()
    again = make()
    assert list(again.missing(0, ROWS)) == [3, 4, 29]
    list(again.fill(0, ROWS))
    assert again.backbone.network.n_images == 3
    np.testing.assert_allclose(again.view(0), expected, atol=1e-3)
    assert not len(make().missing(0, ROWS))


def test_a_row_with_one_number_is_sound(make):
    values = np.zeros((4, 7), np.float16)
    values[0, 3], values[1, 0], values[2, 6] = 6e-8, -65504, np.nan  # the smallest and the most negative number
    assert list(module._sound(values)) == [True, True, False, False]


@pytest.mark.parametrize("value", [0.0, float("nan"), 1e6])
def test_an_unusable_embedding_is_an_error_with_the_image(value, make, monkeypatch):
    cache = make()
    forward = Network.forward

    def broken(self, x):
        z = forward(self, x)
        z[-1] = value  # 1e6 is infinite in half precision
        return z

    monkeypatch.setattr(Network, "forward", broken)
    with pytest.raises(InputError, match=r"embedding of image 8 by small"):
        list(cache.fill(0, ROWS[:9]))
    assert len(cache.missing(0, ROWS)) == N


def test_a_file_just_created_by_another_process_is_filled_not_replaced(make):
    mine, other = make(), make()
    list(other.fill(0, ROWS[:10]))
    before = (mine.folder / "view-0.f16").stat().st_ino
    list(mine.fill(0, ROWS[10:]))
    assert (mine.folder / "view-0.f16").stat().st_ino == before
    assert not len(make().missing(0, ROWS))
    (mine.folder / "view-1.f16").touch()  # created without its size yet
    assert not make().view(1).any()
    list(make().fill(1, ROWS))
    np.testing.assert_allclose(make().view(1), expected(mine, 1), atol=2e-3)


def test_marks_of_two_processes_are_all_kept(make):
    one, other = make(), make()
    list(one.fill(0, ROWS[:1]))
    for row in range(1, N):  # each with marks read before the other wrote
        list((one if row % 2 else other).fill(0, ROWS[row : row + 1]))
    assert not len(make().missing(0, ROWS))
    assert np.load(one.folder / "view-0.done.npy").all()


def test_a_mark_is_written_after_its_row_is_on_the_disk(make, monkeypatch):
    cache, missing = make(), []
    monkeypatch.setattr(module, "to_disk", lambda path: missing.append((path.name, len(cache.missing(0, ROWS)))))
    list(cache.fill(0, ROWS))
    assert missing == [("view-0.f16", N)]  # none was marked yet


def test_a_cache_cleared_during_a_fill_is_reported(make, monkeypatch):
    monkeypatch.setattr(module, "best_batch_size", lambda *a, **k: 8)
    cache = make()
    work = cache.fill(0, ROWS)
    next(work)
    shutil.rmtree(cache.folder)
    with pytest.raises(InputError, match="cleared"):
        list(work)
    assert len(make().missing(0, ROWS))  # still missing
    list(make().fill(0, ROWS))
    np.testing.assert_allclose(make().view(0), expected(cache, 0), atol=2e-3)


def test_full_disk_is_reported_and_missing_rows_are_not_marked(make):
    cache = make()
    list(cache.fill(0, ROWS[:5]))
    with files_up_to(100), pytest.raises(InputError, match=r"cannot write .*view-1\.f16.*free some space"):
        list(cache.fill(1, ROWS))
    assert len(make().missing(1, ROWS)) == N
    assert not left_over(cache.folder)
    with files_up_to(5 * 14 + 2), pytest.raises(InputError, match=r"cannot write .*view-0\.f16"):
        list(cache.fill(0, ROWS[5:]))
    assert len(make().missing(0, ROWS)) == N - 5
    list(cache.fill(0, ROWS))
    np.testing.assert_allclose(cache.view(0), expected(cache, 0), atol=2e-3)


def test_encoding_keeps_order_for_any_batch_size(make):
    cache, rows = make(), np.array([7, 3, 21, 4, 4])
    results = []
    for size in (1, 2, 5):
        encoded, features = gather(encode(cache.backbone, cache.images, rows, view=2, batch=size), width=7)
        np.testing.assert_array_equal(encoded, rows)
        np.testing.assert_allclose(features, expected(cache, 2)[rows], atol=2e-3)
        results.append(features)
    np.testing.assert_allclose(results[:2], [results[2]] * 2, atol=1e-3)
    assert list(encode(cache.backbone, cache.images, rows[:0])) == []


def test_stored_maps_of_the_stem_replace_the_images(tmp_path, monkeypatch):
    images, rows = load(DataConfig()), np.array([5, 17, 400])
    backbone = load_backbone(BackboneConfig(name="efficientnet-lite0", image_size=64))
    list(FeatureCache(images, stem_backbone(64), root=tmp_path / "a").fill(0, rows))
    from_images = FeatureCache(images, backbone, root=tmp_path / "b")
    list(from_images.fill(0, rows))
    from_maps = FeatureCache(images, backbone, root=tmp_path / "a")
    monkeypatch.setattr(type(images), "pixels", lambda *a: pytest.fail("an image was decoded"))
    list(from_maps.fill(0, rows))
    one, other = (cache.view(0)[rows].astype(np.float32) for cache in (from_images, from_maps))
    np.testing.assert_allclose(one, other, atol=0.02 * np.abs(one).max())
    assert np.abs(one).max() > 0.1
