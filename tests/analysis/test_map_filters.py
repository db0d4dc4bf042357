"""What is drawn of map filters: against loops over places, and maps without content."""

import numpy as np
import pytest

from transclipped.analysis.map_filters import METHODS, Layer, channels, enlarged, layers, whole
from transclipped.errors import InputError
from transclipped.retrieval.filters import mpfa, regions
from transclipped.retrieval.stages import STAGES

OPTIONS = {
    "mpfa": {"keep": 0.5, "mask": "both"},
    "regions": {"groups": 3},
    "flatness": {},
    "attention": {"faithful": False},
    "utrl": {"upsample": False, "faithful": False},
}


def maps(c=6, h=5, w=4, seed=0):
    x = np.random.default_rng(seed).normal(size=(c, h, w)).astype(np.float32)
    x[0] = 0  # a dead channel
    x[1] = 3  # a flat one
    return x


def state(method, c=6):
    if method == "mpfa":
        return {"channels": np.array([1, 4, 5]), "sums": np.array([0, 9, 1, 2, 5, 5], np.float32)[:c]}
    return {"channels": np.arange(c) > 1} if method in ("attention", "utrl") else {}


def by_name(method, x):
    return {layer.name: layer for layer in layers(method, x, state(method, len(x)), OPTIONS[method])}


def test_masks_are_those_of_loops():
    x = np.maximum(maps(), 0)
    strongest = np.zeros((5, 4))
    for channel in x:
        if channel.max() > 0:
            best = max(np.ndindex(5, 4), key=lambda at: (channel[at], -at[0] * 4 - at[1]))
            strongest[best] = 1
    total = [[sum(float(x[c, i, j]) for c in range(6)) for j in range(4)] for i in range(5)]
    middle = np.median(total)
    seen = by_name("mpfa", maps())
    np.testing.assert_array_equal(seen["max"].values, strongest)
    np.testing.assert_array_equal(seen["sum"].values, [[float(v >= middle - 1e-6) for v in row] for row in total])
    np.testing.assert_array_equal(seen["both"].values, np.maximum(strongest, seen["sum"].values))


def test_regions_have_the_weights_that_the_filter_applies():
    x = maps(seed=3)
    layer = by_name("regions", x)["regions"]
    weighted = regions.regions(x[None], groups=3)[0]
    for i, j in np.ndindex(5, 4):
        weight = layer.weights[layer.region[i, j]]
        np.testing.assert_allclose(weighted[:, i, j], np.maximum(x[:, i, j], 0) * weight, rtol=1e-5)
        assert layer.values[i, j] == pytest.approx(weight / layer.weights[0], rel=1e-5)
    assert (np.diff(layer.weights) <= 0).all() and set(layer.region.ravel()) == set(range(len(layer.weights)))


def test_the_flattest_and_the_most_peaked_channel_without_dead_ones():
    x = maps()
    x[4] = 0
    x[4, 2, 3] = 7
    seen = by_name("flatness", x)
    assert (seen["flattest"].channel, seen["peaked"].channel) == (1, 4)
    assert (seen["flattest"].values == 1).all()
    assert np.argwhere(seen["peaked"].values).tolist() == [[2, 3]]


@pytest.mark.parametrize("method", ["attention", "utrl"])
def test_attentions_are_zero_where_no_chosen_channel_responds(method):
    x = maps()
    x[:, 1, 2] = 0
    for layer in by_name(method, x).values():
        assert layer.values[1, 2] == 0 and layer.values.max() == 1


def test_channels_fall_and_the_kept_ones_are_the_filters():
    ranked = channels("mpfa", maps(), state("mpfa"), OPTIONS["mpfa"])
    assert ranked.order.tolist() == [1, 4, 5, 3, 2, 0] and ranked.selection.tolist() == [True] * 3 + [False] * 3
    assert ranked.values.tolist() == [9, 5, 5, 2, 1, 0]
    flat = channels("flatness", maps(), {}, {})
    assert set(flat.order[-2:].tolist()) == {0, 1} and flat.values[-2:] == pytest.approx([0, 0], abs=1e-5)
    weights = channels("utrl", maps(), state("utrl"), OPTIONS["utrl"])
    assert (np.diff(weights.values) <= 0).all() and weights.order[-1] == 0 and not weights.selection[-1]
    assert channels("regions", maps(), {}, OPTIONS["regions"]) is None


def test_channels_of_mpfa_follow_what_it_has_learned():
    batches = [np.abs(np.random.default_rng(i).normal(size=(3, 6, 5, 4))).astype(np.float32) for i in range(2)]
    learned = mpfa.fit(batches, keep=0.5, mask="both")
    ranked = channels("mpfa", maps(), learned, OPTIONS["mpfa"])
    assert sorted(ranked.order[ranked.selection].tolist()) == learned["channels"].tolist()
    assert ranked.selection[:3].all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["random", "zeros", "constant", "half", "strided"])
def test_every_layer_is_in_range_for_any_maps(method, kind):
    x = {
        "random": maps(),
        "zeros": np.zeros((6, 5, 4), np.float32),
        "constant": np.full((6, 5, 4), 2, np.float32),
        "half": maps().astype(np.float16),
        "strided": maps(w=8)[..., ::2],
    }[kind]
    copy = x.copy()
    drawn = [*layers(method, x, state(method), OPTIONS[method]), whole(method, x, state(method), OPTIONS[method])]
    for layer in drawn:
        assert layer.values.shape == (5, 4) and layer.values.dtype == np.float32
        assert np.isfinite(layer.values).all() and layer.values.min() >= 0 and layer.values.max() <= 1
        assert 0 <= enlarged(layer, 33).min() <= enlarged(layer, 33).max() <= 1
    np.testing.assert_array_equal(x, copy)


def test_methods_are_stages():
    assert {STAGES[name].kind for name in METHODS} == {"filter", "aggregation"}


def test_borders_are_kept_or_smoothed():
    values = np.array([[0, 1], [0, 0]], np.float32)
    hard = enlarged(Layer("x", values, bordered=True), 8)
    assert set(np.unique(hard)) == {0, 1} and (hard[:4, 4:] == 1).all() and hard.sum() == 16
    assert len(np.unique(enlarged(Layer("x", values), 8))) > 2


@pytest.mark.parametrize("x", [np.zeros((6, 5)), np.full((6, 5, 4), np.nan)])
def test_other_maps_are_refused(x):
    with pytest.raises(InputError):
        layers("mpfa", x, state("mpfa"), OPTIONS["mpfa"])
