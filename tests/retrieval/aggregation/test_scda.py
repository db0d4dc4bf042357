"""SCDA against loops, and its largest part against a search by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.retrieval.aggregation.maps import clamped, sides, some
from transclipped.retrieval.aggregation.scda import largest_part, scda


def part_by_walking(mask):
    """The largest set of places that are connected by edges, the first in reading order; all, if there is none."""
    h, w = len(mask), len(mask[0])
    left = {(y, x) for y in range(h) for x in range(w) if mask[y][x]}
    best = set()
    for start in sorted(left):
        if start not in left:
            continue
        part, edge = {start}, [start]
        while edge:
            y, x = edge.pop()
            for place in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if place in left and place not in part:
                    part.add(place)
                    edge.append(place)
        left -= part
        best = max(best, part, key=len)
    return best or {(y, x) for y in range(h) for x in range(w)}


@given(arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))))
@settings(max_examples=150, deadline=None)
def test_largest_part_equals_a_walk_over_the_mask(masks):
    parts = largest_part(masks)
    for mask, part in zip(masks, parts, strict=True):
        assert set(zip(*map(list, part.nonzero()), strict=True)) == part_by_walking(mask.tolist())


def test_parts_do_not_join_at_corners_or_across_images():
    masks = np.array([[[1, 0, 0], [0, 1, 1]], [[0, 0, 0], [0, 0, 1]]], bool)
    assert largest_part(masks).astype(int).tolist() == [[[0, 0, 0], [0, 1, 1]], [[0, 0, 0], [0, 0, 1]]]


@pytest.mark.parametrize(("h", "w"), [(4, 5), (6, 6), (1, 7)])
def test_loops(h, w):
    maps = some(b=6, h=h, w=w)
    expected = []
    for image in clamped(maps):
        high, wide = sides(image)
        total = [[sum(channel[y][x] for channel in image) for x in range(wide)] for y in range(high)]
        mean = sum(map(sum, total)) / (high * wide)
        part = part_by_walking([[v > mean for v in row] for row in total])
        means = [sum(channel[y][x] for y, x in part) / (high * wide) for channel in image]
        expected.append(means + [max(channel[y][x] for y, x in part) for channel in image])
    np.testing.assert_allclose(scda(maps), expected, rtol=1e-5)


def test_a_constant_map_is_pooled_as_a_whole():
    assert scda(np.full((1, 2, 3, 3), 5)).tolist() == [[5, 5, 5, 5]]


def test_what_lies_outside_the_object_does_not_matter():
    maps = np.zeros((2, 3, 6, 6), np.float32)
    maps[:, :, 1:4, 1:4] = 10 + np.random.default_rng(0).random((3, 3, 3))
    maps[1, :, 5, 5] = 1  # below the mean of S
    vectors = scda(maps)
    np.testing.assert_array_equal(vectors[0], vectors[1])
