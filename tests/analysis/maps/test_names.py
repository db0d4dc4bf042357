"""Names of groups stand where a loop over all cells finds the most points of the group."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.analysis.maps import names


def reference(xy, groups):
    """Fullest 3 × 3 block of cells of each group, by counting in loops; the median of the points in it."""
    low, side = xy.min(0), max(np.ptp(xy[:, 0]), np.ptp(xy[:, 1])) or 1.0
    cells = [tuple(min(int((p[c] - low[c]) / side * names.CELLS), names.CELLS - 1) for c in (0, 1)) for p in xy]
    places = {}
    for group in sorted(set(groups), key=lambda g: (-list(groups).count(g), g)):
        own = [i for i, other in enumerate(groups) if other == group]
        if len(own) < names.LEAST:
            continue
        best, near = -1, []
        for a in range(names.CELLS):
            for b in range(names.CELLS):
                around = [i for i in own if abs(cells[i][0] - a) <= 1 and abs(cells[i][1] - b) <= 1]
                if len(around) > best:
                    best, near = len(around), around
        places[group] = (np.median([xy[i][0] for i in near]), np.median([xy[i][1] for i in near]))
    return places


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 4))
@settings(deadline=None, max_examples=15)
def test_names_stand_at_the_densest_place_of_each_group(seed, n, k):
    rng = np.random.default_rng(seed)
    xy, groups = rng.normal(size=(n, 2)) * [3, 1] + [5, -2], rng.integers(0, k, n)
    result, expected = names.densest(xy, groups), reference(xy, groups.tolist())
    assert list(result) == list(expected)
    for group, place in result.items():
        np.testing.assert_allclose(place, expected[group])


def test_a_group_in_two_parts_is_named_in_the_larger_one():
    xy = np.array([[0, 0]] * 5 + [[10, 10]] * 4 + [[10, 0]] * 2, float)
    groups = np.array([7] * 9 + [1] * 2)
    assert names.densest(xy, groups) == {7: (0.0, 0.0)}


def test_one_place_or_no_point_is_no_error():
    assert names.densest(np.ones((4, 2)), np.zeros(4, int)) == {0: (1.0, 1.0)}
    assert names.densest(np.zeros((0, 2)), np.zeros(0, int)) == {}
