"""Pages after the warm-up draw their first screens without recomputing them."""

from dataclasses import replace

import pytest

from tests.pages.conftest import opened, words
from transclipped.analysis import benchmarks, codebooks
from transclipped.analysis.clipping import report as clipping
from transclipped.errors import InputError
from transclipped.runs import session
from transclipped.runs.run import RunDir
from transclipped.search import searcher as engine
from transclipped.ui import cached, warm
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.codebooks import cached as codebook_cached


@pytest.fixture
def without_queries(finished):
    """The finished run without stored queries."""
    stored = RunDir(finished).retrieval()
    labels = None if stored.query_labels is None else stored.query_labels[:0]
    reduced = replace(stored, queries=stored.queries[:0], query_ids=stored.query_ids[:0], query_labels=labels)
    reduced.save(finished / "retrieval.npz")


@pytest.fixture
def computation_fails(finished, monkeypatch):
    """Warms up the finished run; the returned function then makes all computation fail."""
    monkeypatch.setattr(warm, "PAUSE", 0)
    anatomy, lab = anatomy_cached, lab_batch
    caches = [anatomy.model, anatomy.seen, anatomy.faces, anatomy.standing, codebook_cached.usage, cached.engine]
    caches += [lab._run_batch, lab._dial, lab.report, lab.mean_loss, lab.suggested, warm._first_screens]
    for cache in caches:
        cache.clear()
    warm._work(RunDir(finished))
    yield lambda: _refuse(monkeypatch)


def _refuse(monkeypatch):
    def refused(*args, **kwargs):
        raise InputError("computed again")

    for module, names in (
        (session, ("trained_model",)),
        (engine, ("Searcher",)),
        (lab_batch, ("batch_of", "dial", "spread")),
        (clipping, ("report", "mean_loss")),
        (codebooks, ("usage",)),
        (benchmarks, ("rows",)),
        (anatomy_cached.anatomy, ("rollout",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, refused)
    monkeypatch.setattr(anatomy_cached, "codebooks", None)  # finds images of a codeword


@pytest.mark.parametrize("page", ["anatomy", "clipping", "codebooks", "retrieval", "train"])
def test_the_first_screen_is_cached(computation_fails, page):
    computation_fails()
    app = opened(page, run="tiny")
    assert not app.warning and not app.error, words(app)
    assert "computed again" not in words(app)


@pytest.mark.parametrize("page", ["benchmarks", "clipping", "codebooks", "train"])
def test_without_queries_the_rest_is_cached(without_queries, computation_fails, page):
    computation_fails()
    assert "computed again" not in words(opened(page, run="tiny"))


def test_another_run_is_not_cached(computation_fails, finished):
    finished.rename(finished.with_name("other"))
    computation_fails()
    assert "computed again" in words(opened("clipping", run="other"))
