"""Triplets between two encoders: against loops, their limits, and clipping before mining."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.objectives import reference
from tests.training.objectives.test_moco import points
from transclipped.clipping import clip, negatives
from transclipped.config import ClippingConfig
from transclipped.training.objectives.triplet import RULES, clipped_triplet, triplet

each = pytest.mark.parametrize("rule", RULES)


@each
@given(images=st.integers(1, 7), seed=st.integers(0, 2**32 - 1), masked=st.booleans())
def test_agrees_with_the_loop(rule, images, seed, masked):
    a, b = points(images, seed=seed), points(images, seed=seed + 1)
    masks = {}
    if masked:
        random = torch.rand(2, images, images, generator=torch.Generator().manual_seed(seed)) < 0.6
        random &= ~torch.eye(images, dtype=torch.bool)
        masks = {"candidates": random[0], "reverse": random[1]}
    pairs = [{tuple(pair) for pair in mask.nonzero().tolist()} or {(-1, -1)} for mask in masks.values()]
    expected = reference.triplet(a.tolist(), b.tolist(), rule, 0.3, 0.1, *pairs)
    ours = triplet(a, b, rule=rule, alpha=0.3, alpha2=0.1, **masks)
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64))


def test_alpha2_of_minus_2_makes_full_equal_hn():
    a, b = points(20), points(20, seed=1)
    assert torch.equal(triplet(a, b, rule="full", alpha2=-2), triplet(a, b, rule="hn"))
    assert (triplet(a, b, rule="full") > triplet(a, b, rule="hn")).any()


@each
def test_gradient_agrees_with_finite_differences(rule):
    a, b = points(6).requires_grad_(), points(6, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: triplet(a, b, rule=rule, alpha=0.5, alpha2=0.5), (a, b))
    triplet(a, b, rule=rule).sum().backward()
    assert a.grad.abs().sum() > 0 and b.grad.abs().sum() > 0


@pytest.mark.parametrize("alpha, alpha2", [(0.5, -2.0), (-2.0, 0.5)])
def test_each_margin_opens_terms_with_a_gradient(alpha, alpha2):
    a = points(6, seed=2).requires_grad_()
    b = points(6, seed=3)
    triplet(a, b, rule="full", alpha=alpha, alpha2=alpha2).sum().backward()
    assert a.grad.abs().sum() > 0


def test_the_last_term_counts_only_between_two_images():
    a = torch.tensor([[1.0, 0, 0], [0, 1, 0]])  # of two images, each is both î and ĉ of the other
    assert triplet(a, a, rule="full", alpha=-2, alpha2=1).tolist() == [0, 0]  # s(î, i) = s(ĉ, c) = 0 = p − 1
    assert triplet(a, a, rule="full", alpha=-2, alpha2=1.5).tolist() == [1, 1]  # two terms of 0.5, and no third


def test_margin_is_zero_where_pairs_are_closer_than_both_neighbours_together():
    unit = torch.eye(4)
    assert triplet(unit, unit, rule="margin").tolist() == [0] * 4
    assert (triplet(unit, -unit, rule="margin") > 0).all()


@each
def test_clipped_negatives_are_never_mined(rule):
    a, b = points(12).requires_grad_(), points(12, seed=1)
    cross = torch.nn.functional.normalize(a.detach(), dim=1) @ torch.nn.functional.normalize(b, dim=1).T
    config = ClippingConfig(rule="rank", fraction=0.5)
    keep = [negatives(12) & ~clip(s, config).mask for s in (cross, cross.T)]
    hardest = cross.masked_fill(~negatives(12), -2).argmax(1)
    assert not keep[0][torch.arange(12), hardest].any()  # the hardest of each is clipped
    less = triplet(a, b, rule="hn", candidates=keep[0], reverse=keep[1])
    more = triplet(a, b, rule="hn", candidates=negatives(12))
    assert (less <= more).all() and (less < more).any()
    assert triplet(a, b, rule=rule, candidates=keep[0] & False).tolist() == [0] * 12


def test_a_rule_clips_in_both_directions_and_never_the_other_view():
    a, b = points(12), points(12, seed=1)
    config = ClippingConfig(rule="rank", fraction=0.5)
    losses, clipped = clipped_triplet(a, b, clipping=config, rule="full")
    cross = torch.nn.functional.normalize(a, dim=1) @ torch.nn.functional.normalize(b, dim=1).T
    keep = [negatives(12) & ~clip(s.float(), config).mask for s in (cross, cross.T)]
    assert torch.equal(clipped.mask, negatives(12) & ~keep[0]) and clipped.mask.sum() == 12 * 5
    assert torch.equal(losses, triplet(a, b, rule="full", candidates=keep[0], reverse=keep[1]))
    unclipped, _ = clipped_triplet(a, b, clipping=ClippingConfig(rule="none"))
    assert torch.equal(unclipped, triplet(a, b, candidates=negatives(12)))
    assert clipped_triplet(a[:2], b[:2], clipping=config)[0].tolist() == [0, 0]  # one image


@each
def test_ties_zeros_one_image_and_nan(rule):
    same = torch.ones(5, 3).requires_grad_()  # every cosine is 1
    losses = triplet(same, torch.ones(5, 3), rule=rule, alpha=0.2, alpha2=0.1)
    loop = reference.triplet([[1.0] * 3] * 5, [[1.0] * 3] * 5, rule, 0.2, 0.1)
    assert losses.tolist() == pytest.approx(loop)
    zeros = torch.zeros(4, 3).requires_grad_()
    losses = triplet(zeros, torch.zeros(4, 3), rule=rule)
    losses.sum().backward()
    assert losses.isfinite().all() and zeros.grad.isfinite().all()
    assert triplet(points(1), points(1), rule=rule).tolist() == [0]
    broken = points(4)
    broken[2, 1] = math.nan
    assert triplet(broken, points(4, seed=1), rule=rule).isnan().any()


def test_wrong_rules_and_shapes_are_rejected():
    with pytest.raises(ValueError, match="'hardest'"):
        triplet(points(4), points(4), rule="hardest")
    with pytest.raises(ValueError, match="two"):
        triplet(points(4), points(5))
    with pytest.raises(ValueError, match="two"):
        triplet(points(4), points(4), candidates=negatives(6))
