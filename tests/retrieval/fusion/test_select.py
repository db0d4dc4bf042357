"""Selection of rankers against loops, and what β changes."""

from itertools import combinations

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from tests.retrieval.fusion.test_cprr import lists_by, rankers_of
from tests.retrieval.reranking.test_cprr import BAD, lists_of
from transclipped.errors import InputError
from transclipped.retrieval.fusion.cprr import fuse
from transclipped.retrieval.fusion.select import (
    authority,
    choose,
    jaccard,
    kendall,
    rbo,
    reciprocal,
    select,
    sets_of,
    spearman,
)


def effectiveness(lists, weigh):
    n, k = lists.shape
    total = 0.0
    for q in range(n):
        near = lists[q].tolist()
        for i in near:
            for j in lists[i].tolist():
                if j in near:
                    total += weigh(near.index(j) + 1)
    return total / n / k**2


def rbo_of(a, b):
    return 0.1 * sum(0.9 ** (d - 1) * len(set(a[:d]) & set(b[:d])) / d for d in range(1, len(a) + 1))


def jaccard_of(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


def at(i, a):
    return a.index(i) if i in a else len(a)


def spearman_of(a, b):
    return 1 - sum(abs(at(i, a) - at(i, b)) for i in set(a) | set(b)) / (len(a) * (len(a) + 1))


def kendall_of(a, b):
    pairs = list(combinations(sorted(set(a) | set(b)), 2))
    same = 0.0
    for i, j in pairs:
        x, y = at(i, a) - at(j, a), at(i, b) - at(j, b)
        same += 0.5 if x == 0 or y == 0 else float((x > 0) == (y > 0))
    return same / len(pairs) if pairs else 1.0


@pytest.mark.parametrize("k", [1, 7, 20])
def test_measures_equal_the_loops(k):
    one, two = (lists[:, :k] for lists in lists_by([1, 2]))
    assert authority(one) == pytest.approx(effectiveness(one, lambda p: 1))
    assert reciprocal(one) == pytest.approx(effectiveness(one, lambda p: 1 / p))
    for ours, loop in ((rbo, rbo_of), (jaccard, jaccard_of), (spearman, spearman_of), (kendall, kendall_of)):
        expected = np.mean([loop(a, b) for a, b in zip(one.tolist(), two.tolist(), strict=True)])
        assert ours(one, two) == pytest.approx(expected), ours.__name__
        assert ours(two, one) == pytest.approx(expected), ours.__name__


@pytest.mark.parametrize(("k", "value"), [(5, 0.41), (20, 0.88), (50, 0.995)])
def test_the_overlap_of_equal_lists_does_not_reach_one(k, value):
    lists = lists_of(clustered(60)[0], k)
    assert rbo(lists, lists) == pytest.approx(1 - 0.9**k)
    assert rbo(lists, lists) == pytest.approx(value, abs=0.005)
    assert jaccard(lists, lists) == spearman(lists, lists) == kendall(lists, lists) == 1


def test_lists_without_a_common_item_do_not_agree_at_all():
    a = np.array([[0, 1], [1, 0], [2, 3], [3, 2]])
    b = np.array([[2, 3], [3, 2], [0, 1], [1, 0]])
    assert rbo(a, b) == jaccard(a, b) == 0
    assert spearman(a, b) == pytest.approx(1 - (2 + 1) * 2 / 6)
    assert kendall(a, b) == pytest.approx((0.5 + 0.5) / 6)  # two pairs that one list lacks, four in another order


@pytest.mark.parametrize("beta", [-1.0, 0.0, 2.0])
@pytest.mark.parametrize("correlation", ["rbo", "jaccard"])
def test_scores_follow_the_formula(beta, correlation):
    rankers = lists_by([1, 2, 3, 4])
    choice = choose(rankers, k=10, beta=beta, measure="authority", correlation=correlation)
    e = [effectiveness(lists[:, :10], lambda p: 1) for lists in rankers]
    np.testing.assert_allclose(choice.effectiveness, e)
    loop = {"rbo": rbo_of, "jaccard": jaccard_of}[correlation]
    for a, b in combinations(range(4), 2):
        pairs = zip(rankers[a][:, :10].tolist(), rankers[b][:, :10].tolist(), strict=True)
        rho = np.mean([loop(x, y) for x, y in pairs])
        assert choice.correlation[a, b] == choice.correlation[b, a] == pytest.approx(rho)
        assert choice.scores[a, b] == choice.scores[b, a] == pytest.approx(e[a] * e[b] / (1 + rho) ** beta)
    assert np.isnan(np.diag(choice.scores)).all()


def test_beta_flips_the_choice_from_alike_to_different():
    same = lists_by([1])[0]
    other = lists_by([2])[0]
    rankers = [same, same, other]
    alike, different = (choose(rankers, k=15, beta=beta) for beta in (-4.0, 4.0))
    assert alike.sets[2][0][0] == (0, 1) and set(different.sets[2][0][0]) != {0, 1}
    assert alike.same == different.same == [(0, 1)]


def test_larger_sets_are_unions_that_differ_in_one_member_each():
    rng = np.random.default_rng(0)
    scores = rng.random((7, 7))
    scores += scores.T
    result = sets_of(scores)
    assert list(result) == [2, 3, 4, 5, 6]
    previous = result[2]
    assert previous == sorted(previous, key=lambda one: -one[1]) and len(previous) == 21
    for size in range(3, 7):
        expected = {}
        for x, (a, s) in enumerate(previous):
            for b, t in previous[x + 1 :]:
                if len(set(a) & set(b)) == size - 2 and len({*a, *b}) == size:
                    expected.setdefault(tuple(sorted({*a, *b})), s + t)
        assert dict(result[size]) == dict(sorted(expected.items(), key=lambda one: -one[1])[:100])
        assert [s for _, s in result[size]] == sorted((s for _, s in result[size]), reverse=True)
        previous = result[size]


def test_few_rankers_make_no_larger_sets():
    assert sets_of(np.full((1, 1), np.nan)) == {}
    assert list(sets_of(np.ones((2, 2)))) == [2]
    assert list(sets_of(np.ones((5, 5)), largest=3)) == [2, 3]


@pytest.mark.parametrize("case", BAD)
def test_unusable_lists_are_refused(case):
    good = lists_by([1])[0]
    with pytest.raises(InputError):
        choose([good, BAD[case](good)], k=10)


@pytest.mark.parametrize("options", [{"k": 21}, {"k": 0}, {"measure": "x"}, {"correlation": "rb"}])
def test_unusable_options_are_refused(options):
    with pytest.raises(InputError):
        choose(lists_by([1, 2]), **{"k": 10, **options})
    with pytest.raises(InputError):
        choose([])


def test_the_best_pair_is_fused():
    _, pairs = rankers_of(n=100, queries=5)
    noise = np.random.default_rng(9).normal(size=(105, 4)).astype(np.float32)
    hits, collections = zip(*pairs, flat(noise[:100], noise[100:], k=30), strict=True)
    chosen = select(hits, collections, k=10)
    best = fuse(hits[:2], collections[:2])
    np.testing.assert_array_equal(chosen.rows, best.rows)
    np.testing.assert_array_equal(select(hits[:2], collections[:2], size=6).rows, best.rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(select([hits] * 3, [collection] * 3), collection.index.n, hits.rows.shape)
