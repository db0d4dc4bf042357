"""Colours of a map's points: by class, codeword, average precision, or by what the run's rule clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections
from transclipped.analysis.maps.projections import Items
from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.text import plain
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, class_colour

CODEWORDS = 9  # most frequent ones that get a colour of their own
OTHERS, KEPT = "others", "kept as negatives"  # of the legend; drawn faintly, below the rest
CLIPPED, ANCHOR = "clipped", "the anchor"
STEPS = 32  # colours of a value in [0, 1]
RAMP = ("#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838")  # cividis: even for colour-blind eyes


@dataclass(frozen=True)
class Colouring:
    """Which colour every item has.

    Attributes:
        index: `[n]` uint16, an entry of the legend.
        legend: names and colours.
        ramp: names of the ends of a scale, where the legend is one.
        values: text for each item, where the legend is a scale.
    """

    index: np.ndarray
    legend: tuple[tuple[str, str], ...]
    ramp: tuple[str, str] | None = None
    values: tuple[str, ...] | None = None


def by_class(shown: Items, class_names: list[str]) -> Colouring:
    """A colour for each class that is there; an item of several labels takes its first, one of none is grey."""
    labels = shown.labels
    first = labels if labels.ndim == 1 else np.where(labels.any(1), labels.argmax(1), -1)
    there = np.unique(first)
    entries = []
    for label in there.tolist():
        known = class_names[label] if 0 <= label < len(class_names) else str(label)
        entries.append(("no label", NEUTRAL) if label < 0 else (known, class_colour(label)))
    return Colouring(np.searchsorted(there, first).astype(np.uint16), tuple(entries))


def by_codeword(shown: Items, codebook: int) -> Colouring:
    """The most frequent codewords of a codebook have colours, the others share grey."""
    codes = shown.codes[:, codebook]
    words, counts = np.unique(codes, return_counts=True)
    top = words[np.lexsort((words, -counts))][:CODEWORDS].tolist()
    index = np.full(len(codes), len(top), np.uint16)
    for place, word in enumerate(top):
        index[codes == word] = place
    palette = [class_colour(i) for i in (0, 1, 2, 4, 5, 6, 7, 8, 9)]  # without the grey one
    entries = [(f"codeword {word}", palette[place]) for place, word in enumerate(top)]
    if (index == len(top)).any():
        entries.append((OTHERS, NEUTRAL))
    return Colouring(index, tuple(entries))


def by_value(values: np.ndarray, name: str, *, top: float = 1.0) -> Colouring:
    """A scale for values `[n]` in [0, `top`], which is positive."""
    index = np.clip(np.nan_to_num(values / top) * STEPS, 0, STEPS - 1).astype(np.uint16)
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in RAMP])
    at = np.linspace(0, len(RAMP) - 1, STEPS)
    mixed = np.stack([np.interp(at, np.arange(len(RAMP)), stops[:, c]) for c in range(3)], 1).round().astype(int)
    legend = tuple(("", f"#{r:02x}{g:02x}{b:02x}") for r, g, b in mixed.tolist())
    return Colouring(index, legend, (f"{name} 0", f"{top:.2g}"), tuple(f"{name} {value:.2f}" for value in values))


def by_clipping(taken: np.ndarray, anchor: int | None) -> Colouring:
    """Which items `[n]` bool a rule takes for false negatives of an anchor, the row of an item or none of them."""
    index = np.where(taken, 0, 1).astype(np.uint16)
    entries = [(CLIPPED, IRRELEVANT), (KEPT, NEUTRAL)]
    if anchor is not None:
        index[anchor] = len(entries)
        entries.append((ANCHOR, RELEVANT))
    return Colouring(index, tuple(entries))


def colouring(run: RunDir, shown: Items, version: str, choice: str, *, names: list[str]) -> Colouring:
    """The colours that a visitor chose: "class", "average precision", or "codebook 1" and so on.

    Args:
        names: of the classes.
    """
    if choice == "class":
        return by_class(shown, names)
    if choice == "average precision":
        return by_value(item_precision(version, run.metrics()["k"], run, shown), "AP")
    return by_codeword(shown, int(choice.removeprefix("codebook ")) - 1)


def clipping(
    run: RunDir, shown: Items, version: str, *, row: int | None = None, query: np.ndarray | None = None
) -> tuple[Colouring, str]:
    """Colours of what the run's rule clips, and the sentence that says what they are.

    Args:
        row: of the item that is the anchor; if None, `query`, a stored one `[D]` that is no item; if None, all are.

    Raises:
        InputError: the embeddings that the rule looks at are not there.
    """
    config, n = run.config.clipping, len(shown)
    rule = f"*{plain(config.rule)}*"
    if config.rule in ("none", "debiased"):
        nothing = np.zeros(n, bool)
        return by_clipping(nothing, None), f"This run's rule is {rule}: it clips no pair, so all are kept."
    vectors = map_clipping.looked_at(shown, config)
    how = f"if these {n:,} images were one batch; it goes by their {config.on} embeddings, labels are not used."
    if row is None and query is None:
        shares = clipped_shares(version, repr(config), config, vectors)
        drawn = f"{map_clipping.ANCHORS:,} of the others, drawn at random,"
        asked = "the others" if n <= map_clipping.ANCHORS else drawn
        said = f"Colour: for what share of {asked} the rule {rule} would clip an image, {how} "
        return by_value(shares, "share", top=float(shares.max()) or 1.0), said + "Click a point to see it from there."
    stored = cached.arrays(run)
    anchor = row if row is not None else map_clipping.seen_query(stored, query, config)
    taken = map_clipping.taken(vectors, config, anchor=anchor)
    said = f"**{taken.sum():,} clipped**: what the rule {rule} would take for false negatives of the query, "
    return by_clipping(taken, row), said + how


@st.cache_data(max_entries=12, show_spinner="Asking with every image …")
def item_precision(version: str, k: int, _run: RunDir, _shown: Items) -> np.ndarray:
    """AP@K of every item as the query."""
    stored = cached.arrays(_run)
    return projections.item_average_precision(stored, _shown, k=k)


@st.cache_data(max_entries=12, show_spinner="Asking with every image …")
def clipped_shares(version: str, rule: str, _config: ClippingConfig, _vectors: np.ndarray) -> np.ndarray:
    """How often a rule clips each item."""
    return map_clipping.share_of_anchors(_vectors, _config)
