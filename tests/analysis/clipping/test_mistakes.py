"""Worst mistakes, class rates and the best F₁ against loops; batches from the lab set."""

import numpy as np
import pytest
import torch

from tests.small_lab import small_lab
from transclipped.analysis.clipping.batches import lab_batch, serves
from transclipped.analysis.clipping.dials import dial
from transclipped.analysis.clipping.mistakes import ORDERS, anchor_rows, best_by_labels, class_rates
from transclipped.analysis.clipping.report import batch, mean_level, mean_loss, report
from transclipped.clipping import clip
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
    result = report(lab, RULE, temperature=0.3)
    for order, wrong in ((ORDERS[1], result.mask & ~lab.false), (ORDERS[2], lab.false & ~result.mask)):
        worst = {a: max((lab.similarity[a, j] for j in range(2 * B) if wrong[a, j]), default=None) for a in range(B)}
        expected = sorted((a for a in worst if worst[a] is not None), key=lambda a: (-worst[a], a))[:4]
        rows = anchor_rows(lab, result, order=order, anchors=4, count=5)
        assert [row.anchor for row in rows] == expected


@pytest.mark.parametrize("order", ORDERS)
def test_rows_show_each_image_once_and_the_most_similar_first(lab, order):
    result = report(lab, RULE, temperature=0.3)
    for row in anchor_rows(lab, result, order=order, anchors=3, count=6):
        images = [other % B for other in row.others]
        assert len(set(images)) == len(images) and row.anchor % B not in images
        similarity = [lab.similarity[row.anchor, other] for other in row.others]
        assert similarity == sorted(similarity, reverse=True)
        if order == ORDERS[2]:
            assert not result.mask[row.anchor, list(row.others)].any()


def test_the_mistake_that_ranks_an_anchor_is_among_its_images(lab):
    result = report(lab, RULE, temperature=0.3)
    for row in anchor_rows(lab, result, order=ORDERS[2], anchors=4, count=B):
        assert any(lab.false[row.anchor, other] for other in row.others)


def test_mistakes_need_labels(lab):
    bare = batch(torch.eye(4))
    result = report(bare, RULE, temperature=0.3)
    assert len(anchor_rows(bare, result, order=ORDERS[0], anchors=9, count=3)) == 2
    with pytest.raises(ValueError, match="without labels"):
        anchor_rows(bare, result, order=ORDERS[1], anchors=1, count=1)
    with pytest.raises(ValueError, match="labels"):
        class_rates(bare, result)


def test_class_rates_are_shares_of_pairs(lab):
    result = report(lab, RULE, temperature=0.3)
    cut, every = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(2 * B):
        for j in range(2 * B):
            if (i - j) % B:
                every[i % B % 3, j % B % 3] += 1
                cut[i % B % 3, j % B % 3] += result.mask[i, j]
    assert class_rates(lab, result) == pytest.approx(cut[:3, :3] / every[:3, :3])


def test_best_by_labels_has_the_best_f1(lab):
    counts = dial(lab, RULE)
    scores = []
    for amount in counts.amounts:
        result = report(lab, ClippingConfig(rule="threshold", threshold=float(amount)), temperature=0.3)
        p, r = result.precision or 0, result.recall or 0
        scores.append(2 * p * r / (p + r) if p + r else 0)
    assert scores[best_by_labels(counts)] == pytest.approx(max(scores))
    assert best_by_labels(dial(batch(torch.eye(4)), RULE)) is None


def test_mean_loss_and_level_are_means_over_anchors(lab):
    s = torch.tensor(lab.similarity)
    clipped = clip(s, RULE)
    expected = clipped_nt_xent(s, clipped, temperature=0.3).mean()
    assert mean_loss(lab, RULE, temperature=0.3) == pytest.approx(float(expected))
    assert mean_level(lab, RULE) == pytest.approx(0.3)


def test_lab_batches_hold_images_of_the_lab_set():
    small = small_lab()
    head = Head.from_config(small.width, lab_config(small, clipping=RULE, temperature=0.3).quantizer)
    lab_batch_ = lab_batch(small, head.eval(), size=40, seed=1)
    assert len(set(lab_batch_.rows)) == 40 and set(lab_batch_.rows) <= set(small.rows)
    assert (lab_batch_.classes.argmax(1) == small.labels[lab_batch_.rows]).all()  # its rows are 0 … N − 1
    assert np.diag(lab_batch_.similarity[:40, 40:]).mean() > 0.5  # two views of one image
    assert lab_batch(small, head, size=10_000, seed=0).similarity.shape == (600, 600)


def test_a_lab_set_serves_only_runs_with_its_backbone():
    small = small_lab()
    record = {"data": {"dataset": "cifar10"}, "backbone": {"train": "frozen"}}
    record |= {"backbone_fingerprint": "made up", "image_size": 32}
    assert serves(small, record)
    for change in ({"image_size": 96}, {"backbone_fingerprint": "x"}, {"backbone": {"train": "all"}}, {"data": {}}):
        assert not serves(small, record | change)
