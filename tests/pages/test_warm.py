"""Pages after the warm-up: they draw their first screens without computing them again."""

import gc

import pytest

from tests.pages.conftest import opened, words
from transclipped import engine
from transclipped.errors import InputError
from transclipped.training import session
from transclipped.training.run import RunDir
from transclipped.ui import anatomy_cached, cached, lab_batch, warm


@pytest.fixture
def nothing_more(finished, monkeypatch):
    """After the warm-up of the finished run no network can be loaded, and no batch embedded."""
    monkeypatch.setattr(warm, "PAUSE", 0)
    for cache in (cached.engine, anatomy_cached.model, anatomy_cached.seen, lab_batch._run_batch, warm._first_screens):
        cache.clear()
    warm._work(RunDir(finished))
    yield lambda: _refuse(monkeypatch)
    gc.unfreeze()


def _refuse(monkeypatch):
    def refused(*args, **kwargs):
        raise InputError("computed again")

    monkeypatch.setattr(session, "trained_model", refused)
    monkeypatch.setattr(engine, "Engine", refused)
    monkeypatch.setattr(lab_batch, "batch_of", refused)


@pytest.mark.parametrize("page", ["anatomy", "clipping", "retrieval"])
def test_the_first_screen_is_there(nothing_more, page):
    nothing_more()
    app = opened(page, run="tiny")
    assert not app.warning and not app.error
    assert "computed again" not in words(app)


def test_another_run_is_computed(nothing_more, finished):
    finished.rename(finished.with_name("other"))
    nothing_more()
    assert "computed again" in words(opened("clipping", run="other"))
