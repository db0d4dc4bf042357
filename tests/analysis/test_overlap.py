"""How much two codebooks share, against loops, and in cases with a known answer."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.analysis import codebooks
from transclipped.analysis.overlap import LEAST, Overlap, in_words, overlap, shared_within


def entropy(symbols) -> float:
    n = len(symbols)
    return -sum(c / n * math.log2(c / n) for c in Counter(symbols).values())


def information(a, b) -> float:
    return entropy(a) + entropy(b) - entropy(list(zip(a, b, strict=True)))


def measured(codes, labels):
    return overlap(codebooks.dependence(codes, 256), codes, labels)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_copies_share_all_they_say_and_independent_codebooks_nothing(rng):
    column = rng.integers(0, 8, 4000)
    same = measured(np.stack([column, column], 1).astype(np.uint8), None)
    assert same.shared == pytest.approx(3, abs=0.02) and same.share == pytest.approx(1, abs=0.01)
    assert same.within is None and same.class_entropy is None and same.of_class is None
    apart = measured(rng.integers(0, 8, (4000, 3)).astype(np.uint8), None)
    assert apart.share == pytest.approx(0, abs=0.01) and apart.entropy == pytest.approx(3, abs=0.02)


def test_codebooks_that_only_know_the_class_share_it_and_nothing_within_it(rng):
    labels = np.repeat(np.arange(4), 2 * LEAST)
    codes = np.stack([labels * 2 + rng.integers(0, 2, len(labels)) for _ in range(3)], 1).astype(np.uint8)
    result = measured(codes, labels)
    assert result.shared == pytest.approx(2, abs=0.05) and result.class_entropy == pytest.approx(2)
    assert result.classes == 4 and result.within == pytest.approx(0, abs=0.01)
    assert result.of_class == pytest.approx(1, abs=0.01)


def test_what_is_shared_within_a_class_is_not_the_class(rng):
    labels = np.repeat([0, 1], 2 * LEAST)
    detail = rng.integers(0, 4, len(labels))  # both codebooks say it, and nothing of the class
    result = measured(np.stack([detail, detail], 1).astype(np.uint8), labels)
    assert result.shared == pytest.approx(2, abs=0.02) and result.of_class == pytest.approx(0, abs=0.01)


@given(st.integers(0, 9999), st.integers(2, 4), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_shared_within_is_the_loop_minus_chance_and_blind_to_the_order(seed, m, classes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, classes, 80)
    codes = rng.integers(0, 3, (80, m)).astype(np.uint8)
    codes[:, 1] = codes[:, 0]
    value = shared_within(codes, labels)
    pairs, total, n = list(combinations(range(m), 2)), 0.0, int((labels >= 0).sum())
    for label in set(labels[labels >= 0].tolist()):
        rows = codes[labels == label]
        total += len(rows) * sum(information(rows[:, a].tolist(), rows[:, b].tolist()) for a, b in pairs)
    plain = total / (n * len(pairs)) if n else 0.0
    assert 0 <= value <= plain + 1e-9
    order = rng.permutation(80)
    assert shared_within(codes[order], labels[order]) == pytest.approx(value)


@pytest.mark.parametrize("labels", [None, np.full(50, -1), np.zeros((50, 3), np.int64), np.arange(50)])
def test_without_enough_images_of_a_class_nothing_is_said_of_it(rng, labels):
    result = measured(rng.integers(0, 5, (50, 2)).astype(np.uint8), labels)
    assert result.within is None and result.of_class is None


def test_a_single_codebook_and_no_items_have_no_overlap():
    assert measured(np.zeros((9, 1), np.uint8), None) is None
    assert measured(np.zeros((0, 4), np.uint8), None) is None


def test_constant_codes_share_nothing():
    result = measured(np.zeros((9, 2), np.uint8), np.zeros(9, np.int64))
    assert (result.share, result.entropy, result.of_class) == (0, 0, None)


@pytest.mark.parametrize(
    ("share", "words"), [(0, "hardly any"), (0.48, "half"), (0.3, "third"), (0.72, "quarters"), (1, "nearly all")]
)
def test_shares_in_words(share, words):
    assert words in in_words(share)


def test_the_share_of_the_class_is_between_none_and_all():
    assert Overlap(4, 2, 0.5, 2, 4).of_class == 0.75
    assert Overlap(4, 2, 2.5, 2, 4).of_class == 0
