"""Experimental rules and losses of the study against loops in float64, and their limits."""

import math

import numpy as np
import pytest
import torch

from tests.clipping_reference import negatives_of
from transclipped import clipping, losses
from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig, LossConfig
from transclipped.experiments.study import ideas as study_ideas
from transclipped.experiments.study.ideas import LEARNED, STEP, LearnedQuantile, register_ideas, soft_name, soft_nt_xent
from transclipped.losses import clipped_nt_xent, cosines


@pytest.fixture
def ideas(own_registries):
    register_ideas()


def similarities(images, *, seed=0, width=4):
    z = torch.randn(2 * images, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cosines(z)


@pytest.mark.parametrize("threshold", [study_ideas.mixture, study_ideas.otsu])
def test_threshold_of_the_batch_separates_two_clear_modes(threshold):
    rng = np.random.default_rng(0)
    n = 64
    low, high = rng.normal(0.1, 0.05, (n, n)), rng.normal(0.8, 0.05, (n, n))
    same = rng.random((n, n)) < 0.1
    similarity = torch.tensor(np.where(same, high, low).clip(-1, 1), dtype=torch.float32)
    picked, level = study_ideas.batch_rule(threshold)(similarity, negatives(n), ClippingConfig())
    assert 0.2 < level < 0.7 and (picked.numpy() == same).mean() > 0.999


# A threshold that is learned


def learned_by_loop(batches, q):
    """Rows clipped for each anchor of each batch, and the final threshold."""
    level, clipped = 1.0, []
    for s in batches:
        clipped.append([{j for j in negatives_of(i, len(s)) if s[i][j] > level} for i in range(len(s))])
        pairs = [s[i][j] for i in range(len(s)) for j in negatives_of(i, len(s))]
        gradient = q - sum(x > level for x in pairs) / len(pairs)
        level = max(-1.0, min(1.0, level - STEP * gradient))
    return clipped, level


def test_learned_quantile_agrees_with_the_loop(ideas):
    config = ClippingConfig(rule=LEARNED, fraction=0.3)
    batches = [similarities(5, seed=seed) for seed in range(80)]
    expected, level = learned_by_loop([s.tolist() for s in batches], config.fraction)
    for s, rows in zip(batches, expected, strict=True):
        mask = clip(s, config).mask
        assert [set(row.nonzero().flatten().tolist()) for row in mask] == rows
    assert any(map(any, expected)) and clipping.RULES[LEARNED].pick.level == pytest.approx(level, abs=1e-12)


@pytest.mark.parametrize("q", [0.05, 0.1, 0.5])
def test_learned_quantile_converges_to_the_share_q_above_it(q):
    rule, config = LearnedQuantile(), ClippingConfig(fraction=q)
    for seed in range(1500):
        rule(similarities(16, seed=seed, width=8), negatives(32), config)
    fresh = torch.cat([similarities(16, seed=seed, width=8)[negatives(32)] for seed in range(2000, 2200)])
    assert (fresh > rule.level).double().mean().item() == pytest.approx(q, abs=0.02)


def test_learned_quantile_clips_nothing_at_first_and_learns_nothing_from_one_image():
    rule = LearnedQuantile()
    assert not rule(similarities(6), negatives(12), ClippingConfig())[0].any()
    level = rule.level
    rule(similarities(1), negatives(2), ClippingConfig())
    assert 1 - STEP < level < 1 and rule.level == level


def test_registering_the_ideas_again_resets_the_threshold(ideas):
    clip(similarities(6), ClippingConfig(rule=LEARNED))
    assert clipping.RULES[LEARNED].pick.level < 1
    register_ideas()
    assert clipping.RULES[LEARNED].pick.level == 1


# Weights instead of a cut


def soft_by_loop(i, s, level, temperature, width):
    """ℓ_i and each negative's share p_ij of the denominator."""
    n = len(s)
    terms = {}
    for j in negatives_of(i, n):
        weight = 1 - 1 / (1 + math.exp(-(s[i][j] - level) / width))
        terms[j] = weight * math.exp(s[i][j] / temperature)
    positive = math.exp(s[i][(i + n // 2) % n] / temperature)
    total = positive + sum(terms.values())
    return -math.log(positive / total), {j: term / total for j, term in terms.items()}


@pytest.mark.parametrize("images", [1, 2, 6])
@pytest.mark.parametrize(("temperature", "width"), [(0.2, 0.05), (0.5, 0.1), (0.05, 1.0)])
def test_soft_weights_agree_with_the_loop_and_carry_no_gradient(images, temperature, width):
    s = similarities(images).requires_grad_()
    config = ClippingConfig(rule="adaptive", sigma=0.7)
    clipped = clip(s, config)
    ours = soft_nt_xent(s, clipped, width=width, clipping=config, temperature=temperature)
    ours.sum().backward()
    for i in range(2 * images):
        loss, share = soft_by_loop(i, s.tolist(), clipped.level[i].item(), temperature, width)
        assert ours[i].item() == pytest.approx(loss, abs=1e-10)
        for j, p in share.items():  # of a weight that moved with s_ij, the slope would be another
            assert s.grad[i, j].item() * temperature == pytest.approx(p, abs=1e-10)


def test_soft_weights_of_zero_width_equal_clipping():
    s, config = similarities(8), ClippingConfig(rule="adaptive", sigma=0.7)
    clipped = clip(s, config)
    removed = clipped_nt_xent(s, clipped, temperature=0.2)
    assert clipped.mask.any()
    torch.testing.assert_close(soft_nt_xent(s, clipped, width=1e-5, clipping=config, temperature=0.2), removed)


def test_a_negative_at_the_level_weighs_half():
    s = torch.zeros(4, 4, dtype=torch.float64).fill_diagonal_(1)
    clipped = Clipped(torch.zeros(4, 4, dtype=torch.bool), torch.zeros(4, 1, dtype=torch.float64))
    loss = soft_nt_xent(s, clipped, width=0.1, clipping=ClippingConfig(), temperature=0.2)
    torch.testing.assert_close(loss, torch.full((4,), math.log(1 + 2 / 2), dtype=torch.float64))


def test_training_finds_the_ideas_by_name(ideas):
    z = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    codewords = torch.nn.functional.normalize(torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    config, loss = ClippingConfig(rule="adaptive", sigma=0.7), LossConfig(name=soft_name(0.05), temperature=0.2)
    parts = losses.training_loss(z, torch.full((8, 2, 4), 0.25), codewords, clipping=config, loss=loss)
    expected = soft_nt_xent(cosines(z), parts.clipped, width=0.05, clipping=ClippingConfig(), temperature=0.2)
    torch.testing.assert_close(parts.per_anchor, expected)
