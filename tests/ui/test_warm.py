"""The warm-up: starts once, fills the caches of the pages, and never passes its errors to a page."""

import shutil
import threading
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.search import searcher as engine
from transclipped.ui import cached, imports, shell, streamlit_internals, warm
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.clipping import batch as lab_batch

APP = str(shell.ROOT / "app.py")


@pytest.fixture
def started(monkeypatch):
    """Runs passed to the warm-up by a server that looks real, and an event set when it starts."""
    done, over = [], threading.Event()
    monkeypatch.setattr(warm, "_work", lambda run: (done.append(run), over.set()))
    monkeypatch.setattr(streamlit_internals, "is_served", lambda: True)
    warm._start.clear()
    yield done, over
    warm._start.clear()


@pytest.fixture
def cold(monkeypatch):
    """Empty caches, and no pauses."""
    monkeypatch.setattr(warm, "PAUSE", 0)
    monkeypatch.setattr(warm, "BREATH", 0)
    caches = (cached.engine, anatomy_cached.model, anatomy_cached.seen, lab_batch._run_batch, warm._first_screens)
    for cache in caches:
        cache.clear()
    yield
    for cache in caches:
        cache.clear()


def _refused(*args, **kwargs):
    raise AssertionError("computed again")


def test_it_starts_once_per_server(started, tiny_run):
    done, over = started
    warm.up(RunDir(tiny_run))
    assert over.wait(10)
    warm.up(None)
    warm.up(RunDir(tiny_run))
    assert [run.name for run in done] == ["tiny"]


def test_apptest_starts_no_warm_up(monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path))
    monkeypatch.setattr(warm, "_start", _refused)
    assert not AppTest.from_file(APP, default_timeout=240).run().exception


def test_first_screens_come_from_the_cache(cold, tiny_run, monkeypatch):
    run = RunDir(tiny_run)
    warm._work(run)
    monkeypatch.setattr(engine, "Searcher", _refused)
    monkeypatch.setattr(engine, "trained_model", _refused)
    monkeypatch.setattr(lab_batch, "batch_of", _refused)
    searcher = cached.engine(run.fingerprint, run)
    assert len(searcher.model) == 2
    assert len(lab_batch.first(run).batch.rows) == lab_batch.SIZE


def test_an_error_stops_neither_the_rest_nor_a_page(cold, tiny_run, tmp_path, monkeypatch):
    shutil.copytree(tiny_run, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"no")
    run = RunDir(tmp_path / "damaged")
    monkeypatch.setattr(imports, "_done", set())
    monkeypatch.setattr(imports, "LIBRARIES", "no_such_module torch")
    warm._work(run)
    monkeypatch.setattr(engine, "Searcher", _refused)
    assert cached.engine(run.fingerprint, run).index.n == 200  # needs no network
    with pytest.raises(InputError, match="model"):
        lab_batch.first(run)
    (tmp_path / "damaged" / "retrieval.npz").write_bytes(b"no")
    warm._work(run)


def test_pages_are_warmed_in_lesson_order_despite_errors(cold, tiny_run, monkeypatch):
    folders = {path.parent.name for path in Path(warm.__file__).parent.glob("*/warm.py")}
    pages = [page for page, *_ in shell.ORDER if page in folders]
    assert set(pages) == folders and {"anatomy", "clipping", "codebooks"} <= folders
    done = []

    def record(page, run):
        done.append((page, run.name))
        raise InputError("first")

    for page in pages:
        monkeypatch.setattr(f"transclipped.ui.{page}.warm.warm", partial(record, page))
    warm._work(RunDir(tiny_run))
    assert done == [(page, "tiny") for page in pages]
