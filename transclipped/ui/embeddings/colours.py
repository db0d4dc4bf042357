"""Colours of a map's points: by class, codeword, average precision, or by what the run's rule clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections
from transclipped.analysis.maps.store import Items
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.text import plain
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, class_colour

CODEWORDS = 10  # most frequent codewords, which get colours
TYPICAL = 2  # images of a codeword in the legend
OTHERS, KEPT = "others", "kept as negatives"  # of the legend; drawn faintly, below the rest
CLIPPED, ANCHOR = "clipped", "the anchor"
STEPS = 32  # colours of a value in [0, 1]
RAMP = ("#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838")  # cividis: even for colour-blind eyes


@dataclass(frozen=True)
class Colouring:
    """The colour of every item.

    Attributes:
        index: `[n]` uint16, an entry of the legend.
        legend: names and colours.
        ramp: names of the ends of a scale, where the legend is one.
        values: text for each item, where the legend is a scale.
        named: whether the entries are names that may stand on the map.
        typical: rows of images of each entry, for the legend.
    """

    index: np.ndarray
    legend: tuple[tuple[str, str], ...]
    ramp: tuple[str, str] | None = None
    values: tuple[str, ...] | None = None
    named: bool = False
    typical: tuple[tuple[int, ...], ...] | None = None


def label_name(label: int, class_names: list[str]) -> str:
    return class_names[label] if 0 <= label < len(class_names) else str(label)


def by_class(items: Items, class_names: list[str]) -> Colouring:
    """A colour for each class present; of several labels the first counts, no label is grey."""
    labels = items.labels
    first = labels if labels.ndim == 1 else np.where(labels.any(1), labels.argmax(1), -1)
    present = np.unique(first)
    entries = []
    for label in present.tolist():
        entry = (label_name(label, class_names), class_colour(label))
        entries.append(("no label", NEUTRAL) if label < 0 else entry)
    return Colouring(np.searchsorted(present, first).astype(np.uint16), tuple(entries), named=True)


def by_codeword(items: Items, codebook: int) -> Colouring:
    """The most frequent codewords of a codebook have colours, the others share grey."""
    codes = items.codes[:, codebook]
    words, counts = np.unique(codes, return_counts=True)
    top = words[np.lexsort((words, -counts))][:CODEWORDS].tolist()
    index = np.full(len(codes), len(top), np.uint16)
    for entry, word in enumerate(top):
        index[codes == word] = entry
    entries = [(f"codeword {word}", class_colour(i)) for i, word in enumerate(top)]
    typical = [tuple(projections.typical_items(items, codebook, word, TYPICAL)) for word in top]
    if (index == len(top)).any():
        entries.append((OTHERS, NEUTRAL))
        typical.append(())
    return Colouring(index, tuple(entries), typical=tuple(typical))


def by_value(values: np.ndarray, name: str, *, top: float = 1.0) -> Colouring:
    """A scale for values `[n]` in [0, `top`], which is positive."""
    index = np.clip(np.nan_to_num(values / top) * STEPS, 0, STEPS - 1).astype(np.uint16)
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in RAMP])
    at = np.linspace(0, len(RAMP) - 1, STEPS)
    mixed = np.stack([np.interp(at, np.arange(len(RAMP)), stops[:, c]) for c in range(3)], 1).round().astype(int)
    legend = tuple(("", f"#{r:02x}{g:02x}{b:02x}") for r, g, b in mixed.tolist())
    return Colouring(index, legend, (f"{name} 0", f"{top:.2g}"), tuple(f"{name} {value:.2f}" for value in values))


def by_clipping(clipped: np.ndarray, anchor: int | None) -> Colouring:
    """What a rule clips for an anchor, `[n]` bool; the anchor is the row of an item or none of them."""
    index = np.where(clipped, 0, 1).astype(np.uint16)
    entries = [(CLIPPED, IRRELEVANT), (KEPT, NEUTRAL)]
    if anchor is not None:
        index[anchor] = len(entries)
        entries.append((ANCHOR, RELEVANT))
    return Colouring(index, tuple(entries))


def colouring(run: RunDir, subject, choice: str) -> Colouring:
    """Colours of a subject's items by "class", "average precision", or "codebook 1" and so on."""
    if choice == "class":
        return by_class(subject.items, subject.class_names)
    if choice == "average precision":
        return by_value(item_precision(subject.version, run.metrics()["k"], run, subject.items), "AP")
    return by_codeword(subject.items, int(choice.removeprefix("codebook ")) - 1)


def clipping(run: RunDir, subject, *, row: int | None, query: np.ndarray | None) -> tuple[Colouring, str]:
    """Colours of a subject's items by what the run's rule clips, and a caption.

    Args:
        row: the item that is the anchor; if None, `query` `[D]` is, which is no item; if that is None too, all items.

    Raises:
        InputError: the embeddings that the rule compares are missing.
    """
    config, items, n = run.config.clipping, subject.items, len(subject.items)
    rule = f"*{plain(config.rule)}*"
    if config.rule in RULES and not RULES[config.rule].clips:
        return by_clipping(np.zeros(n, bool), None), f"The rule of this run, {rule}, clips no pair."
    vectors = map_clipping.looked_at(items, config)
    batch = f"if these {n:,} images were one batch. The rule compares their {config.on} embeddings and uses no labels."
    if row is None and query is None:
        shares = clipped_shares(subject.version, repr(config), config, vectors)
        anchors = f"{map_clipping.ANCHORS:,} random" if n > map_clipping.ANCHORS else "the"
        caption = (
            f"Colour: for what share of {anchors} other images the rule {rule} would clip an image, {batch} "
            "Click a point to make it the anchor."
        )
        return by_value(shares, "share", top=float(shares.max()) or 1.0), caption
    anchor = row if row is not None else map_clipping.query_for_rule(cached.arrays(run), query, config)
    clipped = map_clipping.false_negatives(vectors, config, anchor=anchor)
    caption = f"**{clipped.sum():,} clipped**: false negatives of the query by the rule {rule}, {batch}"
    return by_clipping(clipped, row), caption


@st.cache_data(max_entries=12, show_spinner="Querying with every image …")
def item_precision(version: str, k: int, _run: RunDir, _items: Items) -> np.ndarray:
    """AP@K of every item as the query."""
    return projections.item_average_precision(cached.arrays(_run), _items, k=k)


@st.cache_data(max_entries=12, show_spinner="Querying with every image …")
def clipped_shares(version: str, rule: str, _config: ClippingConfig, _vectors: np.ndarray) -> np.ndarray:
    """How often a rule clips each item."""
    return map_clipping.share_of_anchors(_vectors, _config)
