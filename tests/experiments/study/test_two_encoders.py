"""Triplets of two encoders in the study: every rule trains both heads, and labels only measure."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests import blobs
from transclipped.experiments.study.two_encoders import train_pair
from transclipped.training.objectives.triplet import RULES


def trained(triplets, *, labels=None, seed=0, **options):
    """The head, and what was observed in the last epoch."""
    views, classes = blobs.views()
    others = [np.roll(view, 1, axis=1)[:, :9] for view in views]
    config = blobs.settings(entropy=0.0, seed=seed, **options)
    session = SimpleNamespace(
        split=SimpleNamespace(train=np.arange(blobs.IMAGES)),
        images=SimpleNamespace(labels=classes if labels is None else labels),
    )
    head = blobs.head(config)
    return head, train_pair(head, views, others, session, config, rule=triplets)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_moves_the_searching_head_and_clips(rule):
    head, values = trained(rule, rule="rank", fraction=0.3)
    for name, tensor in blobs.head(blobs.settings()).state_dict().items():
        assert not torch.equal(head.state_dict()[name], tensor), name
    assert 0.25 < values["clip_fraction"] <= 0.3 and 0 < values["clip_precision"] <= 1
    assert -1 <= values["mean_cosine"] <= 1


def test_without_clipping_nothing_is_clipped_and_its_precision_is_unknown():
    _, values = trained("hn", rule="none")
    assert values["clip_fraction"] == 0 and "clip_precision" not in values


def test_same_seed_same_head_whatever_the_labels():
    first, _ = trained("full", rule="rank", fraction=0.3)
    again, _ = trained("full", rule="rank", fraction=0.3, labels=np.arange(blobs.IMAGES))
    other, _ = trained("full", rule="rank", fraction=0.3, seed=1)
    assert torch.equal(first.projection.weight, again.projection.weight)
    assert not torch.equal(first.projection.weight, other.projection.weight)
