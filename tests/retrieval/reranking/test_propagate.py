"""Propagation between images and words: against dense loops, and what holds for any input."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import transclipped as tc
from tests.retrieval.clustered import clustered, flat
from transclipped.errors import InputError
from transclipped.retrieval import lists
from transclipped.retrieval.chain import Store
from transclipped.retrieval.index import Hits
from transclipped.retrieval.keywords import keywords, probabilities
from transclipped.retrieval.reranking.propagate import propagate, rerank
from transclipped.retrieval.stages import STAGES, Collection


def some(n=9, w=4, seed=0):
    """Similarities of images, symmetric, and their words; the last image has none."""
    rng = np.random.default_rng(seed)
    s = rng.random((n, n))
    s = (s + s.T) / 2
    np.fill_diagonal(s, 1)
    words = (rng.random((n, w)) < 0.5).astype(float)
    words[-1:] = 0
    return s, words


def reference(visual, words, first, a, b, rounds):
    n, w = words.shape
    z = [[words[i][t] / max(1e-300, sum(words[i])) for t in range(w)] for i in range(n)]
    images, similar = visual.tolist(), first.tolist()
    for _ in range(rounds):
        by_words = [
            [sum(z[i][s] * similar[s][t] * z[j][t] for s in range(w) for t in range(w)) for j in range(n)]
            for i in range(n)
        ]
        by_images = [
            [sum(z[i][s] * images[i][j] * z[j][t] for i in range(n) for j in range(n)) for t in range(w)]
            for s in range(w)
        ]
        largest, most = (max(max(row) for row in m) or 1 for m in (by_words, by_images))
        images = [[a * visual[i][j] + (1 - a) * by_words[i][j] / largest for j in range(n)] for i in range(n)]
        similar = [[b * first[s][t] + (1 - b) * by_images[s][t] / most for t in range(w)] for s in range(w)]
    return images, similar


@pytest.mark.parametrize("given_words", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_similarities_are_those_of_loops(given_words, sparse, monkeypatch):
    visual, words = some()
    first = some(4, seed=3)[0] if given_words else np.eye(4)
    images, similar = reference(visual, words, first, 0.6, 0.8, 3)
    monkeypatch.setattr(lists.parts, "__defaults__", (2 * 9,))  # blocks of two rows
    inputs = (sp.csr_array(visual), sp.csr_array(words)) if sparse else (visual, words)
    options = {"word_similarity": first} if given_words else {}
    result = propagate(*inputs, a=0.6, b=0.8, rounds=3, **options)
    np.testing.assert_allclose(result.images.toarray(), images, atol=1e-12)
    np.testing.assert_allclose(result.words, similar, atol=1e-12)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5), st.integers(1, 12), st.floats(0, 1))
def test_results_are_symmetric_and_from_0_to_1(seed, n, w, k, a):
    result = propagate(*some(n, w, seed), k=k, a=a, b=1 - a, rounds=4)
    for matrix in (result.images.toarray(), result.words):
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
        assert matrix.min() >= 0 and matrix.max() <= 1 + 1e-12


def test_with_a_and_b_of_1_or_without_rounds_nothing_changes():
    visual, words = some()
    for result in (propagate(visual, words, a=1, b=1, k=2), propagate(visual, words, rounds=0)):
        np.testing.assert_array_equal(result.images.toarray(), visual)
        np.testing.assert_array_equal(result.words, np.eye(4))


def test_each_row_keeps_its_largest_entries():
    visual, words = some(12)
    whole = propagate(visual, words, rounds=1).images.toarray()
    cut = propagate(visual, words, rounds=1, k=3).images.toarray()
    kept = np.argsort(-whole, axis=1)[:, :3]
    expected = np.zeros((12, 12))
    np.put_along_axis(expected, kept, np.take_along_axis(whole, kept, 1), 1)
    np.testing.assert_allclose(cut, np.maximum(expected, expected.T), atol=1e-12)


def test_words_bring_images_together_and_images_words():
    visual = np.eye(5)
    visual[1, 3] = visual[3, 1] = 0.9
    words = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]], float)
    result = propagate(visual, words)
    images = result.images.toarray()
    assert images[0, 1] > 0.1 and result.words[0, 1] > result.words[0, 2]  # by images 1 and 3
    assert images[0, 3] > images[0, 2]  # and so are those that have them
    np.testing.assert_allclose(images[4], 0.7 * visual[4])  # no word, no change but of scale


@pytest.mark.parametrize(("n", "w"), [(0, 0), (0, 3), (1, 1), (4, 0)])
def test_little_or_nothing_is_no_error(n, w):
    result = propagate(np.eye(n), np.zeros((n, w)))
    np.testing.assert_allclose(result.images.toarray(), 0.7 * np.eye(n))
    assert result.words.shape == (w, w)


def test_wrong_input_is_refused():
    visual, words = some()
    for bad, named in (
        ((visual[:3], words), "9 images"),
        ((visual * np.nan, words), "from 0 to 1"),
        ((visual - 2, words), "from 0 to 1"),
        ((visual, -words), "not negative"),
    ):
        with pytest.raises(InputError, match=named):
            propagate(*bad)
    for options in ({"a": 1.1}, {"b": float("nan")}, {"rounds": -1}, {"k": 0}):
        with pytest.raises(InputError, match=f"{next(iter(options))} is"):
            propagate(visual, words, **options)
    with pytest.raises(InputError, match="symmetric"):
        propagate(visual, words, word_similarity=np.triu(np.ones((4, 4))))


def collection_of(labels, seed=0):
    hits, collection = flat(*clustered(40, queries=8, seed=seed))
    words = None if labels is None else keywords(labels)
    return hits, Collection(collection.index, collection.queries, keywords=words)


def test_hits_are_scored_by_similarity_and_words():
    labels = np.random.default_rng(1).integers(-1, 4, 40)
    hits, collection = collection_of(labels)
    result = rerank(hits, collection, a=0.6, rounds=3, k=5)
    similar = collection.memo["propagate", 0.6, 3, 5]
    words = keywords(labels).toarray()
    for q in range(len(hits.rows)):
        z = probabilities(Hits(hits.scores[[q]], hits.rows[[q]]), keywords(labels), k=5)[0]
        product = [sum(z[s] * similar[s, t] * words[i, t] for s in range(4) for t in range(4)) for i in hits.rows[q]]
        most, best = max(product) or 1, max(hits.scores[q])
        expected = {
            int(i): 0.6 * max(0, s) / best + 0.4 * p / most
            for i, s, p in zip(hits.rows[q], hits.scores[q], product, strict=True)
        }
        np.testing.assert_allclose(result.scores[q], [expected[i] for i in result.rows[q].tolist()], atol=1e-5)
        assert (np.diff(result.scores[q]) <= 1e-7).all()
    assert np.array_equal(np.sort(result.rows, 1), np.sort(hits.rows, 1))  # nothing new enters


def test_with_a_of_1_no_hit_moves():
    hits, collection = collection_of(np.arange(40) % 3)
    result = rerank(hits, collection, a=1.0)
    np.testing.assert_array_equal(result.rows, hits.rows)
    np.testing.assert_array_equal(result.scores, hits.scores)


def test_without_labels_the_stage_says_what_it_lacks():
    with pytest.raises(InputError, match="labels as keywords"):
        rerank(*collection_of(None))
    assert STAGES["propagate"].uses_labels
    assert [name for name, stage in STAGES.items() if stage.uses_labels] == ["propagate"]


def test_a_pipeline_never_shows_it_the_labels_of_queries():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 8)).astype(np.float32), rng.integers(0, 3, 60)
    queries, own = rng.normal(size=(9, 8)).astype(np.float32), rng.integers(0, 3, 9)
    hits = []
    for query_labels in (own, (own + 1) % 3):
        line = tc.Pipeline("float | propagate").fit(x, queries=queries, labels=labels, query_labels=query_labels)
        hits.append(line.search(queries, k=20))
    np.testing.assert_array_equal(hits[0].rows, hits[1].rows)
    other = tc.Pipeline("float | propagate").fit(x, queries=queries, labels=labels[::-1].copy(), query_labels=own)
    assert not np.array_equal(other.search(queries, k=20).rows, hits[0].rows)
    with pytest.raises(InputError, match="labels as keywords"):
        tc.Pipeline("float | propagate").fit(x).search(queries)


@pytest.mark.parametrize("line", ["lighting | propagate", "rrf(lighting | l2 + lighting(seed=1) | l2) | propagate"])
def test_an_item_that_is_searched_with_does_not_vote_for_itself(line, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    voters = []

    def recorded(hits, words, **options):
        voters[:] = hits.rows.tolist()
        return probabilities(hits, words, **options)

    monkeypatch.setattr("transclipped.retrieval.reranking.propagate.probabilities", recorded)
    pipeline = tc.Pipeline(line).fit("cifar10", train_limit=60, database_limit=60, query_limit=5)
    source, own = pipeline.source, 17
    item, query = (source.images.ids[row].item() for row in (source.split.database[own], source.split.query[0]))
    for identity in (item, str(item)):
        hits = pipeline.search(identity, 60)
        assert len(voters[0]) == 59 and own not in voters[0] and own in hits.rows[0]
    assert voters and pipeline.ladder(item, k=5) and own not in voters[0]
    pipeline.search(query, 10)
    assert len(voters[0]) == 60
    pipeline.search([source.images.image(source.images.row_of(item))], 10)
    assert len(voters[0]) == 60  # whose image it is, nobody knows


def test_other_labels_are_measured_again_with_one_store():
    rng = np.random.default_rng(0)
    x, queries = rng.normal(size=(60, 8)).astype(np.float32), rng.normal(size=(9, 8)).astype(np.float32)
    labels, store = rng.integers(0, 3, 60), Store()
    rows = []
    for each in (labels, labels[::-1].copy()):
        line = tc.Pipeline("float | propagate")
        line.fit(x, queries=queries, labels=each, query_labels=labels[:9], store=store)
        rows.append(line.fitted.hits(20).value.rows)
    assert not np.array_equal(*rows)
