"""Adversarial re-ranking: its gradient, what training changes, and what it must leave."""

import numpy as np
import pytest
import torch

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from transclipped.retrieval.lists import own_lists
from transclipped.retrieval.reranking import uair as module
from transclipped.retrieval.reranking.uair import doubt, learned, reranked, surrogate, uair


def test_the_gradient_is_that_of_the_expected_reward():
    logits = torch.tensor([0.3, -1.0, 0.5, 0.0, 1.2], dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([0.9, 0.2, 0.6, 0.5, 0.1], dtype=torch.float64)
    mixed = (torch.softmax(logits.detach(), 0) + torch.tensor([0.5, 0, 0.5, 0, 0])) / 2
    expected = torch.autograd.grad((torch.softmax(logits, 0) * 2 * (sigma - 0.5)).sum(), logits)[0]
    total = torch.zeros(5, dtype=torch.float64)
    for item in range(5):  # each draw, as often as it occurs
        p = torch.softmax(logits, 0)[None]
        loss = surrogate(p, sigma[None], mixed[None], torch.tensor([[item]]))
        total += mixed[item] * torch.autograd.grad(loss, logits)[0]
    torch.testing.assert_close(total, -expected)


def test_doubt_is_the_cross_entropy_of_true_and_proposed_items():
    belief = torch.tensor([[2.0, -1.0, 0.5]])
    true = torch.tensor([[True, False, False]])
    p = torch.tensor([[0.0, 0.0, 1.0]])  # the last is always proposed, and believed
    loss, right = doubt(belief, p, true, torch.Generator().manual_seed(0))
    expected = -(np.log(1 / (1 + np.exp(-2.0))) + np.log(1 - 1 / (1 + np.exp(-0.5)))) / 2
    assert loss.item() == pytest.approx(expected) and right == 0.5


def test_true_items_are_reciprocal_nearest_neighbours():
    _, collection = flat(*clustered(60))
    lists = own_lists(collection, 40).rows
    for row in range(60):
        expected = [i in lists[row, 1:11] and row in lists[i, 1:11] for i in lists[row, 1:]]
        assert module._mutual(lists, row).tolist() == expected


def test_training_makes_true_items_likelier_and_depends_on_its_seed_alone():
    _, collection = flat(*clustered(120, d=12, spread=0.8))
    one, same, other = (learned(collection, rounds=4, seed=seed) for seed in (1, 1, 2))
    assert one.proposed[-1] > one.proposed[1] + 0.1
    np.testing.assert_array_equal(one.proposed, same.proposed)
    assert (one.proposed[1:] != other.proposed[1:]).any()
    assert len(one.generators) == 5 and not any(x.any() for x in list(one.generators[0].values())[2:])


def test_without_training_or_weight_nothing_changes():
    hits, collection = flat(*clustered(60), k=30)
    np.testing.assert_array_equal(uair(hits, collection, rounds=0).rows, hits.rows)
    np.testing.assert_array_equal(uair(hits, collection, rounds=2, weight=0).rows, hits.rows)
    before = learned(collection, rounds=1).generators[0]
    np.testing.assert_array_equal(reranked(hits, collection.queries, collection, before, weight=5.0).rows, hits.rows)


def test_the_first_hundred_alone_change_places():
    items, queries = clustered(200, d=12, spread=0.8)
    hits, collection = flat(items, queries, k=130)
    again = uair(hits, collection, rounds=3, weight=3.0)
    assert_in_order(again, 200, (5, 130))
    assert (again.rows[:, :100] != hits.rows[:, :100]).any()
    np.testing.assert_array_equal(np.sort(again.rows[:, :100], 1), np.sort(hits.rows[:, :100], 1))
    np.testing.assert_array_equal(again.rows[:, 100:], hits.rows[:, 100:])


def test_torch_is_left_as_it_was():
    _, collection = flat(*clustered(60))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    learned(collection, rounds=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(uair(hits, collection, rounds=1), collection.index.n, hits.rows.shape)
