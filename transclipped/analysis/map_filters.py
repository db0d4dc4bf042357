"""What filters of feature maps see in one image: masks, regions, attentions and channels, to be drawn over it.

`regions` and the choice of channels in `mpfa` are our reading of abstracts; in `regions` clusters take the place of a
segmenting network. See the filters themselves for the formulas and their sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from transclipped.retrieval.aggregation import utrl
from transclipped.retrieval.checks import places
from transclipped.retrieval.filters import flatness, mpfa, regions
from transclipped.retrieval.stages import State

METHODS = ("mpfa", "regions", "flatness", "attention", "utrl")  # what can be drawn
READINGS = ("mpfa", "regions", "flatness")  # reconstructed from an abstract


@dataclass(frozen=True)
class Layer:
    """Something to draw over an image.

    Attributes:
        name: "max", "sum", "both", "regions", "flattest", "peaked", "soft", "hard" or "rest".
        values: `[h, w]` float32 in [0, 1]; of regions, their weight over the largest.
        bordered: whether a place ends at its border, or values pass smoothly from place to place.
        channel: of a single channel, its number.
        region: `[h, w]` number of the region of each place, numbered from 0 by falling weight.
        weights: `[R]` of the regions.
    """

    name: str
    values: np.ndarray
    bordered: bool = False
    channel: int | None = None
    region: np.ndarray | None = None
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Channels:
    """Channels by falling value.

    Attributes:
        order: `[C]` numbers of the channels; equal values keep the order of numbers.
        values: `[C]` in that order. selection: `[C]` bool, whether the filter lets a channel pass.
    """

    order: np.ndarray
    values: np.ndarray
    selection: np.ndarray


def layers(method: str, maps: np.ndarray, state: State, options: Mapping[str, Any]) -> list[Layer]:
    """What a filter sees in one image.

    Args:
        method: of `METHODS`. maps: `[C, h, w]` as they reach it. state: what it has learned.
    """
    x = places(np.asarray(maps)[None])  # [1, h, w, C]
    return {"mpfa": _masks, "regions": _regions, "flatness": _flatness}.get(method, _attentions)(x, state, options)


def whole(method: str, maps: np.ndarray, state: State, options: Mapping[str, Any]) -> Layer:
    """All that a filter sees in one image as one layer: its mask, its regions, or the response that it leaves."""
    parts = layers(method, maps, state, options)
    x = places(np.asarray(maps)[None])
    if method == "mpfa":
        return next(part for part in parts if part.name == options["mask"])
    if method == "regions":
        return parts[0]
    if method == "flatness":
        return Layer("rest", _scaled((x * flatness.weights(x)[:, None, None]).sum(3)[0]))
    return Layer("rest", _scaled(sum(part.values for part in parts)))


def channels(method: str, maps: np.ndarray, state: State, options: Mapping[str, Any]) -> Channels | None:
    """Channels by what a filter weighs them with: over the training images (mpfa), or in this image; None if it does
    not look at channels."""
    x = places(np.asarray(maps)[None])
    if method == "mpfa":
        return accumulated(state)
    if method == "flatness":
        values = flatness.weights(x)[0]
        selection = values > 0
    elif method == "utrl":
        attended = x * sum(utrl.attentions(x, state["channels"], faithful=options["faithful"]))[..., None]
        values = np.where(attended.any((0, 1, 2)), utrl.channel_weights(attended)[0], 0)
        selection = values > 0
    else:
        return None
    return _ranked(values, selection)


def accumulated(state: State) -> Channels:
    """Channels by their responses at prominent places of the training images, p_c of mpfa."""
    values = np.asarray(state["sums"])
    return _ranked(values, np.isin(np.arange(len(values)), state["channels"]))


def _ranked(values: np.ndarray, selection: np.ndarray) -> Channels:
    order = np.argsort(-values, kind="stable")
    return Channels(order, values[order], selection[order])


def enlarged(layer: Layer, side: int) -> np.ndarray:
    """A layer's values `[side, side]` float32 in [0, 1]: nearest place if it is bordered, else bicubic."""
    how = Image.Resampling.NEAREST if layer.bordered else Image.Resampling.BICUBIC
    image = Image.fromarray(np.asarray(layer.values, np.float32)).resize((side, side), how)
    return np.asarray(image).clip(0, 1)


def _masks(x: np.ndarray, state: State, options: Mapping[str, Any]) -> list[Layer]:
    flat = x.reshape(1, -1, x.shape[3])
    masks = {name: mpfa.prominent(flat, name).reshape(x.shape[1:3]) for name in mpfa.MASKS}
    return [Layer(name, mask.astype(np.float32), bordered=True) for name, mask in masks.items()]


def _regions(x: np.ndarray, state: State, options: Mapping[str, Any]) -> list[Layer]:
    labels = regions.labels(x, options["groups"])
    weights = regions.weights(x, labels)[0]  # [h, w]
    present = np.unique(labels)
    of_label = np.array([weights[labels[0] == label][0] for label in present])
    order = np.argsort(-of_label, kind="stable")
    number = np.empty(len(present), np.int64)
    number[order] = np.arange(len(present))
    region = number[np.searchsorted(present, labels[0])]
    values = _scaled(weights)
    return [Layer("regions", values, bordered=True, region=region, weights=of_label[order])]


def _flatness(x: np.ndarray, state: State, options: Mapping[str, Any]) -> list[Layer]:
    weights = np.where(x.any((0, 1, 2)), flatness.weights(x)[0], np.nan)
    if np.isnan(weights).all():
        return []
    chosen = {"flattest": int(np.nanargmin(weights)), "peaked": int(np.nanargmax(weights))}
    return [Layer(name, _scaled(x[0, ..., c]), channel=c) for name, c in chosen.items()]


def _attentions(x: np.ndarray, state: State, options: Mapping[str, Any]) -> list[Layer]:
    soft, hard = utrl.attentions(x, state["channels"], faithful=options["faithful"])
    return [Layer("soft", _scaled(soft[0])), Layer("hard", _scaled(hard[0]))]


def _scaled(values: np.ndarray) -> np.ndarray:
    """Non-negative `[h, w]` over their largest, float32 in [0, 1]."""
    return (values / max(float(values.max()), 1e-12)).astype(np.float32)
