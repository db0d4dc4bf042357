"""Worst mistakes, class rates and the best F₁ against loops; batches out of the lab set."""

import numpy as np
import pytest
import torch

from tests.small_lab import small_lab
from transclipped.analysis.clipping.batches import lab_batch, serves
from transclipped.analysis.clipping.dials import dial
from transclipped.analysis.clipping.mistakes import ORDERS, anchor_rows, best_by_labels, class_rates
from transclipped.analysis.clipping.report import batch, mean_level, mean_loss, report
from transclipped.config import ClippingConfig
from transclipped.features.labset import lab_config
from transclipped.losses import clipped_nt_xent
from transclipped.models.head import Head

B = 12
RULE = ClippingConfig(rule="threshold", threshold=0.3)


@pytest.fixture(scope="module")
def lab():
    z = torch.randn(2 * B, 4, generator=torch.Generator().manual_seed(0))
    return batch(z, labels=np.arange(B) % 3)


def test_worst_anchors_come_first(lab):
    done = report(lab, RULE, temperature=0.3)
    for order, wrong in ((ORDERS[1], done.mask & ~lab.false), (ORDERS[2], lab.false & ~done.mask)):
        worst = {a: max((lab.similarity[a, j] for j in range(2 * B) if wrong[a, j]), default=None) for a in range(B)}
        expected = sorted((a for a in worst if worst[a] is not None), key=lambda a: (-worst[a], a))[:4]
        rows = anchor_rows(lab, done, order=order, anchors=4, count=5)
        assert [row.anchor for row in rows] == expected


@pytest.mark.parametrize("order", ORDERS)
def test_rows_show_each_image_once_and_the_most_similar_first(lab, order):
    done = report(lab, RULE, temperature=0.3)
    for row in anchor_rows(lab, done, order=order, anchors=3, count=6):
        images = [other % B for other in row.others]
        assert len(set(images)) == len(images) and row.anchor % B not in images
        similarity = [lab.similarity[row.anchor, other] for other in row.others]
        assert similarity == sorted(similarity, reverse=True)
        if order == ORDERS[2]:
            assert not done.mask[row.anchor, list(row.others)].any()


def test_a_mistake_that_orders_the_anchors_is_among_the_images(lab):
    done = report(lab, RULE, temperature=0.3)
    for row in anchor_rows(lab, done, order=ORDERS[2], anchors=4, count=B):
        assert any(lab.false[row.anchor, other] for other in row.others)


def test_mistakes_need_labels(lab):
    bare = batch(torch.eye(4))
    done = report(bare, RULE, temperature=0.3)
    assert len(anchor_rows(bare, done, order=ORDERS[0], anchors=9, count=3)) == 2
    with pytest.raises(ValueError, match="without labels"):
        anchor_rows(bare, done, order=ORDERS[1], anchors=1, count=1)
    with pytest.raises(ValueError, match="labels"):
        class_rates(bare, done)


def test_class_rates_are_shares_of_pairs(lab):
    done = report(lab, RULE, temperature=0.3)
    cut, every = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(2 * B):
        for j in range(2 * B):
            if (i - j) % B:
                every[i % B % 3, j % B % 3] += 1
                cut[i % B % 3, j % B % 3] += done.mask[i, j]
    assert class_rates(lab, done) == pytest.approx(cut[:3, :3] / every[:3, :3])


def test_best_by_labels_has_the_best_f1(lab):
    turned = dial(lab, RULE)
    scores = []
    for amount in turned.amounts:
        done = report(lab, ClippingConfig(rule="threshold", threshold=float(amount)), temperature=0.3)
        p, r = done.precision or 0, done.recall or 0
        scores.append(2 * p * r / (p + r) if p + r else 0)
    assert scores[best_by_labels(turned)] == pytest.approx(max(scores))
    assert best_by_labels(dial(batch(torch.eye(4)), RULE)) is None


def test_mean_loss_and_level_are_means_over_anchors(lab):
    s = torch.tensor(lab.similarity)
    from transclipped.clipping import clip

    clipped = clip(s, RULE)
    expected = clipped_nt_xent(s, clipped, temperature=0.3).mean()
    assert mean_loss(lab, RULE, temperature=0.3) == pytest.approx(float(expected))
    assert mean_level(lab, RULE) == pytest.approx(0.3)


def test_lab_batches_hold_the_sets_own_images():
    known = small_lab()
    head = Head.from_config(known.width, lab_config(known, clipping=RULE, temperature=0.3).quantizer)
    drawn = lab_batch(known, head.eval(), size=40, seed=1)
    assert len(set(drawn.rows)) == 40 and set(drawn.rows) <= set(known.rows)
    assert (drawn.classes.argmax(1) == known.labels[drawn.rows]).all()  # its rows are 0 … N − 1
    assert np.diag(drawn.similarity[:40, 40:]).mean() > 0.5  # two views of one image
    assert lab_batch(known, head, size=10_000, seed=0).similarity.shape == (600, 600)


def test_a_lab_set_serves_runs_on_its_own_backbone_alone():
    known = small_lab()
    record = {
        "data": {"dataset": "cifar10"},
        "backbone": {"train": "frozen"},
        "backbone_fingerprint": "made up",
        "image_size": 32,
    }
    assert serves(known, record)
    for change in ({"image_size": 96}, {"backbone_fingerprint": "x"}, {"backbone": {"train": "all"}}, {"data": {}}):
        assert not serves(known, record | change)
