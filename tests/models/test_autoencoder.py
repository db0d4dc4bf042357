"""The stacked denoising auto-encoder: gradients, tied weights, and what it learns."""

import math

import pytest
import torch

from transclipped.models.autoencoder import Layer, Stack, learn, loss, masked


def layer(inputs=5, outputs=3):
    one = Layer(inputs, outputs, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        one.hidden += torch.linspace(-0.5, 0.5, outputs)
        one.visible += torch.linspace(0.3, -0.3, inputs)
    return one


def images(n=6, width=5, seed=0):
    return torch.rand(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def reference(weight, hidden, visible, x, noisy):
    """The loss, number by number."""
    total = 0.0
    for clean, dirty in zip(x.tolist(), noisy.tolist(), strict=True):
        h = []
        for k in range(len(hidden)):
            a = hidden[k] + sum(d * weight[i][k] for i, d in enumerate(dirty))
            h.append(1 / (1 + math.exp(-a)))
        for i, target in enumerate(clean):
            a = visible[i] + sum(h[k] * weight[i][k] for k in range(len(h)))
            y = 1 / (1 + math.exp(-a))
            total -= target * math.log(y) + (1 - target) * math.log(1 - y)
    return total / x.numel()


def test_gradient_of_a_layer_equals_finite_differences():
    one, x = layer(), images()
    noisy = masked(x, generator=torch.Generator().manual_seed(1))
    value = loss(one, x, noisy)
    value.backward()
    parts = [one.weight.detach(), one.hidden.detach(), one.visible.detach()]
    assert float(value.detach()) == pytest.approx(reference(*(p.tolist() for p in parts), x, noisy), abs=1e-12)
    for name, part in zip(("weight", "hidden", "visible"), parts, strict=True):
        gradient, flat = getattr(one, name).grad.flatten(), part.view(-1)
        for i in range(len(flat)):
            ends = []
            for step in (1e-6, -1e-6):
                flat[i] += step
                ends.append(reference(*(p.tolist() for p in parts), x, noisy))
                flat[i] -= step
            assert float(gradient[i]) == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_weights_stay_tied_while_they_change():
    stack, x = Stack((8, 6, 4)), images(40, 8).float()
    before = stack.layers[0].weight.clone()
    learn(stack, x, steps=5)
    assert not torch.equal(before, stack.layers[0].weight)
    for one in stack.layers:  # one matrix encodes and decodes
        assert {name for name, _ in one.named_parameters()} == {"weight", "hidden", "visible"}
        h = torch.rand(2, one.weight.shape[1])
        torch.testing.assert_close(one.logits(h) - one.visible, h @ one.weight.T)


def test_noise_sets_a_share_of_the_numbers_to_0():
    x = torch.ones(200, 100)
    noisy = masked(x, generator=torch.Generator().manual_seed(0))
    assert set(noisy.unique().tolist()) == {0.0, 1.0} and abs(float(noisy.mean()) - 0.7) < 0.01


def test_learning_restores_better_than_the_mean_and_is_repeatable():
    base = images(4, 16, seed=3).float().round()
    x = base[torch.arange(80) % 4]
    stacks = [Stack((16, 12, 8)) for _ in range(2)]
    losses = [learn(stack, x, steps=300) for stack in stacks]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    mean = torch.nn.functional.binary_cross_entropy(x.mean(0).expand_as(x), x)
    assert float(loss(stacks[0], x, x).detach()) < 0.5 * float(mean)
    codes = stacks[0](base)
    assert codes.shape == (4, 8) and bool(((codes > 0) & (codes < 1)).all())
    assert float(torch.cdist(codes, codes).add(torch.eye(4) * 9).min()) > 0.05  # four images, four codes
