"""The Overview's arithmetic against the index that scales and against loops; and what the readiness check tells."""

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


def test_the_code_is_the_indexs_and_cosines_are_of_its_codewords(stored):
    told = story.story(stored, 5)
    assert told.code.tolist() == encode(stored.codebooks, stored.queries[5:6].astype(np.float32))[0].tolist()
    for m in range(4):
        word = stored.codebooks[m, told.code[m]]
        assert np.array_equal(told.codewords[m], word)
        assert told.cosine[m] == pytest.approx(float(word @ told.parts[m]), abs=1e-6)
        assert told.cosine[m] == pytest.approx((stored.codebooks[m] @ told.parts[m]).max(), abs=1e-6)


def test_hits_are_those_of_the_index_ties_included(stored):
    index = PQIndex(stored.codebooks, stored.codes)
    for query in range(12):
        expected = index.search(stored.queries[query : query + 1].astype(np.float32), 20)
        rows, scores = story.nearest(stored, query, 20)
        assert scores == pytest.approx(expected.scores[0], abs=1e-5)
        for row, score in zip(rows, scores, strict=True):
            same = expected.rows[0][np.isclose(expected.scores[0], score, atol=1e-5)]
            assert row in same or np.isclose(score, expected.scores[0][-1], atol=1e-5)


def test_pairs_are_counted_once_each_and_shares_are_a_loops(stored):
    found = story.pairs(stored)
    same, values = [], []
    for i in range(12):
        for j in range(i + 1, 12):
            values.append(float(stored.queries[i].astype(float) @ stored.queries[j].astype(float)) / 4)
            same.append(stored.query_labels[i] == stored.query_labels[j])
    assert found.same.sum() + found.other.sum() == len(values) == 66
    assert found.same.sum() == sum(same)
    assert found.share == pytest.approx(np.mean(same))
    above = [s for s, value in zip(same, values, strict=True) if value > found.border]
    assert len(above) == 4  # the most similar 5% of 66
    assert found.top_share == pytest.approx(np.mean(above))


def test_without_labels_nothing_is_said_of_classes(stored):
    bare = Retrieval(**{**vars(stored), "database_labels": None, "query_labels": None})
    found = story.pairs(bare)
    assert (found.share, found.top_share) == (None, None)
    assert found.other.sum() == 66
    assert story.shares_label(bare, 0, np.array([1, 2])) == [None, None]


def test_one_shared_label_of_several_suffices(stored):
    many = Retrieval(
        **{
            **vars(stored),
            "query_labels": np.eye(3, dtype=np.uint8)[[0] * 12],
            "database_labels": np.array([[1, 1, 0], [0, 1, 1]] * 150, np.uint8),
        }
    )
    assert story.shares_label(many, 0, np.array([0, 1])) == [True, False]


def test_the_first_page_needs_neither_torch_nor_pandas():
    """Its own modules, in a process of their own: torch alone takes seconds to import."""
    import subprocess
    import sys

    program = (
        "import sys; import transclipped.ui.overview.cached, transclipped.ui.overview.story, transclipped.ui.runs;"
        "from transclipped.config import DataConfig; from transclipped.datasets.registry import load;"
        "load(DataConfig(dataset='cifar10')).image(0);"
        "print([m for m in ('torch', 'timm', 'faiss', 'umap', 'sklearn', 'pandas') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=readiness.ROOT)
    assert answer.stdout.strip() == "[]", answer.stderr


def test_every_check_names_what_it_found(tmp_path):
    found = {check.name: check for check in readiness.checks(tmp_path / "not" / "there")}
    assert found["Python"].ok
    assert "streamlit" in found["Packages"].found
    assert int(found["Processor cores"].found) >= 1
    assert "GB free for runs" in found["Disk"].found
    assert "runs" in found["Bundled files"].found


def test_a_package_that_is_too_old_or_missing_is_named(monkeypatch):
    monkeypatch.setattr(readiness, "requirements", lambda: {"numpy": (999,), "no-such-package": (1,), "pillow": (1,)})
    check = readiness._packages()
    assert not check.ok
    assert "numpy" in check.remedy and "no-such-package" in check.remedy and "pillow" not in check.remedy


def test_requirements_are_read_with_their_smallest_versions():
    assert readiness.requirements()["streamlit"] >= (1, 61)


def test_memory_and_route_are_told_without_sending_anything(monkeypatch):
    total, free = memory()
    assert total is None or total > 1e8
    assert free is None or 0 < free <= total
    assert has_route() in (True, False)
