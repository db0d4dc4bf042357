"""NT-Xent with a queue: against loops, against NT-Xent where the queue is empty, and at its edges."""

import math

import pytest
import torch

from tests.training.objectives import reference
from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig
from transclipped.losses import clipped_nt_xent, cosines
from transclipped.training.objectives.moco import queue_nt_xent

TAU = 0.3


def points(rows, width=4, *, seed=0):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def nothing(similarity):
    return Clipped(torch.zeros_like(similarity, dtype=torch.bool), similarity.new_ones(len(similarity), 1))


@pytest.mark.parametrize("rule", ["none", "rank", "threshold", "adaptive"])
@pytest.mark.parametrize("images, queued", [(1, 3), (3, 0), (3, 5), (5, 2)])
def test_agrees_with_the_loop(images, queued, rule):
    views, queue = points(2 * images), points(queued, seed=1)
    own = torch.rand(2 * images, queued, generator=torch.Generator().manual_seed(2)) < 0.3
    similarity = cosines(views, queue)
    candidates = torch.cat([negatives(2 * images), ~own], 1)
    clipped = clip(similarity, ClippingConfig(rule=rule, fraction=0.4, threshold=0.1, sigma=0.5), candidates=candidates)
    assert not (clipped.mask & ~candidates).any()
    pairs = {tuple(pair) for pair in clipped.mask.nonzero().tolist()}
    theirs = {(i, j + 2 * images) for i, j in own.nonzero().tolist()}
    expected = reference.queue_nt_xent(views.tolist(), queue.tolist(), TAU, pairs, theirs)
    ours = queue_nt_xent(similarity, clipped, ~own, temperature=TAU)
    torch.testing.assert_close(ours, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("treatment", ["remove", "clamp"])
def test_an_empty_queue_is_nt_xent(treatment):
    similarity = cosines(points(12))
    clipped = clip(similarity, ClippingConfig(rule="rank", fraction=0.3, treatment=treatment))
    expected = clipped_nt_xent(similarity, clipped, temperature=TAU)
    assert torch.equal(queue_nt_xent(similarity, clipped, temperature=TAU), expected)
    unused = torch.cat([similarity, points(12, 3, seed=1).clamp(-1, 1)], 1)  # a queue of nothing but own images
    clipped = Clipped(torch.cat([clipped.mask, torch.zeros(12, 3, dtype=torch.bool)], 1), clipped.level, treatment)
    none = torch.zeros(12, 3, dtype=torch.bool)
    assert torch.equal(queue_nt_xent(unused, clipped, none, temperature=TAU), expected)


def test_clamped_entries_count_as_their_level():
    similarity = cosines(points(4), points(2, seed=1))
    mask = torch.zeros(4, 6, dtype=torch.bool)
    mask[0, 5] = True
    clamped = queue_nt_xent(similarity, Clipped(mask, torch.full((4, 1), 0.25), "clamp"), temperature=TAU)
    at_level = similarity.clone()
    at_level[0, 5] = 0.25
    torch.testing.assert_close(clamped, queue_nt_xent(at_level, nothing(at_level), temperature=TAU))


def test_gradient_agrees_with_finite_differences():
    views, queue = points(6).requires_grad_(), points(3, seed=1)

    def losses(views):
        similarity = cosines(views, queue)
        return queue_nt_xent(similarity, nothing(similarity), temperature=TAU)

    assert torch.autograd.gradcheck(losses, views)


def test_a_longer_queue_never_lowers_a_loss():
    views, queue = points(6), points(4, seed=1)
    short, long = (cosines(views, queue[:length]) for length in (2, 4))
    less, more = (queue_nt_xent(s, nothing(s), temperature=TAU) for s in (short, long))
    assert (more > less).all()


def test_zeros_ties_one_image_and_nan():
    zeros = cosines(torch.zeros(4, 3), torch.zeros(2, 3))
    torch.testing.assert_close(queue_nt_xent(zeros, nothing(zeros), temperature=TAU), torch.full((4,), math.log(5)))
    single = cosines(points(2))
    assert (queue_nt_xent(single, nothing(single), temperature=TAU) == 0).all()
    broken = cosines(points(4), points(2, seed=1)).clone()
    broken[0, 5] = math.nan
    losses = queue_nt_xent(broken, nothing(broken), temperature=TAU)
    assert losses[0].isnan() and losses[1:].isfinite().all()


def test_wrong_shapes_are_rejected():
    similarity = cosines(points(4), points(2, seed=1))
    with pytest.raises(ValueError, match="2B \\+ Q"):
        queue_nt_xent(similarity, nothing(similarity[:, :4]), temperature=TAU)
    with pytest.raises(ValueError, match="2B \\+ Q"):
        queue_nt_xent(similarity, nothing(similarity), negatives(4), temperature=TAU)
    with pytest.raises(ValueError, match="candidates"):
        clip(similarity, ClippingConfig(), candidates=negatives(4))
