"""What UMAP is given."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.analysis.maps import umap_layout


@given(st.integers(2, 30), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_every_point_becomes_its_own_first_neighbour(n, seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, n + 1))
    rows = np.stack([rng.permutation(n)[:k] for _ in range(n)])
    distances = np.sort(rng.random((n, k)), axis=1)
    fixed, lengths = umap_layout._self_first(rows, distances)
    assert (fixed[:, 0] == np.arange(n)).all() and not lengths[:, 0].any()
    assert all(len(set(line)) == k for line in fixed.tolist())
    assert (np.diff(lengths, axis=1) >= 0).all()
