"""The Overview's arithmetic against the index and loops; and the readiness check."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from transclipped.analysis import readiness, story
from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.store import Retrieval
from transclipped.utils.machine import has_route, memory


def unit(values):
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


@pytest.fixture
def stored():
    """Four codebooks of eight codewords, 300 items with many ties, 12 queries of three classes."""
    generator = np.random.default_rng(3)
    codebooks = unit(generator.normal(size=(4, 8, 5))).astype(np.float32)
    queries = unit(generator.normal(size=(12, 4, 5))).reshape(12, 20).astype(np.float16)
    return Retrieval(
        codebooks=codebooks,
        codes=generator.integers(0, 8, (300, 4)).astype(np.uint8),
        database_ids=np.arange(300),
        queries=queries,
        query_ids=np.arange(12),
        database_labels=generator.integers(0, 3, 300),
        query_labels=generator.integers(0, 3, 12),
    )


def test_code_and_cosines_are_those_of_the_quantizer(stored):
    result = story.story(stored, 5)
    assert result.code.tolist() == encode(stored.codebooks, stored.queries[5:6].astype(np.float32))[0].tolist()
    for m in range(4):
        word = stored.codebooks[m, result.code[m]]
        assert np.array_equal(result.codewords[m], word)
        assert result.cosine[m] == pytest.approx(float(word @ result.parts[m]), abs=1e-6)
        assert result.cosine[m] == pytest.approx((stored.codebooks[m] @ result.parts[m]).max(), abs=1e-6)


def test_hits_equal_those_of_the_index_with_ties(stored):
    index = PQIndex(stored.codebooks, stored.codes)
    for query in range(12):
        expected = index.search(stored.queries[query : query + 1].astype(np.float32), 20)
        rows, scores = story.nearest(stored, query, 20)
        assert scores == pytest.approx(expected.scores[0], abs=1e-5)
        for row, score in zip(rows, scores, strict=True):
            same = expected.rows[0][np.isclose(expected.scores[0], score, atol=1e-5)]
            assert row in same or np.isclose(score, expected.scores[0][-1], atol=1e-5)


def test_pairs_are_counted_once_and_shares_equal_a_loop(stored):
    result = story.pairs(stored)
    same, values = [], []
    for i in range(12):
        for j in range(i + 1, 12):
            values.append(float(stored.queries[i].astype(float) @ stored.queries[j].astype(float)) / 4)
            same.append(stored.query_labels[i] == stored.query_labels[j])
    assert result.same.sum() + result.other.sum() == len(values) == 66
    assert result.same.sum() == sum(same)
    assert result.share == pytest.approx(np.mean(same))
    above = [s for s, value in zip(same, values, strict=True) if value > result.border]
    assert len(above) == 4  # the most similar 5% of 66
    assert result.top_share == pytest.approx(np.mean(above))


def test_shares_are_none_without_labels_and_one_shared_label_suffices(stored):
    bare = replace(stored, database_labels=None, query_labels=None)
    result = story.pairs(bare)
    assert (result.share, result.top_share) == (None, None)
    assert result.other.sum() == 66
    assert story.shares_label(bare, 0, np.array([1, 2])) == [None, None]
    labels = np.array([[1, 1, 0], [0, 1, 1]] * 150, np.uint8)
    many = replace(stored, query_labels=np.eye(3, dtype=np.uint8)[[0] * 12], database_labels=labels)
    assert story.shares_label(many, 0, np.array([0, 1])) == [True, False]


def test_the_first_page_needs_neither_torch_nor_pandas():
    """In a separate process, its modules alone: torch takes seconds to import."""
    program = (
        "import sys; import transclipped.ui.overview.cached, transclipped.ui.overview.story, transclipped.ui.runs;"
        "from transclipped.config import DataConfig; from transclipped.datasets.registry import load;"
        "load(DataConfig(dataset='cifar10')).image(0);"
        "print([m for m in ('torch', 'timm', 'faiss', 'umap', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=readiness.ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_check_reports_its_value(tmp_path):
    checks = {check.name: check for check in readiness.checks(tmp_path / "not" / "there")}
    assert checks["Python"].ok and int(checks["Processor cores"].value) >= 1
    assert "streamlit" in checks["Packages"].value
    assert "GB free for runs" in checks["Disk"].value
    assert "runs" in checks["Bundled files"].value


def test_an_old_or_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(readiness, "requirements", lambda: {"numpy": (999,), "no-such-package": (1,), "pillow": (1,)})
    check = readiness._packages()
    assert not check.ok
    assert "numpy" in check.remedy and "no-such-package" in check.remedy and "pillow" not in check.remedy


def test_requirements_memory_and_route_are_read():
    assert readiness.requirements()["streamlit"] >= (1, 61)
    total, free = memory()
    assert total is None or total > 1e8
    assert free is None or 0 < free <= total
    assert has_route() in (True, False)


def cosines(stored, query):
    """Loops in float64."""
    m, d = stored.codebooks.shape[0], stored.codebooks.shape[2]
    anchor, values = stored.queries[query].astype(np.float64).reshape(m, d), []
    for other in stored.queries.astype(np.float64):
        values.append(sum(float(a @ b) for a, b in zip(anchor, other.reshape(m, d), strict=True)) / m)
    return values


def test_negatives_are_the_two_nearest_of_the_class_and_others_from_near_to_far(stored):
    labels = stored.query_labels
    for query in range(len(stored.queries)):
        expected = cosines(stored, query)
        result = story.negatives(stored, query, border=0.1)
        own = sorted((i for i in range(12) if i != query and labels[i] == labels[query]), key=lambda i: -expected[i])
        others = sorted((i for i in range(12) if labels[i] != labels[query]), key=lambda i: -expected[i])
        rows = dict(zip(result.rows, result.same, strict=True))
        assert {row for row, same in rows.items() if same} == set(own[:2])
        assert {row for row, same in rows.items() if not same} <= set(others) and others[-1] in rows
        assert result.cosine == sorted(result.cosine, reverse=True) and query not in rows
        assert result.cosine == pytest.approx([expected[row] for row in result.rows], abs=1e-5)
        assert result.clipped == [cosine > 0.1 for cosine in result.cosine]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("labelled", [True, False])
def test_few_queries_give_few_negatives(stored, n, labelled):
    labels = stored.query_labels[:n] if labelled else None
    few = replace(stored, queries=stored.queries[:n], query_ids=stored.query_ids[:n], query_labels=labels)
    result = story.negatives(few, 0, border=0.0)
    assert len(set(result.rows)) == len(result.rows) <= min(n - 1, 5) and 0 not in result.rows
    assert len(result.rows) == len(result.cosine) == len(result.same) == len(result.clipped)
    assert bool(result.rows) == (n > 1)
    assert labelled or set(result.same) <= {None}
    assert 0 <= story.typical(few, 0.0) < n


def test_a_typical_query_has_right_hits_and_only_false_negatives_clipped(stored):
    border = story.pairs(stored).border
    expected = 0
    for query in range(12):
        result = story.negatives(stored, query, border)
        hits = story.shares_label(stored, query, story.nearest(stored, query, 5)[0])
        if any(result.same) and result.clipped == result.same and sum(hits) >= 3:
            expected = query
            break
    assert story.typical(stored, border) == expected
    assert story.typical(replace(stored, query_labels=None), border) == 0
