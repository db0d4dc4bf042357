"""The counts at every amount of a dial equal those of the rule itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from transclipped.analysis.clipping.dials import dial, nearest, positions
from transclipped.analysis.clipping.report import batch, report
from transclipped.clipping import DELTA, SHARE, turned
from transclipped.config import ClippingConfig
from transclipped.errors import InputError

B = 20


def lab(*, labelled=True, seed=0, images=B):
    z = torch.randn(2 * images, 4, generator=torch.Generator().manual_seed(seed))
    return batch(z, labels=np.arange(images) % 3 if labelled else None)


def grid(values):
    """A batch whose similarities lie exactly on the dial's amounts, many of them equal."""
    one = lab()
    return replace(one, similarity=np.round(one.similarity * values).astype(np.float32) / np.float32(values))


@pytest.mark.parametrize("make", [lab, lambda: grid(10), lambda: grid(100)], ids=["random", "tenths", "hundredths"])
@pytest.mark.parametrize("rule", turned())
def test_each_position_agrees_with_the_report(rule, make):
    lab_batch, config = make(), ClippingConfig(rule=rule, fraction=0.3)
    counts = dial(lab_batch, config)
    setting = turned()[rule].field
    for k, amount in enumerate(counts.amounts):
        expected = report(lab_batch, replace(config, **{setting: float(amount)}), temperature=0.3)
        assert counts.clipped[k] == expected.mask.sum()
        assert counts.hits[k] == (expected.mask & lab_batch.false).sum()
        assert counts.share[k] == pytest.approx(expected.share)
        assert counts.recall[k] == pytest.approx(expected.recall)
        for side, mask in enumerate((expected.mask & ~lab_batch.false, expected.mask & lab_batch.false)):
            assert counts.cut[k, side].tolist() == np.histogram(lab_batch.similarity[mask], counts.edges)[0].tolist()


@pytest.mark.parametrize("rule", turned())
def test_gain_and_price_are_softmax_weights_of_the_clipped_pairs(rule):
    """In loops, from p_ij = e^{s_ij/τ} / (e^{s_i⁺/τ} + Σ_neg e^{s_ij/τ})."""
    tau, one, config = 0.3, lab(images=6), ClippingConfig(rule=rule, fraction=0.3)
    counts, n = dial(one, config, temperature=tau), 12
    s = one.similarity.astype(float)
    for k in (0, 1, 23, 50, 77, 99, 100):
        setting = replace(config, **{turned()[rule].field: float(counts.amounts[k])})
        clipped = report(one, setting, temperature=tau).mask
        every, taken, lowest = [0.0, 0.0], [0.0, 0.0], []
        for i in range(n):
            total = sum(math.exp(s[i][j] / tau) for j in range(n) if j != i)
            for j in range(n):
                if j % 6 == i % 6:
                    continue
                side = int(i % 6 % 3 == j % 6 % 3)
                every[side] += math.exp(s[i][j] / tau) / total
                taken[side] += clipped[i][j] * math.exp(s[i][j] / tau) / total
            if clipped[i].any():
                lowest.append(min(s[i][j] for j in range(n) if clipped[i][j]))
        assert counts.removed[k] == pytest.approx([taken[0] / every[0], taken[1] / every[1]], abs=1e-5)
        level = sum(lowest) / len(lowest) if lowest else math.nan
        assert counts.level[k] == pytest.approx(level, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("rule", turned())
def test_more_clipping_removes_more_repulsion_from_nothing_up_to_all_of_it(rule):
    counts = dial(lab(), ClippingConfig(rule=rule, fraction=0.9), temperature=0.2)
    more = counts.removed if turned()[rule].rising else counts.removed[::-1]
    assert (np.diff(more, axis=0) >= -1e-12).all()
    assert more[0].max() <= 0.01 and more.max() <= 1 + 1e-9
    assert dial(lab(), ClippingConfig(rule=rule)).removed is None


def test_without_labels_the_repulsion_of_all_negatives_counts():
    counts = dial(lab(labelled=False), ClippingConfig(rule="threshold"), temperature=0.3)
    assert np.isnan(counts.removed[:, 1]).all() and 0 < counts.removed[50, 0] < 1
    assert np.isnan(dial(lab(images=1), ClippingConfig(rule="rank"), temperature=0.3).removed).all()


def test_precision_is_unknown_where_nothing_is_clipped():
    counts = dial(lab(), ClippingConfig(rule="rank"))
    assert np.isnan(counts.precision[0]) and counts.clipped[0] == 0
    assert not np.isnan(counts.precision[-1])


@pytest.mark.parametrize("rule", turned())
def test_without_labels_only_counts_remain_and_a_single_image_has_no_pairs(rule):
    counts = dial(lab(labelled=False), ClippingConfig(rule=rule))
    assert (counts.hits, counts.false, counts.precision, counts.recall) == (None,) * 4
    assert counts.histogram[1].sum() == 0
    assert counts.histogram.sum() == counts.pairs == 2 * B * (2 * B - 2)
    counts = dial(lab(images=1), ClippingConfig(rule=rule))
    assert counts.pairs == counts.clipped.sum() == 0
    assert np.isnan(counts.recall).all()


def test_a_rule_without_amount_is_refused():
    with pytest.raises(InputError, match="no amount"):
        dial(lab(), ClippingConfig(rule="none"))


def test_nearest_amount_of_a_dial():
    assert (nearest(DELTA, 0.4567), nearest(SHARE, 7.0)) == (0.46, 0.5)
    assert positions(SHARE)[[0, 1, -1]].tolist() == [0.0, 0.005, 0.5]
