"""Duplicates: files with the same content, and pictures that look the same although their files differ.

A sketch of a picture is 128 bits and 4 × 4 colours. The bits tell whether brightness rises from each cell of a
9 × 9 grid to its right and to its lower neighbour (difference hash); resizing and recompression change few of
them. Two pictures look the same if at most `BITS` bits differ and their colours hardly do: the second test keeps
apart flat pictures, whose bits are all 0.

All pairs are found without comparing all: 128 bits cut into `BITS` + 1 bands, and two sketches that differ in at
most `BITS` bits agree in one band at least.

References:
    Krawetz, "Kind of Like That", 2013 (difference hash).
    Manku, Jain, Sarma, "Detecting near-duplicates for web crawling", WWW 2007 (bands).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

BITS = 10  # of 128
COLOUR = 10.0  # mean difference of the colours, of 255
RISE = 1  # grey levels of 255 that count as brighter
BLOCK = 1 << 21  # pairs of sketches compared at once, 100 MB


def sketch(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Bits `[16]` uint8 and colours `[48]` uint8 of an RGB picture of any size."""
    small = picture.resize((36, 36), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L").resize((9, 9), Image.Resampling.BOX), np.int16)
    right = grey[:8, 1:] > grey[:8, :-1] + RISE
    down = grey[1:, :8] > grey[:-1, :8] + RISE
    colours = np.asarray(small.resize((4, 4), Image.Resampling.BOX)).reshape(-1)
    return np.packbits(np.concatenate([right.ravel(), down.ravel()])), colours


def exact(contents: Sequence[str]) -> list[list[int]]:
    """Groups of two or more rows with the same content, in the order of their first rows.

    Args:
        contents: a hash of each row's content; empty for rows that were not read.
    """
    rows = defaultdict(list)
    for row, content in enumerate(contents):
        if content:
            rows[content].append(row)
    return [group for group in rows.values() if len(group) > 1]


def near(bits: np.ndarray, colours: np.ndarray) -> list[list[int]]:
    """Groups of two or more rows that look the same, directly or by way of others, in the order of their first rows.

    Args:
        bits: `[n, 16]` uint8.
        colours: `[n, 48]` uint8.
    """
    n = len(bits)
    if n < 2:
        return []
    alike = colours.astype(np.float32)
    parent = list(range(n))
    for one, other in _candidates(bits, colours):
        close = np.abs(alike[one] - alike[other]).mean(1) <= COLOUR
        for a, b in zip(one[close].tolist(), other[close].tolist(), strict=True):
            _join(parent, a, b)
    groups = defaultdict(list)
    for row in range(n):
        groups[_root(parent, row)].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(bits: np.ndarray, colours: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose bits are close enough, in blocks.

    Rows with equal bits, whose colours agree to 8 levels, count as one: a thousand black frames are no million pairs.
    Colours that differ by `COLOUR` at most have means that do, so only such are compared.
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
    """Sets of two or more rows, ascending, that agree in one of the bands; neighbouring bits, which often agree
    with each other, fall into different bands."""
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


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def _join(parent: list[int], a: int, b: int) -> None:
    low, high = sorted((_root(parent, a), _root(parent, b)))
    parent[high] = low


def named(groups: Iterable[list[int]], ids: np.ndarray) -> list[list[str]]:
    """Groups of rows as groups of ids."""
    return [[str(ids[row]) for row in group] for group in groups]
