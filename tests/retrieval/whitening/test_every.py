"""What holds for every transform: ugly vectors, number types, and a state of another width."""

import numpy as np
import pytest

import transclipped.retrieval.whitening  # noqa: F401
from transclipped.errors import InputError
from transclipped.retrieval.stages import STAGES

NAMES = [name for name, stage in STAGES.items() if stage.kind == "transform"]
LEARNING = [name for name in NAMES if STAGES[name].fit]
each = pytest.mark.parametrize("name", NAMES)


def some(n=30, d=6, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(3, 0.5, d) + 1).astype(np.float32)


def fitted(name, training):
    """State by the defaults of a method, with further arguments from other vectors."""
    others = {"outside": some(40, training.shape[1], 1), "database": some(50, training.shape[1], 2)}
    return STAGES[name].fit(training, **{key: others[key] for key in STAGES[name].needs})


def transform(name, vectors, training=None):
    if name not in LEARNING:
        return STAGES[name].function(vectors)
    return STAGES[name].function(vectors, fitted(name, some() if training is None else training))


@each
def test_number_type_and_layout_in_memory_change_nothing_and_the_input_stays(name):
    x = some().astype(np.float16)
    copy = x.copy()
    expected = transform(name, x.astype(np.float32))
    assert expected.dtype == np.float32
    for other in (x, x.astype(np.float64), np.repeat(x, 2, axis=0)[::2], np.asfortranarray(x)):
        np.testing.assert_array_equal(transform(name, other), expected)
    np.testing.assert_array_equal(x, copy)


@each
def test_each_row_is_transformed_by_itself(name):
    np.testing.assert_allclose(transform(name, some()[7:9]), transform(name, some())[7:9], rtol=1e-5, atol=1e-6)
    assert transform(name, some()[:0]).shape == (0, 6)


@each
def test_zeros_and_duplicates_give_finite_rows(name):
    x = np.concatenate([np.zeros((3, 6), np.float32), np.ones((4, 6), np.float32)])
    result = transform(name, x, x)
    assert np.isfinite(result).all()
    assert (result[:3] == result[0]).all() and (result[3:] == result[3]).all()


@each
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused_and_the_row_named(name, value):
    x = some()
    x[4, 2] = value
    with pytest.raises(InputError, match="row 4"):
        transform(name, x)


@each
@pytest.mark.parametrize("shape", [(6,), (3, 0), (2, 3, 6)])
def test_what_is_no_matrix_is_refused(name, shape):
    with pytest.raises(InputError, match="N, D"):
        transform(name, np.ones(shape, np.float32))


@pytest.mark.parametrize("name", LEARNING)
def test_vectors_of_another_width_are_refused_with_both_widths(name):
    with pytest.raises(InputError, match=r"6 .* 7"):
        transform(name, some(d=7))


@pytest.mark.parametrize("name", sorted({*LEARNING} - {"smooth", "expand", "tpw"}))  # these learn from other vectors
def test_nothing_is_learned_from_nothing_and_little_from_one_vector(name):
    with pytest.raises(InputError, match="none"):
        fitted(name, some()[:0])
    assert np.isfinite(transform(name, some(), some()[:1])).all()


@pytest.mark.parametrize("name", LEARNING)
def test_states_are_arrays_of_float32_and_fits_repeat(name):
    state, again = fitted(name, some()), fitted(name, some())
    assert set(state) == ({"items"} if name in ("smooth", "expand") else {"mean", "matrix"})
    assert all(array.dtype == np.float32 for array in state.values())
    assert all((state[key] == again[key]).all() for key in state)
