"""Neighbours as second views: their choice, their share, and reproducible epochs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.experiments.pretrain.neighbours import NeighbourViews, nearest_neighbours
from transclipped.training.sources import CachedViews

ROWS = np.array([2, 3, 5, 8, 9, 12, 15, 16, 20, 21, 22, 30])
NEAR = np.roll(ROWS, -1)[:, None]  # the next row is each one's only neighbour


def marked(views=3, n=40):
    """Embeddings `[n, 2]` of row and view."""
    return [np.stack([np.arange(n), np.full(n, v)], axis=1).astype(np.float16) for v in range(views)]


def source(share, find=lambda epoch: NEAR, seed=0):
    return NeighbourViews(marked(), ROWS, find=find, share=share, seed=seed)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5))
def test_neighbours_are_the_most_similar_others(seed, n, k):
    k = min(k, n - 1)
    x = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    result = nearest_neighbours(x * 7, k)
    assert result.shape == (n, k)
    np.testing.assert_allclose(np.take_along_axis(similar, result, 1), -np.sort(-similar, 1)[:, :k], atol=1e-5)


def test_no_image_is_its_own_neighbour_among_equal_ones():
    neighbours = nearest_neighbours(np.ones((9, 4)), 3)
    assert not (neighbours == np.arange(9)[:, None]).any()
    assert all(len(set(row)) == 3 for row in neighbours.tolist())


@pytest.mark.parametrize("k", [0, 5, 8])
def test_invalid_number_of_neighbours_is_rejected(k):
    with pytest.raises(InputError, match=f"neighbours is {k}, but there are 5 images"):
        nearest_neighbours(np.eye(5), k)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 12)])
def test_second_views_are_of_the_neighbour_never_or_always(share, expected):
    (batch,) = source(share).batches(0, batch=12)
    first, second = batch.views[:12, 0].numpy(), batch.views[12:, 0].numpy()
    np.testing.assert_array_equal(first, batch.rows)
    following = dict(zip(ROWS, NEAR[:, 0], strict=True))
    assert sum(second == [following[row] for row in batch.rows]) == expected
    assert sum(second == batch.rows) == 12 - expected


def test_a_share_of_one_half_is_about_that():
    rows = np.arange(4000)
    views = marked(n=4001)
    both = NeighbourViews(views, rows, find=lambda epoch: rows[:, None] + 1, share=0.5, seed=0)
    partners = both.partners(0, rows)
    assert 0.45 < (partners == rows + 1).mean() < 0.55


def test_with_no_share_it_is_the_plain_source():
    plain = list(CachedViews(marked(), ROWS, seed=3).batches(2, batch=4))
    same = list(source(0.0, seed=3).batches(2, batch=4))
    for one, other in zip(plain, same, strict=True):
        np.testing.assert_array_equal(one.views, other.views)


def test_epoch_is_reproducible_from_any_batch():
    whole = list(source(0.5).batches(1, batch=4))
    rest = list(source(0.5).batches(1, batch=4, skip=1))
    for one, other in zip(whole[1:], rest, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.views, other.views)


def test_neighbours_are_searched_again_in_each_epoch():
    epochs = []
    for epoch in (0, 1):
        list(source(0.5, lambda epoch: epochs.append(epoch) or NEAR).batches(epoch, batch=4))
    assert epochs == [0, 1]
