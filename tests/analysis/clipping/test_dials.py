"""Every position of a dial counts what the rule itself clips there."""

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
    """A batch whose similarities lie exactly on positions of the dial, many of them equal."""
    one = lab()
    return replace(one, similarity=np.round(one.similarity * values).astype(np.float32) / np.float32(values))


@pytest.mark.parametrize("make", [lab, lambda: grid(10), lambda: grid(100)], ids=["random", "tenths", "hundredths"])
@pytest.mark.parametrize("rule", turned())
def test_each_position_agrees_with_the_report(rule, make):
    drawn, config = make(), ClippingConfig(rule=rule, fraction=0.3)
    counts = dial(drawn, config)
    setting = turned()[rule].field
    for k, amount in enumerate(counts.amounts):
        done = report(drawn, replace(config, **{setting: float(amount)}), temperature=0.3)
        assert counts.clipped[k] == done.mask.sum()
        assert counts.hits[k] == (done.mask & drawn.false).sum()
        assert counts.share[k] == pytest.approx(done.share)
        assert counts.recall[k] == pytest.approx(done.recall)
        for side, mask in enumerate((done.mask & ~drawn.false, done.mask & drawn.false)):
            assert counts.cut[k, side].tolist() == np.histogram(drawn.similarity[mask], counts.edges)[0].tolist()


def test_precision_is_unknown_where_nothing_is_clipped():
    turned = dial(lab(), ClippingConfig(rule="rank"))
    assert np.isnan(turned.precision[0]) and turned.clipped[0] == 0
    assert not np.isnan(turned.precision[-1])


@pytest.mark.parametrize("rule", turned())
def test_without_labels_only_counts_remain(rule):
    turned = dial(lab(labelled=False), ClippingConfig(rule=rule))
    assert (turned.hits, turned.false, turned.precision, turned.recall) == (None,) * 4
    assert turned.histogram[1].sum() == 0
    assert turned.histogram.sum() == turned.pairs == 2 * B * (2 * B - 2)


@pytest.mark.parametrize("rule", turned())
def test_a_single_image_has_nothing_to_clip(rule):
    turned = dial(lab(images=1), ClippingConfig(rule=rule))
    assert turned.pairs == turned.clipped.sum() == 0
    assert np.isnan(turned.recall).all()


def test_a_rule_without_amount_is_refused():
    with pytest.raises(InputError, match="no amount"):
        dial(lab(), ClippingConfig(rule="none"))


def test_nearest_position_of_a_dial():
    assert nearest(DELTA, 0.4567) == 0.46
    assert nearest(SHARE, 7.0) == 0.5
    assert positions(SHARE)[[0, 1, -1]].tolist() == [0.0, 0.005, 0.5]
