"""Pipelines on arrays against plain NumPy: results, sharing, and what may be learned from what."""

import numpy as np
import pytest

from transclipped.errors import InputError
from transclipped.retrieval.chain import Store, pool, ranker
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.line import load_methods, parse
from transclipped.retrieval.stages import stage

FACTS = {"idea": "", "formula": "", "source": ""}


class Arrays:
    """A source of vectors `[n, D]`, or of maps if a block is `[n, C, h, w]`; counts passes over maps."""

    def __init__(self, **blocks):
        self.blocks = {name.replace("_", ":"): array for name, array in blocks.items()}
        self.passes = []

    def key(self, step, block):
        return str(hash(self.blocks[block].tobytes()))

    def vectors(self, step, block):
        return self.blocks[block]

    def maps(self, step, block):
        self.passes.append(block)
        yield from np.array_split(self.blocks[block], 3)


@pytest.fixture(autouse=True)
def toys(own_registries):
    load_methods()
    stage("toy", kind="features", gives="maps", **FACTS)(lambda images: None)
    yield


def vectors(n, d=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def source(n=60, q=7, d=12):
    return Arrays(train=vectors(n, d), database=vectors(n, d), query=vectors(q, d, seed=1))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_a_line_equals_its_equations():
    data = source()
    hits = ranker(parse("l2 | pca(5) | l2 | float"), data, Store()).hits(10).value
    x, q = (unit(data.blocks[b].astype(np.float64)) for b in ("database", "query"))
    mean = x.mean(0)
    axes = np.linalg.svd(x - mean, full_matrices=False)[2][:5].T
    x, q = unit((x - mean) @ axes), unit((q - mean) @ axes)
    expected = np.argsort(-(q @ x.T), axis=1)[:, :10]
    np.testing.assert_array_equal(hits.rows, expected)
    np.testing.assert_allclose(hits.scores, np.take_along_axis(q @ x.T, expected, 1), atol=1e-5)


LINES = (
    "l2 | float",
    "l2 | pca(6) | l2 | dba(4) | float | qe(3)",
    "l2 | float | k-reciprocal(6, 3)",
    "rrf(l2 | float + pca(4) | l2 | float | qe(2)) | qe(3)",
)


@pytest.mark.parametrize("text", LINES)
def test_permuting_the_database_permutes_the_hits(text):
    data, order = source(), np.random.default_rng(2).permutation(60)
    permuted = Arrays(**{name: data.blocks[name][order] for name in ("train", "database")}, query=data.blocks["query"])
    first, other = (ranker(parse(text), each, Store()).hits(8).value for each in (data, permuted))
    np.testing.assert_allclose(first.scores, other.scores, atol=1e-4)
    for a, b, scores in zip(first.rows, order[other.rows], first.scores, strict=True):
        steps = np.flatnonzero(np.diff(scores) < -1e-4) + 1  # ties by row may differ
        assert [set(part) for part in np.split(a, steps)][:-1] == [set(part) for part in np.split(b, steps)][:-1]


@pytest.mark.parametrize("text", LINES)
def test_queries_do_not_change_what_is_learned_or_each_other(text):
    data = source()
    other = Arrays(**{name: data.blocks[name] for name in ("train", "database")}, query=vectors(30, seed=9))
    mine, theirs = ranker(parse(text), data, Store()), ranker(parse(text), other, Store())
    one = theirs.search([x[:1] for x in mine.queries()] if mine.line.steps[0].branches else mine.queries()[:1], 8)
    np.testing.assert_array_equal(one.rows, mine.hits(8).value.rows[:1])


def test_re_ranking_sees_more_than_the_hits_that_are_returned():
    data, k = source(), 5
    seen = []
    stage("look", kind="reranking", **FACTS)(lambda hits, collection: seen.append(hits.rows.shape) or hits)
    hits = ranker(parse("l2 | float | look"), data, Store()).search(data.blocks["query"], k)
    assert seen == [(7, 60)] and hits.rows.shape == (7, k)


def test_lines_share_what_they_have_in_common():
    fitted, data, store = [], source(), Store()

    def fit(vectors, *, n=1):
        fitted.append(n)
        return {"mean": vectors.mean(0)}

    stage("centre", kind="transform", fit=fit, **FACTS)(lambda x, state, *, n=1: x - state["mean"])
    for text in ("l2 | centre | l2", "l2 | centre | pq(16)", "l2 | centre(2)", "l2 | centre | float | qe(2)"):
        ranker(parse(text), data, store).hits(5)
    assert fitted == [1, 2]
    ranker(parse("l2 | centre"), Arrays(**data.blocks | {"train": vectors(20, seed=5)}), store).hits(5)
    assert fitted == [1, 2, 1]  # other training vectors


def maps(n, seed):
    return np.random.default_rng(seed).random((n, 4, 3, 3), np.float32)


def test_one_pass_over_maps_feeds_every_aggregation():
    data, store = Arrays(train=maps(9, 0), database=maps(9, 0), query=maps(4, 1)), Store()
    texts = ("toy | gem(2)", "toy | mean | l2", "toy | max | l2 | pq(8)")
    chains = [ranker(parse(text), data, store) for text in texts]
    for block in ("train", "database", "query"):
        pool(chains, block)
    assert data.passes == ["train", "query"]  # the database is the training set
    results = [chain.hits(5).value for chain in chains]
    assert data.passes == ["train", "query"]
    x, q = (data.blocks[b].mean((2, 3)) for b in ("database", "query"))
    np.testing.assert_array_equal(results[1].rows, np.argsort(-(unit(q) @ unit(x).T), axis=1, kind="stable")[:, :5])


def test_filters_and_aggregations_learn_from_filtered_training_maps():
    seen = []

    def fit(batches):
        seen.append(np.concatenate(list(batches)))
        seen.append(np.concatenate(list(batches)))  # batches can be read twice
        return {"best": np.array(3)}

    stage("double", kind="filter", **FACTS)(lambda x: 2 * x)
    stage("one", kind="aggregation", fit=fit, **FACTS)(lambda x, state: x[:, : int(state["best"])].mean((2, 3)))
    data = Arrays(train=maps(9, 0), database=maps(7, 2), query=maps(4, 1))
    chain = ranker(parse("toy | double | one"), data, Store())
    np.testing.assert_allclose(chain.vectors(2, "database"), 2 * data.blocks["database"][:, :3].mean((2, 3)), rtol=1e-6)
    np.testing.assert_array_equal(seen[0], 2 * data.blocks["train"])
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(chain.encoded([data.blocks["query"]]), chain.queries())


def test_views_after_augmentation_are_means_of_plain_neighbours():
    data = source()
    for v in range(3):
        data.blocks[f"view:{v}"] = data.blocks["train"] + 0.1 * vectors(60, seed=10 + v)
    seen = {}

    def fit(vectors, *, views):
        seen.update(vectors=vectors, views=views)
        return {}

    @stage("views", kind="coding", fit=fit, needs=("views",), **FACTS)
    def code(vectors, state, *, views=3):
        return FlatIndex(vectors, codebooks=1)

    ranker(parse("l2 | dba(4, 2) | views"), data, Store()).hits(3)
    assert seen["views"].shape == (3, 60, 12)
    plain = unit(data.blocks["database"])
    for v in range(3):
        for i in (0, 17, 59):
            similarity = plain @ unit(data.blocks[f"view:{v}"][i])
            near = np.argsort(-similarity)[:4]
            weights = np.maximum(0, similarity[near]) ** 2
            np.testing.assert_allclose(seen["views"][v, i], weights @ plain[near] / weights.sum(), atol=1e-5)


def test_a_stage_gets_the_other_data_it_needs():
    data = source()
    data.blocks["outside"] = vectors(50, seed=4)
    chain = ranker(parse("l2 | tpw(4)"), data, Store())
    assert chain.hits(5).value.rows.shape == (7, 5)
    before = chain.queries()
    data.blocks["outside"] = vectors(50, seed=5)
    assert not np.allclose(ranker(parse("l2 | tpw(4)"), data, Store()).queries(), before)


def test_seconds_of_fitting_do_not_depend_on_the_store():
    data, store = source(), Store()
    line = parse("l2 | pca(4) | l2 | dba(3) | pq(16) | qe(2)")
    first = ranker(line, data, store).hits(5)
    ranker(parse("l2 | pca(4)"), data, store).hits(5)
    again = ranker(line, data, store).hits(5)
    assert again.needed == first.needed and len(first.needed) >= 5
    fresh = ranker(line, data, Store()).hits(5)
    assert set(fresh.needed) == set(first.needed)


def test_a_full_store_forgets_the_oldest(monkeypatch):
    from transclipped.retrieval import chain

    monkeypatch.setattr(chain, "MEMORY", 3000)
    store, data = Store(), source()
    hits = ranker(parse(LINES[1]), data, store).hits(6).value
    assert sum(map(chain._bytes, store._entries.values())) <= 3000
    monkeypatch.undo()
    np.testing.assert_array_equal(hits.rows, ranker(parse(LINES[1]), data, Store()).hits(6).value.rows)


@pytest.mark.parametrize("text", LINES)
def test_tiny_and_odd_databases(text):
    for n in (1, 2, 3):
        data = source(n=n, q=2)
        hits = ranker(parse(text), data, Store()).hits(10).value
        assert hits.rows.shape == (2, n) and (np.sort(hits.rows, 1) == np.arange(n)).all()
    data = source()
    data.blocks["database"] = data.blocks["train"] = np.zeros_like(data.blocks["train"])
    assert np.isfinite(ranker(parse("l2 | float | qe(2)"), data, Store()).hits(4).value.scores).all()
    data.blocks["query"] = np.full_like(data.blocks["query"], np.nan)
    with pytest.raises(InputError):
        ranker(parse("l2 | float"), data, Store()).hits(4)


def test_stages_on_maps_are_not_charged_for_computing_them(monkeypatch):
    from transclipped.retrieval import chain as module

    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])

    class Slow(Arrays):
        def maps(self, step, block):
            for batch in super().maps(step, block):
                clock[0] += 100
                yield batch

    def fit(batches):
        for _ in batches:
            clock[0] += 1
        return {"none": np.zeros(1)}

    def pooled(maps, state):
        clock[0] += 1
        return maps.mean((2, 3))

    stage("one", kind="aggregation", fit=fit, **FACTS)(pooled)
    data = Slow(train=maps(9, 0), database=maps(7, 2), query=maps(4, 1))
    hits = ranker(parse("toy | one | l2"), data, Store()).hits(3)
    assert sorted(hits.needed.values()) == [0, 0, 0, 3, 3]  # l2, index, first search; fit, pooling
    assert hits.seconds == 0


def test_work_on_the_database_is_charged_once_and_not_to_queries(monkeypatch):
    from transclipped.retrieval import chain as module

    clock = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])

    @stage("slow", kind="reranking", **FACTS)
    def slow(hits, collection):
        if "slow" not in collection.memo:
            clock[0] += 50
            collection.memo["slow"] = True
        clock[0] += len(hits.rows)
        return hits

    hits = ranker(parse("l2 | float | slow"), source(), Store()).hits(3)
    assert hits.seconds == 7 and sum(hits.needed.values()) == 51


def test_lists_of_items_have_the_scale_of_queries():
    data = source()
    for code in ("pq(16)", "lsh(16)", "float"):
        chain = ranker(parse(f"l2 | {code}"), data, Store())
        items, codes = chain.index.decoded(), chain.neighbours(5)
        factor = getattr(chain.index, "to_query", getattr(chain.index, "m", 1))
        expected = np.take_along_axis(items @ items.T * factor, codes.rows, 1)
        np.testing.assert_allclose(codes.scores, expected, atol=1e-4)
