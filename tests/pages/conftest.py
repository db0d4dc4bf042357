"""Runs in the states a visitor can see, and the app with them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest, app_test

from transclipped.ui.components import gallery
from transclipped.ui.train import form

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


class _Navigated(PagesManager):
    """AppTest resets at each run that the app calls st.navigation, and would open pages/ without app.py."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        PagesManager.uses_pages_directory = False


@pytest.fixture(autouse=True)
def pages_open_inside_the_app(monkeypatch):
    monkeypatch.setattr(app_test, "PagesManager", _Navigated)


@pytest.fixture
def no_worker(monkeypatch):
    """Starting a training fills the queue, and no process empties it."""
    from transclipped.training import queue
    from transclipped.ui.train import start

    monkeypatch.setattr(queue, "start_worker", lambda home: None)
    monkeypatch.setattr(start, "DOUBLE", 0.0)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of the user's runs, and no bundled ones."""
    from transclipped.ui import runs

    monkeypatch.setenv("TRANSCLIPPED_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(runs, "BUNDLED", tmp_path / "bundled")
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def own_pipelines():
    """No pipeline, source of images or light of a database stays from other tests, or for them."""
    from transclipped.ui import light
    from transclipped.ui.pipeline import data, jobs, ladder, masks, why

    caches = (data.source, data.store, jobs.jobs, masks._maps, masks._strip)
    caches += (ladder.means_of, ladder._measurement, ladder._rungs)
    caches += (light.work, light._started, why._vector)
    for cache in caches:
        cache.clear()
    yield
    for cache in caches:
        cache.clear()


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """Sentences to say that the lesson view has drawn; others are left out."""
    from transclipped.ui import presenting

    sentences, say = [], presenting.say

    def recorded(sentence: str) -> None:
        sentences.extend([sentence] * presenting.lesson())
        say(sentence)

    monkeypatch.setattr(presenting, "say", recorded)
    return sentences


@pytest.fixture
def finished(home, tiny_run):
    """`home` with one finished run."""
    shutil.copytree(tiny_run, home / "tiny")
    return home / "tiny"


@pytest.fixture
def collection(finished, tmp_path):
    """Folder of a collection of 12 images of two classes, encoded by the run."""
    from transclipped.config import DataConfig
    from transclipped.datasets.registry import load
    from transclipped.runs.run import RunDir
    from transclipped.search.collection import encode_folder

    images = load(DataConfig(dataset="cifar10"))
    for label, name in ((1, "cars"), (3, "cats")):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for row in np.flatnonzero(images.labels == label)[:6].tolist():
            images.image(row).save(tmp_path / "mine" / name / f"{row}.png")
    out = finished.parent / "my-collection"
    for _ in encode_folder(RunDir(finished), DataConfig(dataset="folder", data=str(tmp_path / "mine")), out):
        pass
    return out


def unfinish(run: Path, **status) -> None:
    """Turn a finished run into one whose training ended early with this status."""
    for name in ("metrics.json", "retrieval.npz", "model.safetensors"):
        (run / name).unlink()
    (run / "status.json").write_text(json.dumps({"v": 1, "pid": -1, "heartbeat": 0, **status}))


@pytest.fixture
def galleries(monkeypatch):
    """Tiles of every gallery that was drawn last, by its key."""
    result, draw = {}, gallery.draw

    def recorded(tiles, *, key, **rest):
        result[key] = tiles
        return draw(tiles, key=key, **rest)

    monkeypatch.setattr(gallery, "draw", recorded)
    return result


def arrived(page: str, **query) -> AppTest:
    """A page opened by a link, without exceptions."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    for name, value in query.items():
        app.query_params[name] = value
    if page != "overview":
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception, [e.value for e in app.exception]
    return app


def opened(page: str, **query) -> AppTest:
    """A page opened from Overview, without exceptions."""
    app = arrived("overview", **query)
    if page != "overview":
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, [e.value for e in app.exception]
    return app


def unfold(app: AppTest) -> AppTest:
    """Open More settings on Train, which are drawn only then."""
    app.session_state[form.MORE] = True
    return app.run()


def fill(app: AppTest, **values) -> AppTest:
    """Set fields of the Train form by name, then run the page."""
    unfold(app)
    for name, value in values.items():
        next(e for e in app.main if getattr(e, "key", None) == f"set {name}").set_value(value)
    return app.run()


def keys(app: AppTest) -> set[str]:
    """Keys of the page's widgets, without the sidebar."""
    return {element.key for element in app.main if getattr(element, "key", None)}


def links(app: AppTest) -> set[str]:
    """Pages that the page links to, apart from its neighbours in the lesson."""
    protos = [link.proto for link in app.main.get("page_link")]
    return {link.page for link in protos if not link.label.startswith("←") and not link.label.endswith("→")}


def absent(app: AppTest) -> set[str]:
    """Names in the address with a notice above the page."""
    names = set(app.session_state["absent"])
    assert app.main.warning or not names
    return names


def command(app: AppTest) -> str:
    """The command that Train shows for its form."""
    return app.code[0].value


def words(app: AppTest) -> str:
    """All texts of a page."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "info", "error", "warning", "success", "metric")
    elements = [e for kind in kinds for e in getattr(app, kind)]
    return "\n".join(f"{getattr(e, 'label', '')} {e.value}" for e in elements)
