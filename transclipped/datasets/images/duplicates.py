"""Duplicates: files with the same content, and images that look the same although their files differ.

A sketch of an image is 128 bits, 4 × 4 colours and its detail. The bits encode whether brightness rises from each cell
of a 9 × 9 grid to its right and to its lower neighbour (difference hash); resizing and recompression change few of
them. Two images look the same if at most `BITS` bits differ, their colours hardly differ, and their details correlate.
Colours separate flat images, whose bits are all 0; details separate pages of text and dark images. In a group every
image looks like every other one, so that a chain of similar neighbours is not one group.

All pairs are found without comparing all: the 128 bits are cut into `BITS` + 1 bands, and two sketches that differ in
at most `BITS` bits agree in at least one band.

References:
    Krawetz, "Kind of Like That", 2013 (difference hash).
    Manku, Jain, Sarma, "Detecting near-duplicates for web crawling", WWW 2007 (bands).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

BITS = 10  # of 128
COLOUR = 10.0  # mean difference of the colours, of 255
DETAIL = 0.8  # correlation of the details
FLAT = 0.5  # standard deviation of the detail, of 255, below which it counts as none
SIDE, PATCH = 32, 8  # cells per side of the detail, and of the patches whose mean is subtracted
STEPS = 31  # of an int8 per standard deviation of the detail
RISE = 1  # minimum difference of grey levels, of 255
BLOCK = 1 << 21  # pairs of sketches compared at once; 100 MB


class Sketch(NamedTuple):
    """bits `[16]` uint8; colours `[48]` uint8; detail `[1024]` int8, all 0 for none."""

    bits: np.ndarray
    colours: np.ndarray
    detail: np.ndarray


def sketch(image: Image.Image) -> Sketch:
    """Sketch of an RGB image of any size."""
    small = image.resize((36, 36), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L").resize((9, 9), Image.Resampling.BOX), np.int16)
    right = grey[:8, 1:] > grey[:8, :-1] + RISE
    down = grey[1:, :8] > grey[:-1, :8] + RISE
    colours = np.asarray(small.resize((4, 4), Image.Resampling.BOX)).reshape(-1)
    return Sketch(np.packbits(np.concatenate([right.ravel(), down.ravel()])), colours, _detail(image))


def _detail(image: Image.Image) -> np.ndarray:
    """Brightness of 32 × 32 cells minus the mean of their patch, divided by the standard deviation."""
    grey = image.convert("L").convert("F").resize((SIDE, SIDE), Image.Resampling.BOX)
    patches = np.asarray(grey).reshape(SIDE // PATCH, PATCH, SIDE // PATCH, PATCH)
    detail = (patches - patches.mean(axis=(1, 3), keepdims=True)).reshape(-1)
    deviation = float(detail.std())
    if deviation < FLAT:
        return np.zeros(SIDE * SIDE, np.int8)
    return (detail * (STEPS / deviation)).round().clip(-127, 127).astype(np.int8)


def exact(contents: Sequence[str]) -> list[list[int]]:
    """Groups of two or more rows with the same content hash, by first row; rows with an empty hash are skipped."""
    rows = defaultdict(list)
    for row, content in enumerate(contents):
        if content:
            rows[content].append(row)
    return [group for group in rows.values() if len(group) > 1]


def near(bits: np.ndarray, colours: np.ndarray, details: np.ndarray) -> list[list[int]]:
    """Groups of two or more rows that all look alike, by first row; a row joins the first group that it fits.

    The arguments are the stacked parts of n sketches.
    """
    n = len(bits)
    if n < 2:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = []
    for one, other in _candidates(bits, colours):
        close = np.abs(colours[one].astype(np.float32) - colours[other]).mean(1) <= COLOUR
        pairs.append(np.stack([one[close], other[close]]))
    edges = np.concatenate(pairs, axis=1)
    _, label = connected_components(coo_array((np.ones(edges.shape[1]), edges), shape=(n, n)), directed=False)
    order = np.argsort(label, kind="stable")
    chains = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    groups = (_all_alike(chain, bits, colours, details) for chain in chains if len(chain) > 1)
    return sorted(group for parts in groups for group in parts if len(group) > 1)


def _all_alike(rows: np.ndarray, bits: np.ndarray, colours: np.ndarray, details: np.ndarray) -> list[list[int]]:
    """Groups of `rows`, ascending, that all look alike; equal sketches count as one."""
    equal = defaultdict(list)
    for row in rows.tolist():
        equal[bits[row].tobytes() + colours[row].tobytes() + details[row].tobytes()].append(row)
    firsts = np.array([same[0] for same in equal.values()])
    words, shades = np.ascontiguousarray(bits[firsts]).view(np.uint64), colours[firsts].astype(np.float32)
    member_of = np.empty(len(firsts), np.int64)
    count = 0
    for i in range(len(firsts)):
        close = _ones(words[:i] ^ words[i]).sum(1) <= BITS
        close[close] = np.abs(shades[:i][close] - shades[i]).mean(1) <= COLOUR
        close[close] = _agree(details[firsts[:i][close]], details[firsts[i]])
        fits = np.flatnonzero(np.bincount(member_of[:i][~close], minlength=count)[:count] == 0)
        member_of[i] = fits[0] if len(fits) else count
        count = max(count, int(member_of[i]) + 1)
    groups: list[list[int]] = [[] for _ in range(count)]
    for group, same in zip(member_of.tolist(), equal.values(), strict=True):
        groups[group] += same
    return [sorted(group) for group in groups]


def _agree(details: np.ndarray, detail: np.ndarray) -> np.ndarray:
    """Whether details `[m, 1024]` correlate with another one, or both are empty."""
    x, y = details.astype(np.float32), detail.astype(np.float32)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y)
    return np.where(lengths > 0, x @ y >= DETAIL * lengths, x.any(axis=1) == y.any())


def _candidates(bits: np.ndarray, colours: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose bits are close enough, in blocks.

    Rows with equal bits and colours equal to 8 levels count as one; a thousand black frames would be a million pairs.
    Only rows whose mean colours differ by at most `COLOUR` are compared.
    """
    _, first, inverse = np.unique(np.hstack([bits, colours >> 3]), axis=0, return_index=True, return_inverse=True)
    yield first[inverse.reshape(-1)], np.arange(len(bits))
    mean = colours[first].mean(1)
    first = first[np.argsort(mean, kind="stable")]  # from dark to bright
    mean = np.sort(mean)
    words = np.ascontiguousarray(bits[first]).view(np.uint64)  # [m, 2]
    for members in _bands(bits[first]):
        reach = np.searchsorted(mean[members], mean[members] + COLOUR, side="right")
        start = 0
        while start < len(members):
            stop = min(len(members), start + max(1, BLOCK // (int(reach[start]) - start + 1)))
            near = members[start : int(reach[stop - 1])]
            distance = _ones(words[members[start:stop], None] ^ words[None, near]).sum(2)  # [block, near]
            one, other = np.nonzero(distance <= BITS)
            later = one < other
            yield first[members[start + one[later]]], first[near[other[later]]]
            start = stop


def _bands(bits: np.ndarray) -> Iterator[np.ndarray]:
    """Sets of two or more rows, ascending, that agree in a band; neighbouring bits, which correlate, are in
    different bands."""
    unpacked = np.unpackbits(bits, axis=1)
    for number in range(BITS + 1):
        band = unpacked[:, number :: BITS + 1]
        keys = band @ (1 << np.arange(band.shape[1], dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        breaks = np.flatnonzero(np.diff(keys[order])) + 1
        yield from (members for members in np.split(order, breaks) if len(members) > 1)


def _ones(words: np.ndarray) -> np.ndarray:
    """Bits set in each uint64."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(words)
    return np.unpackbits(words[..., None].view(np.uint8), axis=-1).sum(-1)
