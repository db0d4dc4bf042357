"""TPW against scikit-learn's PCA, twice; and where it changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from transclipped.errors import InputError
from transclipped.retrieval.vectors import unit
from transclipped.retrieval.whitening.tpw import EPSILON, fit, tpw


def some(n, seed, d=8):
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * np.linspace(2, 0.3, d) + 1).astype(np.float32)


def whitened(x, outside):
    """All directions of the outside set, divided by the root of their variance + 1e-5."""
    first = PCA(svd_solver="full").fit(outside.astype(np.float64))
    variance = first.explained_variance_ * (len(outside) - 1) / len(outside)
    return first.transform(x) / np.sqrt(variance + EPSILON)


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_equals_scikit_learns_twice(dim):
    x, outside, database = some(9, 0), some(70, 1), some(90, 2)
    second = PCA(dim, svd_solver="full").fit(whitened(database, outside))
    expected = unit(second.transform(whitened(x, outside)))
    z = tpw(x, fit(x, dim=dim, outside=outside, database=database), dim=dim)
    np.testing.assert_allclose(z @ z.T, expected @ expected.T, atol=1e-4)


@given(st.integers(1, 8), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_database_that_is_its_own_outside_set_gives_plain_whitening_at_every_width(dim, seed):
    database = some(60, seed)
    z = tpw(database, fit(database, dim=dim, outside=database, database=database), dim=dim)
    plain = unit(whitened(database, database)[:, :dim])
    np.testing.assert_allclose(z @ z.T, plain @ plain.T, atol=2e-4)


def test_an_outside_set_changes_the_result():
    database, outside = some(60, 0), some(60, 1)
    own, other = (tpw(database, fit(database, dim=3, outside=o, database=database)) for o in (database, outside))
    assert np.abs(own @ own.T - other @ other.T).max() > 0.1


@pytest.mark.parametrize("absent", ["outside", "database"])
def test_missing_or_other_vectors_are_refused_by_name(absent):
    sets = {"outside": some(9, 0), "database": some(9, 1)}
    with pytest.raises(InputError, match=f"{absent} vectors"):
        fit(some(9, 2), **(sets | {absent: some(9, 0)[:0]}))
    with pytest.raises(InputError, match="8"):
        fit(some(9, 2), **(sets | {absent: some(9, 0, d=5)}))
