"""Loops of a walk on the Pipeline page, with frames from a folder; and its figures."""

import time

import numpy as np
import pytest
from PIL import Image

from tests.pages.conftest import arrived, keys, words
from transclipped.analysis import closures
from transclipped.ui.pipeline import html, view, walk


@pytest.fixture
def rows(monkeypatch):
    """Images of the row that was drawn last."""
    drawn, draw = [], html.row

    def recorded(cells, **rest):
        drawn[:] = cells
        return draw(cells, **rest)

    monkeypatch.setattr(html, "row", recorded)
    return drawn


@pytest.fixture
def folder(tmp_path):
    """30 frames of which the last ten show the first again, in a file order that is not that of time."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    for i in reversed(range(30)):
        Image.fromarray(pixels[i % 20]).resize((40, 40)).save(tmp_path / f"{i:03}.png")
    return tmp_path


def test_frames_of_a_folder_are_matched_in_the_order_of_their_names(home, folder, rows, monkeypatch):
    monkeypatch.setattr(walk, "LINES", {"sda(steps=20)": "Auto-encoder", "sda(steps=20, seed=1)": "Another"})
    app = arrived("pipeline", section=view.WALK, walk_of=walk.OWN)
    assert not app.error and "walk compute" not in keys(app)
    app.text_input(key=walk.FOLDER).set_value(str(folder)).run()
    app.button(key="walk compute").click().run()
    deadline = time.monotonic() + 120
    while walk.FRAME not in keys(app) and time.monotonic() < deadline:
        time.sleep(0.2)
        app.run()
    app.slider(key=walk.EXCLUDE).set_value(5).run()
    app.slider(key=walk.LENGTH).set_value(3).run()
    computed, scores = [], closures.scores
    monkeypatch.setattr(closures, "scores", lambda *s, **options: computed.append(options) or scores(*s, **options))
    app.slider(key=walk.FRAME).set_value(26).run()
    assert not computed  # the scores are those of the other frame
    assert not app.exception and not app.error
    assert [cell.name.split()[-1] for cell in rows] == ["26", "6", "6"]
    assert {cell.relevant for cell in rows} == {None}  # nobody knows where a folder's frames return
    app.slider(key=walk.EXCLUDE).set_value(60).run()
    assert not app.exception and "too few" in words(app)


def test_a_frame_that_is_overwritten_is_computed_again(home, folder, monkeypatch):
    places = []
    monkeypatch.setattr(walk, "_frames", lambda place: places.append(place) or [])
    app = arrived("pipeline", section=view.WALK, walk_of=walk.OWN)
    places.clear()
    app.text_input(key=walk.FOLDER).set_value(str(folder)).run()
    app.run()
    Image.new("RGB", (44, 40)).save(folder / "003.png")  # the folder's own time stays
    app.run()
    assert not app.exception
    first, again, changed = (place.key for place in places)
    assert first == again != changed and changed == f"walk {places[-1].images.fingerprint}"


def test_a_folder_that_does_not_exist_is_a_sentence(home, tmp_path):
    app = arrived("pipeline", section=view.WALK, walk_of=walk.OWN)
    app.text_input(key=walk.FOLDER).set_value(str(tmp_path / "nowhere")).run()
    assert not app.exception and app.error


def test_an_older_link_with_a_length_opens_the_section(home):
    app = arrived("pipeline", walk_length="5")
    assert not app.exception and app.query_params["section"] == view.WALK and "walk compute" in keys(app)


def test_the_map_is_bright_where_the_walk_returns():
    x = np.random.default_rng(0).normal(size=(300, 8))
    summed = closures.scores(closures.similarity(np.r_[x, x[50:150]]), length=5, exclude=10)
    figure = walk.heat("a < b", *closures.reduced(summed, walk.CELLS))
    (trace,) = figure.data
    z, at = np.asarray(trace.z), np.asarray(trace.x)
    assert z.shape[0] <= walk.CELLS and np.isnan(z[0]).all()
    row = int(np.searchsorted(at, 350))
    assert abs(at[np.nanargmax(z[row])] - 100) <= 2 * (at[1] - at[0]) and trace.name == "a &lt; b"


def test_the_curve_has_a_line_for_each_kind_of_features():
    results = closures.Matches(np.array([5, 6]), np.array([0, 3]), np.array([2.0, 1.0], np.float32))
    curve = closures.curve(results, np.array([0, 1, 2, 3, 4, 0, 9]), exclude=2, within=0)
    figure = walk.precision_recall({"one": curve, "other": curve})
    assert [trace.name for trace in figure.data] == ["one", "other"]
    assert list(figure.data[0].y) == [1, 0.5] and figure.data[0].line.dash != figure.data[1].line.dash
