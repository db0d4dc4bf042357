"""Barlow Twins, VICReg and BYOL: against loops, at known values, their gradients, and ugly input."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.objectives import reference
from tests.training.objectives.test_moco import points
from transclipped.training.objectives.barlow import barlow_twins
from transclipped.training.objectives.byol import byol_losses
from transclipped.training.objectives.vicreg import vicreg_losses


def rolled(views):
    """A stand-in for targets that differ from predictions."""
    return [row[-1:] + row[:-1] for row in views]


LOSSES = {
    "barlow": (barlow_twins, lambda views: reference.barlow(views, 0.005)),
    "vicreg": (vicreg_losses, lambda views: reference.vicreg(views, (25.0, 25.0, 1.0))),
    "byol": (lambda views: byol_losses(views, views.roll(1, 1)), lambda views: reference.byol(views, rolled(views))),
}
ORTHOGONAL = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)  # decorrelated, variance 1
each = pytest.mark.parametrize("name", LOSSES)


@each
@given(images=st.integers(1, 6), width=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_agrees_with_the_loop(name, images, width, seed):
    ours, loop = LOSSES[name]
    views = points(2 * images, width, seed=seed)
    expected = torch.tensor(loop(views.tolist()), dtype=torch.float64)
    torch.testing.assert_close(ours(views).double(), expected, atol=1e-5, rtol=1e-5)


@each
def test_gradient_agrees_with_finite_differences(name):
    if name != "byol":  # which is computed in float32
        assert torch.autograd.gradcheck(LOSSES[name][0], points(10, 3, seed=3).requires_grad_())
        return
    p, t, step = points(6, 3), points(6, 3, seed=1), 1e-6
    q = p.clone().requires_grad_()
    byol_losses(q, t).sum().backward()
    for i in range(6):
        for k in range(3):
            sums = []
            for sign in (1, -1):
                moved = p.tolist()
                moved[i][k] += sign * step
                sums.append(sum(reference.byol(moved, t.tolist())))
            assert q.grad[i, k].item() == pytest.approx((sums[0] - sums[1]) / (2 * step), abs=1e-4)


@pytest.mark.parametrize("weights", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)])
def test_each_term_of_vicreg_has_a_gradient_of_its_own(weights):
    views = (points(8, 3, seed=4) / 2).requires_grad_()  # deviations below 1, so that the hinge is open
    assert torch.autograd.gradcheck(lambda v: vicreg_losses(v, weights=weights), views)
    vicreg_losses(views, weights=weights).sum().backward()
    assert views.grad.abs().sum() > 0


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_both_terms_of_barlow_have_a_gradient(weight):
    views = points(8, 3, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: barlow_twins(v, weight=weight), views)


def test_barlow_of_identical_decorrelated_views_is_zero():
    assert barlow_twins(ORTHOGONAL.repeat(2, 1)).abs().max() < 1e-12
    assert barlow_twins(torch.cat([ORTHOGONAL, -ORTHOGONAL])).tolist() == pytest.approx([8.0] * 8)  # (1 + 1)² twice


def test_vicreg_of_identical_spread_views_is_zero():
    views = (2 * ORTHOGONAL).repeat(2, 1)
    assert vicreg_losses(views).abs().max() == 0
    collapsed = torch.ones(8, 2)
    assert vicreg_losses(collapsed).tolist() == pytest.approx([25 * (1 - 0.01)] * 8)  # √ε = 0.01


def test_byol_is_zero_for_right_and_four_for_opposite_predictions():
    t = points(6)
    right = torch.cat([t[3:], t[:3]])
    torch.testing.assert_close(byol_losses(7 * right, t), torch.zeros(6), atol=1e-6, rtol=0)
    torch.testing.assert_close(byol_losses(-right, t), torch.full((6,), 4.0))


def test_byol_passes_no_gradient_to_targets():
    p, t = points(6).requires_grad_(), points(6, seed=1).requires_grad_()
    byol_losses(p, t).sum().backward()
    assert t.grad is None and p.grad.abs().sum() > 0


@each
def test_permuting_images_permutes_losses_and_swapping_views_keeps_them(name):
    views = points(8, 3)
    order = torch.tensor([2, 0, 3, 1])
    rows = torch.cat([order, order + 4])
    loss = LOSSES[name][0]
    torch.testing.assert_close(loss(views[rows]), loss(views)[rows])
    torch.testing.assert_close(loss(views.roll(4, 0)), loss(views).roll(4))


@each
@pytest.mark.parametrize("views", [torch.zeros(6, 3), torch.zeros(2, 3), torch.ones(6, 3), points(2, 3).float()])
def test_zeros_constants_and_single_images_have_finite_losses_and_gradients(name, views):
    views = views.clone().requires_grad_()
    losses = LOSSES[name][0](views)
    losses.sum().backward()
    assert losses.shape == (len(views),) and losses.isfinite().all() and views.grad.isfinite().all()


@each
def test_nan_is_never_hidden(name):
    views = points(6, 3)
    views[1, 0] = math.nan
    assert LOSSES[name][0](views).isnan().any()


@each
@pytest.mark.parametrize("shape", [(3, 2), (0, 2), (4,)])
def test_wrong_shapes_are_rejected(name, shape):
    with pytest.raises((ValueError, IndexError)):
        LOSSES[name][0](torch.zeros(shape))


@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    assert LOSSES[name][0](points(6, 3).to(dtype)).dtype == torch.float32
