"""What a map filter of the line sees: masks, regions and attentions over the query, and its ranked channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from transclipped.analysis import map_filters
from transclipped.analysis.map_filters import METHODS, Layer
from transclipped.config import DataConfig
from transclipped.datasets.images.decode import data_url, square
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.chain import Chain, chains
from transclipped.retrieval.line import Line, parse
from transclipped.retrieval.stages import STAGES
from transclipped.ui import cached, charts
from transclipped.ui.pipeline import html, ladder
from transclipped.ui.pipeline.data import Place
from transclipped.ui.pipeline.query import Subject, crisp, image_of
from transclipped.ui.text import plain
from transclipped.ui.theme import CLASS_COLOURS, NEUTRAL, RELEVANT, class_colour

SIDE = 224  # pixels of a drawing
DIM = 0.25  # of the brightness that remains outside of a mask
TINT = 0.55  # of a region's colour over the image
HEAT = 0.6  # of the scale's colour over the grey image: 0 and 1 contrast by at least 3:1 where it is equally bright
SCALE = ((0, 34, 78), (87, 93, 109), (165, 156, 116), (254, 232, 56))  # of other heat maps, Cividis, in equal steps
GREY = (0.299, 0.587, 0.114)
COLLAGES = DataConfig(dataset="collage")
STRIP = (3, 700, 1200, 1900)  # rows of collages, any
EXCITED = 10  # images of a channel
HEATED = "From dark blue, no response, to yellow, the strongest."
ATTENTIONS = "Soft attention: where an object is. Hard attention: how near its strongest place."
ABOUT = {
    "mpfa": "Bright: prominent places. *max*: some channel responds most here; *sum*: all channels together respond at "
    "least as much as at the median place. Channels that add up to most there, over the training images, stay. "
    "Choosing them by these sums is our reading of an abstract.",
    "regions": "Places with similar responses form a region, and all its places get one weight. Segmentation here is "
    "clustering, not a trained network (an FCN): our reading of an abstract.",
    "flatness": f"{HEATED} A channel that responds alike at all places counts little, one with a single peak counts "
    "fully. One scale, not several: our reading of an abstract.",
    "attention": f"{HEATED} {ATTENTIONS}",
    "utrl": f"{HEATED} {ATTENTIONS} Then channels that respond everywhere are weakened.",
}
NAMES = {
    "max": "max mask",
    "sum": "sum mask",
    "both": "either mask",
    "regions": "regions",
    "flattest": "flattest channel",
    "peaked": "most peaked channel",
    "soft": "soft attention",
    "hard": "hard attention",
    "rest": "what is left",
}
BARS = {
    "mpfa": ("channels, strongest first", "response at prominent places"),
    "flatness": ("channels of this image, most peaked first", "weight, 1 − flatness"),
    "utrl": ("channels of this image, weakest response first", "weight"),
}
PASS = (
    "Which images excite the first and the last of these channels most? That takes one more pass over the images; what "
    "is computed is kept."
)


@dataclass(frozen=True)
class Seen:
    """A filter or aggregation that can be drawn: step i of a chain."""

    chain: Chain
    i: int

    @property
    def method(self) -> str:
        return self.chain.steps[self.i].name

    @property
    def options(self) -> dict:
        return dict(self.chain.steps[self.i].options)

    @property
    def before(self) -> Line:
        """The steps before it."""
        return Line(self.chain.steps[: self.i])

    def maps(self, batches: list[np.ndarray]) -> np.ndarray:
        """The first image's maps `[C, h, w]` as they reach it."""
        x = batches[0][:1]
        for j in range(1, self.i):
            x = self.chain.applied(j, x)
        return x[0]


def draw(
    pipeline: Pipeline, place: Place, subject: Subject, *, ready: Callable[[Line, Place, str], Pipeline | None]
) -> None:
    """What the first such step of each branch sees; nothing if there is none.

    Args:
        ready: the fitted pipeline of a line, or None after drawing a button or progress.
    """
    seen = _steps(pipeline)
    if not seen:
        return
    st.header("What the line sees")
    for number, one in enumerate(seen):
        _of_step(one, number, pipeline, place, subject)
    if (ranks := next((one for one in seen if one.method == "mpfa"), None)) is not None:
        _excited(ranks, place, ready)


def _steps(pipeline: Pipeline) -> list[Seen]:
    result = []
    for chain in chains(pipeline.fitted):
        i = next((i for i, step in enumerate(chain.steps) if step.name in METHODS), None)
        if i is not None and chain.features is not None and chain.features.stage.gives == "maps":
            result.append(Seen(chain, i))
    return result


def _of_step(seen: Seen, number: int, pipeline: Pipeline, place: Place, subject: Subject) -> None:
    method, line = seen.method, str(pipeline)
    given = (_maps(line, place.key, subject.key, number, seen, subject), seen.chain.state(seen.i), seen.options)
    image, layers = image_of(place, subject), map_filters.layers(method, *given)
    st.caption(f"**{plain(method)}** · {ABOUT[method]} Source: {plain(STAGES[method].source)}.")
    st.html(html.figures([(over(image, layer), _words(layer)) for layer in layers], label="What the filter sees"))
    if layers and layers[0].weights is not None:
        names = [f"region {i + 1}: ×{weight:.2f}" for i, weight in enumerate(layers[0].weights)]
        st.html(html.legend(names, [class_colour(i) for i in range(len(names))]))
    if (ranked := map_filters.channels(method, *given)) is not None:
        key = f"{line} {place.key} {subject.key} {number}"
        figure = bars(ranked.order, ranked.values, ranked.selection, *BARS[method], key=key)
        charts.show(figure, key=f"channels {number}", name="channels")
    if place.config.dataset != COLLAGES.dataset:
        st.caption("The same on collages of two photographs.")
        st.html(html.figures(_strip(line, place.key, number, seen), label="Collages"))


@st.cache_resource(max_entries=32, show_spinner=False)
def _maps(line: str, place: str, query: str, number: int, _seen: Seen, _subject: Subject) -> np.ndarray:
    batches = _seen.chain.source.of(_seen.chain.features, _subject.query)
    return _seen.maps(list(batches))


@st.cache_data(max_entries=16, show_spinner="Looking at collages …")
def _strip(line: str, place: str, number: int, _seen: Seen) -> list[tuple[str, str]]:
    images = cached.images(cached.named_data(COLLAGES))
    features = _seen.chain.source.features(_seen.chain.features, images)
    state, drawings = _seen.chain.state(_seen.i), []
    for row in STRIP:
        maps = _seen.maps(list(features.batches(np.array([row]))))
        layer = map_filters.whole(_seen.method, maps, state, _seen.options)
        names = ", ".join(images.class_names[i] for i in np.flatnonzero(images.labels[row]))
        drawings.append((over(images.image(row), layer), names))
    return drawings


def over(image: Image.Image, layer: Layer) -> str:
    """Data URL of the square that the network sees: dark outside of a mask, or with the colours of regions or heat."""
    pixels = np.asarray(square(image.convert("RGB"), SIDE), np.float32)
    values = map_filters.enlarged(layer, SIDE)[..., None]  # [SIDE, SIDE, 1]
    if layer.region is not None:
        palette = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in CLASS_COLOURS], np.float32)
        h, w = layer.region.shape
        places = layer.region[np.arange(SIDE)[:, None] * h // SIDE, np.arange(SIDE) * w // SIDE]
        drawing = (1 - TINT) * pixels + TINT * palette[places % len(palette)]
    elif layer.bordered:
        drawing = pixels * (DIM + (1 - DIM) * values)
    else:
        drawing = (1 - HEAT) * (pixels @ GREY)[..., None] + HEAT * _heat(values)
    return data_url(Image.fromarray(drawing.round().astype(np.uint8)), exact=False)


def _heat(values: np.ndarray) -> np.ndarray:
    """Colours `[H, W, 3]` on `SCALE` of values `[H, W, 1]` in [0, 1]."""
    stops = np.linspace(0, 1, len(SCALE))
    return np.concatenate([np.interp(values, stops, channel) for channel in zip(*SCALE, strict=True)], -1)


def _words(layer: Layer) -> str:
    return NAMES[layer.name] + (f" {layer.channel}" if layer.channel is not None else "")


@charts.cached_figure
def bars(order: np.ndarray, values: np.ndarray, selection: np.ndarray, x: str, y: str, *, key: str) -> go.Figure:
    """Channels `[C]` by falling value, as in `Channels`: blue what is kept, grey what is not."""
    figure = go.Figure()
    for name, chosen, colour in (("kept", selection, RELEVANT), ("dropped", ~selection, NEUTRAL)):
        if chosen.any():
            places = np.flatnonzero(chosen) + 1
            text = [f"channel {channel}" for channel in order[chosen].tolist()]
            more = {"marker": {"color": colour, "line": {"width": 0}}, "hovertext": text}
            figure.add_bar(x=places, y=values[chosen], name=name, **more)
    figure.update_layout(bargap=0)
    return charts.set_layout(figure, x, y, key=key, showlegend=bool((~selection).any()))


def _excited(seen: Seen, place: Place, ready: Callable[[Line, Place, str], Pipeline | None]) -> None:
    """The images whose mean response in the first and the last ranked channel of mpfa is largest."""
    fitted = ready(parse(f"{seen.before} | mean"), place, PASS)
    if fitted is None:
        return
    order, chain = map_filters.accumulated(seen.chain.state(seen.i)).order, chains(fitted.fitted)[0]
    means = chain.vectors(chain.pooling, "database")
    for name, channel in (("first", int(order[0])), ("last", int(order[-1]))):
        st.caption(f"The {EXCITED} images that excite the {name} channel, {channel:d}, most.")
        rows = np.argsort(-means[:, channel], kind="stable")[:EXCITED]
        cells = ladder.row_cells(rows, fitted, place)
        st.html(html.row(cells, label=f"Images that excite the {name} channel", crisp=crisp(place)))
