"""Repulsion against loops."""

import math

import pytest
import torch

from tests.clipping_reference import RULES, negatives_of
from transclipped.analysis.clipping.repulsion import false_negative_repulsion, repulsion
from transclipped.clipping import clip, negatives
from transclipped.config import ClippingConfig
from transclipped.losses import cosines

SETTINGS = [  # of each rule, so that on random data it clips some pairs and not all
    ClippingConfig(rule=rule, treatment=treatment, fraction=0.4, threshold=0.2, sigma=0.7)
    for rule in RULES
    for treatment in ("remove", "clamp")
]


def embeddings(rows, *, seed):
    return torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def share_of_false(s, mask, same, temperature):
    """Σ_false p_ij / Σ_neg p_ij by loops, over the negatives that are not in the mask."""
    n, false, every = len(s), 0.0, 0.0
    for i in range(n):
        others = [j for j in negatives_of(i, n) if not mask[i, j]]
        weights = {j: math.exp(s[i, j] / temperature) for j in [*others, (i + n // 2) % n]}
        false += sum(weights[j] for j in others if same[i, j]) / sum(weights.values())
        every += sum(weights[j] for j in others) / sum(weights.values())
    return false / every


@pytest.mark.parametrize("rule", ["none", "rank", "threshold", "rank+threshold", "adaptive"])
def test_share_of_repulsion_agrees_with_the_loop(rule):
    s = cosines(embeddings(12, seed=0))
    labels = torch.arange(12) % 6 % 3
    same = labels[:, None] == labels
    config = ClippingConfig(rule=rule, fraction=0.3, threshold=0.4, sigma=1.0)
    clipped = clip(s, config)
    before, after = false_negative_repulsion(s, clipped, same, temperature=0.3)
    assert before == pytest.approx(share_of_false(s, torch.zeros_like(same), same, 0.3))
    assert after == pytest.approx(share_of_false(s, clipped.mask, same, 0.3))


@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: f"{config.rule}-{config.treatment}")
def test_clipped_pairs_feel_no_repulsion(config):
    s = cosines(embeddings(16, seed=2))
    clipped = clip(s, config)
    push = repulsion(s, clipped, temperature=0.3)
    assert (push[clipped.mask | ~negatives(16)] == 0).all()
    assert (push[negatives(16) & ~clipped.mask] > 0).all()


def test_share_of_repulsion_is_zero_where_nothing_is_pushed():
    everything = ClippingConfig(rule="threshold", threshold=-1.0)
    s, same = torch.zeros(6, 6), torch.ones(6, 6, dtype=torch.bool)
    shares = false_negative_repulsion(s, clip(s, everything), same, temperature=0.3)
    assert shares == (1.0, 0.0)
