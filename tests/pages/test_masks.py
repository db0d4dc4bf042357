"""What map filters see, on the Pipeline page: drawings and numbers are the library's."""

import base64
import io
import json
import time

import numpy as np
import pytest
from PIL import Image
from plotly.colors import sequential

import transclipped as tc
from tests.pages.conftest import arrived, keys, words
from transclipped.analysis import map_filters
from transclipped.config import DataConfig
from transclipped.retrieval.chain import chains
from transclipped.ui.pipeline import data, editor, html, masks

SMALL = DataConfig(dataset="cifar10", train_limit=40, database_limit=40, query_limit=3)


@pytest.fixture(autouse=True)
def small(home, own_pipelines, monkeypatch):
    monkeypatch.setitem(data.CONFIGS, data.CIFAR, SMALL)


@pytest.fixture
def drawn(monkeypatch):
    """Words of drawings, cells of rows and names of legends that were drawn last, by their label."""
    result, figures, row, legend = {}, html.figures, html.row, html.legend

    def of_figures(drawings, *, label):
        result[label] = [words for url, words in drawings if url.startswith("data:image/")]
        return figures(drawings, label=label)

    def of_row(cells, *, label, crisp):
        result[label] = cells
        return row(cells, label=label, crisp=crisp)

    def of_legend(names, colours):
        result["legend"] = list(names)
        return legend(names, colours)

    for name, function in (("figures", of_figures), ("row", of_row), ("legend", of_legend)):
        monkeypatch.setattr(html, name, function)
    return result


def computed(line):
    app = arrived("pipeline", pipe=line, pipe_data="cifar10", pipe_query="1")
    app.button(key="compute").click().run()
    return app


def until(app, condition):
    deadline = time.monotonic() + 120
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
        app.run()
    assert not app.exception and not app.error and condition()
    return app


def seen(line):
    """The library's maps of the same query, state and options of the first step that is drawn."""
    pipeline = tc.Pipeline(line).fit(SMALL)
    chain, source = chains(pipeline.fitted)[0], pipeline.source
    identity = source.images.ids[source.split.query[1]].item()
    step = next(i for i, step in enumerate(chain.steps) if step.name in map_filters.METHODS)
    maps = next(iter(source.of(chain.features, identity)))[0]
    return pipeline, maps, chain.state(step), dict(chain.steps[step].options)


def test_masks_bars_and_the_images_that_excite_a_channel(drawn):
    line = "stem16(64) | mpfa(0.25) | mean | l2"
    app = until(computed(line), lambda: "Collages" in drawn)
    _, maps, state, options = seen(line)
    layers = map_filters.layers("mpfa", maps, state, options)
    assert drawn["What the filter sees"] == [masks.NAMES[layer.name] for layer in layers]
    assert len(drawn["Collages"]) == len(masks.STRIP)
    ranked = map_filters.accumulated(state)
    spec = json.loads(app.main.get("plotly_chart")[0].proto.spec)
    assert [len(bar["hovertext"]) for bar in spec["data"]] == [ranked.selection.sum(), (~ranked.selection).sum()]
    assert spec["data"][0]["hovertext"][0] == f"channel {ranked.order[0]}"
    app.button(key="compute").click().run()
    until(app, lambda: "Images that excite the last channel" in drawn)
    mean = tc.Pipeline("stem16(64) | mean").fit(SMALL)
    values = mean.fitted.vectors(mean.fitted.pooling, "database")
    for name, channel in (("first", ranked.order[0]), ("last", ranked.order[-1])):
        rows = np.argsort(-values[:, channel], kind="stable")[: masks.EXCITED]
        names = [cell.name for cell in drawn[f"Images that excite the {name} channel"]]
        assert names == [mean.source.described(row)[1][0] for row in rows.tolist()]


def test_regions_have_a_legend_of_weights_and_say_that_they_are_clusters(drawn):
    line = "stem16(64) | regions(3) | mean | l2"
    app = until(computed(line), lambda: "Collages" in drawn)
    _, maps, state, options = seen(line)
    (layer,) = map_filters.layers("regions", maps, state, options)
    assert [name.split("×")[1] for name in drawn["legend"]] == [f"{weight:.2f}" for weight in layer.weights]
    assert "clustering" in words(app) and "compute" not in keys(app)


@pytest.mark.parametrize(
    "line",
    ["stem16(64) | flatness | mean | l2", "stem16(64) | utrl | l2", "rrf(stem16(64) | attention | max + lighting)"],
)
def test_layers_of_other_methods_have_their_names(drawn, line):
    until(computed(line), lambda: "Collages" in drawn)
    _, maps, state, options = seen(line)
    method = next(name for name in map_filters.METHODS if f" {name} " in line)
    layers = map_filters.layers(method, maps, state, options)
    assert drawn["What the filter sees"] == [masks._words(layer) for layer in layers] and len(layers) == 2


def test_a_line_without_map_filters_draws_nothing(drawn):
    app = arrived("pipeline")
    assert "What the filter sees" not in drawn and not app.exception


def test_every_method_has_an_example_words_and_a_note_where_it_is_a_reading():
    lines = editor.EXAMPLES.values()
    assert {*map_filters.METHODS} == {*masks.ABOUT}
    for method in map_filters.READINGS:
        assert "our reading" in masks.ABOUT[method] and any(f"| {method}" in line for line in lines)


@pytest.mark.parametrize("grey", [0, 60, 128, 200, 255])
def test_where_a_layer_is_strong_stands_out_if_the_image_is_equally_bright(grey):
    values = np.zeros((4, 4), np.float32)
    values[:, 2:] = 1
    layer = map_filters.Layer("rest", values)
    drawing = data_image(masks.over(Image.new("RGB", (300, 200), (grey,) * 3), layer))
    weak, strong = (luminance(drawing[100, x]) for x in (10, masks.SIDE - 10))
    assert (strong + 0.05) / (weak + 0.05) >= 3


def data_image(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB"))


def luminance(colour):
    """Of WCAG 2, from sRGB bytes."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.asarray(colour) / 255]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_heat_follows_the_scale_of_other_heat_maps():
    colours = [tuple(int(text[i : i + 2], 16) for i in (1, 3, 5)) for text in sequential.Cividis[::3]]
    values = np.array([[[0.0], [1 / 3], [0.5], [1.0]]])
    expected = [colours[0], colours[1], np.mean(colours[1:3], 0), colours[3]]
    np.testing.assert_allclose(masks._heat(values)[0], expected, atol=1e-4)
