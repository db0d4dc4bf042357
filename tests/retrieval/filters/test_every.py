"""What holds for every filter of maps: ugly maps, number types and batches."""

import numpy as np
import pytest

import transclipped.retrieval.filters  # noqa: F401
from tests.retrieval.aggregation.maps import some
from transclipped.errors import InputError
from transclipped.retrieval.stages import STAGES

NAMES = [name for name, stage in STAGES.items() if stage.kind == "filter"]
LEARNING = [name for name in NAMES if STAGES[name].fit]
each = pytest.mark.parametrize("name", NAMES)


def filtered(name, maps, training=None):
    stage = STAGES[name]
    if stage.fit is None:
        return stage.function(maps)
    return stage.function(maps, stage.fit([maps if training is None else training]))


@each
@pytest.mark.parametrize("shape", [(3, 7, 4, 5), (1, 1, 4, 4), (2, 9, 5, 9)])
def test_maps_stay_maps_of_the_same_places_whatever_else_is_in_the_batch(name, shape):
    maps = some(*shape)
    copy = maps.copy()
    result = filtered(name, maps)
    assert result.dtype == np.float32 and result.shape[0] == shape[0] and result.shape[2:] == shape[2:]
    assert np.isfinite(result).all() and (result >= 0).all()
    np.testing.assert_allclose(filtered(name, maps[-1:], maps), result[-1:], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(filtered(name, np.maximum(maps, 0)), result)
    np.testing.assert_array_equal(maps, copy)
    assert filtered(name, maps[:0], maps).shape == (0, *result.shape[1:])


@each
def test_number_type_and_layout_in_memory_change_nothing(name):
    maps = some().astype(np.float16)
    expected = filtered(name, maps.astype(np.float32))
    for other in (maps, maps.astype(np.float64), np.asfortranarray(maps), np.repeat(maps, 2, axis=2)[:, :, ::2]):
        np.testing.assert_array_equal(filtered(name, other), expected)


@each
@pytest.mark.parametrize("value", [0, 1, 1e-20, 1e4])
def test_constant_maps_are_no_trouble(name, value):
    result = filtered(name, np.full((2, 6, 4, 4), value, np.float32))
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(result[0], result[1])


@each
def test_a_value_that_is_no_number_is_refused_and_the_image_named(name):
    maps = some()
    maps[1, 1, 0, 3] = np.nan
    with pytest.raises(InputError, match="image 1"):
        filtered(name, maps, some())


@each
def test_maps_of_one_place_are_filtered_or_refused_in_a_sentence(name):
    maps = some(h=1, w=1)
    if name in ("mpfa", "flatness"):
        with pytest.raises(InputError, match="earlier layer"):
            filtered(name, maps)
    else:
        np.testing.assert_allclose(filtered(name, maps), np.maximum(maps, 0) * (2 if name == "attention" else 1))


@each
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_brighter_maps_are_filtered_alike(name, scale):
    maps = some()
    expected = filtered(name, maps) * scale
    np.testing.assert_allclose(filtered(name, maps * np.float32(scale)), expected, rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("name", LEARNING)
def test_maps_of_another_width_and_no_training_images_are_refused(name):
    with pytest.raises(InputError, match=r"7 .* 8"):
        filtered(name, some(c=8), some())
    with pytest.raises(InputError, match=r"7 .* 8"):
        STAGES[name].fit([some(), some(c=8)])
    for batches in ([], [some()[:0]]):
        with pytest.raises(InputError, match="none"):
            STAGES[name].fit(batches)
