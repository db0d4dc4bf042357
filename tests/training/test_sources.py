"""Sources of views: each image once per epoch, two different views of it, and reproducible batches."""

import numpy as np
import pytest
import torch

from tests import blobs
from transclipped.config import BackboneConfig, DataConfig
from transclipped.datasets.registry import load
from transclipped.datasets.views import PLAIN, render
from transclipped.models.backbone import load_backbone
from transclipped.training import sources
from transclipped.training.sources import CachedViews, FreshViews, gathered


def marked(views=3, n=50):
    """Views with two numbers: row and view."""
    return [np.stack([np.arange(n), np.full(n, v)], 1).astype(np.float16) for v in range(views)]


ROWS = np.arange(5, 50)


@pytest.fixture(scope="module")
def fresh():
    images, backbone = load(DataConfig()), load_backbone(BackboneConfig(name="efficientnet-lite0", image_size=32))
    return FreshViews(images, np.arange(100, 140), backbone, seed=0)


def same(first, second):
    assert len(first) == len(second)
    return all(
        np.array_equal(a.rows, b.rows) and torch.equal(a.views, b.views) for a, b in zip(first, second, strict=True)
    )


def test_rows_i_and_i_plus_b_are_two_different_views_of_one_image():
    for batch in CachedViews(marked(), ROWS, seed=0).batches(0, batch=8):
        assert batch.views.shape == (16, 2)
        np.testing.assert_array_equal(batch.views[:8, 0], batch.rows)
        np.testing.assert_array_equal(batch.views[8:, 0], batch.rows)
        assert (batch.views[:8, 1] != batch.views[8:, 1]).all()


def test_each_pair_of_views_comes_about_equally_often():
    source = CachedViews(marked(n=50), np.arange(50), seed=0)
    batches = [batch for epoch in range(40) for batch in source.batches(epoch, batch=50)]
    pairs = np.concatenate([batch.views[:, 1].view(2, -1).T.numpy() for batch in batches])
    _, counts = np.unique(pairs, axis=0, return_counts=True)
    assert len(counts) == 6  # ordered pairs of three views
    assert abs(counts / counts.sum() - 1 / 6).max() < 0.03  # 2,000 draws: σ = 0.008


def test_epoch_shows_each_image_once_and_drops_an_incomplete_batch():
    batches = list(CachedViews(marked(), ROWS, seed=0).batches(0, batch=8))
    seen = np.concatenate([batch.rows for batch in batches])
    assert len(batches) == 5 and len(np.unique(seen)) == 40 and np.isin(seen, ROWS).all()


def test_skipped_batches_are_the_first_ones():
    source = CachedViews(marked(), ROWS, seed=0)
    assert same(list(source.batches(3, batch=8))[2:], list(source.batches(3, batch=8, skip=2)))
    assert list(source.batches(3, batch=8, skip=5)) == []


def test_order_follows_from_seed_and_epoch_alone():
    first = list(CachedViews(marked(), ROWS, seed=0).batches(1, batch=8))
    source = CachedViews(marked(), ROWS, seed=0)
    list(source.batches(0, batch=8))
    assert same(list(source.batches(1, batch=8)), first)
    assert not same(list(source.batches(2, batch=8)), first)
    assert not same(list(CachedViews(marked(), ROWS, seed=1).batches(1, batch=8)), first)


def test_gathering_equals_the_loop():
    views = [v.astype(np.float16) for v in blobs.views()[0]]
    rng = np.random.default_rng(0)
    rows, which = rng.integers(70, size=30), rng.integers(3, size=30)
    ours = gathered(views, rows, which)
    assert ours.dtype == np.float16
    np.testing.assert_array_equal(ours, [views[v][r] for r, v in zip(rows, which, strict=True)])


def test_views_can_be_memory_maps(tmp_path):
    maps = []
    for i, view in enumerate(marked()):
        view.tofile(tmp_path / f"{i}.f16")
        maps.append(np.memmap(tmp_path / f"{i}.f16", np.float16, "r", shape=view.shape))
    ours, expected = (list(CachedViews(views, ROWS, seed=0).batches(0, batch=8)) for views in (maps, marked()))
    assert same(ours, expected)


def test_fresh_views_are_two_augmentations_that_are_reproducible(fresh):
    batches = list(fresh.batches(0, batch=16))
    assert len(batches) == 2 and batches[0].views.shape == (32, 3, 32, 32)
    assert (batches[0].views[:16] != batches[0].views[16:]).flatten(1).any(1).all()
    assert same(list(fresh.batches(0, batch=16, skip=1)), batches[1:])
    assert not same(list(fresh.batches(1, batch=16, skip=1)), batches[1:])
    seen = np.concatenate([batch.rows for batch in batches])
    assert len(np.unique(seen)) == 32 and np.isin(seen, fresh.rows).all()


def test_both_fresh_views_show_the_image_of_their_row(fresh, monkeypatch):
    monkeypatch.setattr(sources, "random_parameters", lambda n, generator: np.tile(PLAIN, (n, 1)))
    batch = next(fresh.batches(0, batch=16))
    look = fresh.backbone
    plain = render(fresh.images.pixels(batch.rows, 32), None, size=32, mean=look.mean, std=look.std)
    torch.testing.assert_close(batch.views[:16], plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(batch.views[16:], plain, atol=1e-5, rtol=0)
