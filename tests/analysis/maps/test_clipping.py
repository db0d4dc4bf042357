"""Clipping on a map, against loops over Python floats."""

import math
from fractions import Fraction

import numpy as np
import pytest

from transclipped import clipping
from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps.store import Items
from transclipped.config import ClippingConfig
from transclipped.errors import InputError

CONFIGS = [
    ClippingConfig(rule="threshold", threshold=0.3),
    ClippingConfig(rule="rank", fraction=0.07),
    ClippingConfig(rule="rank+threshold", fraction=0.2, threshold=0.4),
    ClippingConfig(rule="adaptive", sigma=1.5),
    ClippingConfig(rule="adaptive", sigma=1.5, start=3, full=9),
    ClippingConfig(rule="none"),
    ClippingConfig(rule="debiased"),
]


def naive(anchor, vectors, config, own):
    """Items taken for the anchor, by loops; `own` is its row or None."""

    def cosine(a, b):
        dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(float(x) ** 2 for x in a) * sum(float(y) ** 2 for y in b))

    s = {j: cosine(anchor, other) for j, other in enumerate(vectors) if j != own}
    top = sorted(s, key=lambda j: (-s[j], j))[: math.floor(Fraction(str(config.fraction)) * len(s))]
    mean = sum(s.values()) / len(s)
    sigma = math.sqrt(sum((value - mean) ** 2 for value in s.values()) / len(s))
    picked = {
        "threshold": [j for j in s if s[j] > config.threshold],
        "rank": top,
        "rank+threshold": [j for j in top if s[j] > config.threshold],
        "adaptive": [j for j in s if s[j] > mean + config.sigma * sigma + 1e-6],
    }
    return set(picked.get(config.rule, []))


@pytest.fixture
def vectors():
    return np.random.default_rng(3).normal(size=(60, 5)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.rule}-{config.full:g}")
def test_one_anchor_takes_what_the_equations_say(vectors, config):
    for row in (0, 17, 59):
        result = map_clipping.false_negatives(vectors, config, anchor=row)
        assert set(np.flatnonzero(result)) == naive(vectors[row], vectors, config, row)
    other = np.array([1, -2, 0.5, 0, 3], np.float32)
    result = map_clipping.false_negatives(vectors, config, anchor=other)
    assert set(np.flatnonzero(result)) == naive(other, vectors, config, None)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.rule}-{config.full:g}")
def test_share_counts_the_anchors_that_take_an_item(vectors, config):
    counted = np.zeros(60)
    for row in range(60):
        for other in naive(vectors[row], vectors, config, row):
            counted[other] += 1
    assert map_clipping.share_of_anchors(vectors, config) == pytest.approx(counted / 59, abs=1e-6)


def test_sampled_anchors_are_counted_once_in_any_chunks(vectors, monkeypatch):
    config = ClippingConfig(rule="threshold", threshold=-1)  # takes all
    assert (map_clipping.share_of_anchors(vectors, config, anchors=7) == 1).all()
    whole = map_clipping.share_of_anchors(vectors, CONFIGS[1])
    monkeypatch.setattr(map_clipping, "CHUNK", 7)
    assert (map_clipping.share_of_anchors(vectors, CONFIGS[1]) == whole).all()


def test_equal_items_and_a_single_one_work():
    for n in (1, 2, 6):
        same = np.ones((n, 3), np.float32)
        for config in CONFIGS:
            assert not map_clipping.false_negatives(same, config, anchor=0)[0]
            assert np.isfinite(map_clipping.share_of_anchors(same, config)).all()
    assert map_clipping.false_negatives(np.ones((6, 3), np.float32), CONFIGS[0], anchor=2).sum() == 5


def test_embeddings_that_are_missing_are_named(vectors):
    points = Items("queries", np.arange(60), None, np.zeros((60, 1), np.uint8), {"quantized": vectors})
    assert map_clipping.looked_at(points, ClippingConfig(on="quantized")) is vectors
    with pytest.raises(InputError, match="backbone"):
        map_clipping.looked_at(points, ClippingConfig(on="backbone"))


def test_a_rule_that_needs_whole_batches_is_refused(vectors, monkeypatch):
    monkeypatch.setitem(clipping.RULES, "square", clipping.Rule(lambda s, candidates, config: (s > s.T, None)))
    config = ClippingConfig()
    object.__setattr__(config, "rule", "square")
    with pytest.raises(InputError, match=r"square.*cannot be shown"):
        map_clipping.false_negatives(vectors, config, anchor=0)
