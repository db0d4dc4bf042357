"""What holds for every pooling: ugly maps, number types, batches, and how it follows its input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transclipped.retrieval.aggregation  # noqa: F401
from tests.retrieval.aggregation.maps import some
from transclipped.errors import InputError
from transclipped.retrieval.stages import STAGES

NAMES = [name for name, stage in STAGES.items() if stage.kind == "aggregation"]
each = pytest.mark.parametrize("name", NAMES)


def pool(name, maps, training=None):
    """Vectors by the defaults of a method, which learns from `training` or from the maps themselves."""
    stage = STAGES[name]
    if stage.fit is None:
        return stage.function(maps)
    return stage.function(maps, stage.fit([maps if training is None else training]))


@each
@given(shape=st.tuples(*[st.integers(1, n) for n in (4, 6, 5, 5)]), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_any_shape_gives_one_finite_vector_per_image_whatever_else_is_in_the_batch(name, shape, seed):
    maps = some(*shape, seed=seed)
    vectors = pool(name, maps)
    assert vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == len(maps)
    assert np.isfinite(vectors).all() and (vectors >= 0).all()
    np.testing.assert_allclose(pool(name, maps[-1:], maps), vectors[-1:], rtol=1e-5, atol=1e-6)


@each
def test_negative_values_count_as_zero_and_the_input_stays(name):
    maps = some()
    copy = maps.copy()
    np.testing.assert_array_equal(pool(name, maps), pool(name, np.maximum(maps, 0)))
    np.testing.assert_array_equal(maps, copy)


@each
def test_number_type_and_layout_in_memory_change_nothing(name):
    maps = some().astype(np.float16)
    expected = pool(name, maps.astype(np.float32))
    np.testing.assert_array_equal(pool(name, maps), expected)
    np.testing.assert_array_equal(pool(name, maps.astype(np.float64)), expected)
    strided = np.zeros((3, 7, 8, 5), np.float16)[:, :, ::2]
    strided[:] = maps
    last = np.ascontiguousarray(maps.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)  # as a network gives them
    for layout in (strided, last, np.asfortranarray(maps)):
        np.testing.assert_array_equal(pool(name, layout), expected)


@each
@pytest.mark.parametrize("value", [0, 1, 1e-20, 1e4, -1])
@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (2, 5)])
def test_constant_maps_give_finite_vectors_and_zeros_give_zeros(name, value, sides):
    vectors = pool(name, np.full((2, 6, *sides), value, np.float32))
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors[0], vectors[1])
    if value <= 0:
        assert not vectors.any()


@each
def test_no_image_gives_no_vector_of_the_right_width(name):
    assert pool(name, some()[:0], some()).shape == (0, pool(name, some()).shape[1])


@each
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused_and_the_image_named(name, value):
    maps = some()
    maps[2, 1, 0, 3] = value
    with pytest.raises(InputError, match="image 2"):
        pool(name, maps, some())


@each
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (3, 4, 0, 5), (3, 0, 4, 5)])
def test_what_is_no_map_is_refused_with_its_shape(name, shape):
    with pytest.raises(InputError, match=str(shape[1])):
        pool(name, np.ones(shape, np.float32), some())


@pytest.mark.parametrize("name", ["mean", "max", "gem", "crow", "pwa"])
def test_places_may_be_shuffled(name):
    maps = some()
    order = np.random.default_rng(1).permutation(20)
    shuffled = maps.reshape(3, 7, 20)[..., order].reshape(maps.shape)
    np.testing.assert_allclose(pool(name, shuffled, maps), pool(name, maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["spoc", "scda"])
def test_flipped_maps_pool_alike(name):
    maps = some()
    for axis in (2, 3):
        np.testing.assert_allclose(pool(name, np.flip(maps, axis)), pool(name, maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "max", "gem", "spoc", "crow", "scda", "rmac"])
def test_channels_keep_their_places(name):
    maps = some()
    order = np.random.default_rng(1).permutation(7)
    vectors = pool(name, maps).reshape(3, -1, 7)
    np.testing.assert_allclose(pool(name, maps[:, order]).reshape(3, -1, 7), vectors[..., order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["mean", "max", "gem", "spoc", "crow", "scda", "rmac"])
@pytest.mark.parametrize("scale", [1e-6, 0.5, 1e6])
def test_brighter_maps_give_longer_vectors_except_where_regions_are_normalised(name, scale):
    expected = pool(name, some()) * (1 if name == "rmac" else scale)
    np.testing.assert_allclose(pool(name, some() * np.float32(scale)), expected, rtol=1e-4)
