"""Pages after the warm-up: they draw their first screens without computing them again."""

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
    """The finished run, of which no query was stored."""
    stored = RunDir(finished).retrieval()
    labels = None if stored.query_labels is None else stored.query_labels[:0]
    less = replace(stored, queries=stored.queries[:0], query_ids=stored.query_ids[:0], query_labels=labels)
    less.save(finished / "retrieval.npz")


@pytest.fixture
def nothing_more(finished, monkeypatch):
    """After the warm-up of the finished run no network can be loaded, no batch embedded, and nothing measured."""
    monkeypatch.setattr(warm, "PAUSE", 0)
    caches = (
        anatomy_cached.model,
        anatomy_cached.seen,
        anatomy_cached.faces,
        anatomy_cached.standing,
        codebook_cached.usage,
    )
    caches += (lab_batch._run_batch, lab_batch._dial, lab_batch._report, lab_batch._mean_loss, lab_batch._suggested)
    for cache in (cached.engine, *caches, warm._first_screens):
        cache.clear()
    warm._work(RunDir(finished))
    yield lambda: _refuse(monkeypatch)


def _refuse(monkeypatch):
    def refused(*args, **kwargs):
        raise InputError("computed again")

    for place, names in (
        (session, ("trained_model",)),
        (engine, ("Searcher",)),
        (lab_batch, ("batch_of", "dial", "spread")),
        (clipping, ("report", "mean_loss")),
        (codebooks, ("usage",)),
        (benchmarks, ("rows",)),
        (anatomy_cached.anatomy, ("rollout",)),
    ):
        for name in names:
            monkeypatch.setattr(place, name, refused)
    monkeypatch.setattr(anatomy_cached, "codebooks", None)  # whose images stand for a codeword


@pytest.mark.parametrize("page", ["anatomy", "clipping", "codebooks", "retrieval", "train"])
def test_the_first_screen_is_there(nothing_more, page):
    nothing_more()
    app = opened(page, run="tiny")
    assert not app.warning and not app.error, words(app)
    assert "computed again" not in words(app)


@pytest.mark.parametrize("page", ["benchmarks", "clipping", "codebooks", "train"])
def test_what_needs_no_query_is_there_in_a_run_without_any(without_queries, nothing_more, page):
    nothing_more()
    assert "computed again" not in words(opened(page, run="tiny"))


def test_another_run_is_computed(nothing_more, finished):
    finished.rename(finished.with_name("other"))
    nothing_more()
    assert "computed again" in words(opened("clipping", run="other"))
