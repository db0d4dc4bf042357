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
BLOCK = 1 << 22  # pairs of sketches compared at once, 100 MB


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
    for one, other in _candidates(bits, alike.mean(1)):
        close = np.abs(alike[one] - alike[other]).mean(1) <= COLOUR
        for a, b in zip(one[close].tolist(), other[close].tolist(), strict=True):
            _join(parent, a, b)
    groups = defaultdict(list)
    for row in range(n):
        groups[_root(parent, row)].append(row)
    return [group for group in groups.values() if len(group) > 1]


def _candidates(bits: np.ndarray, brightness: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose bits are close enough, in blocks."""
    words, first, inverse = np.unique(bits, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    order = np.lexsort((brightness, inverse))  # equal bits side by side, the most similar colours next to each other
    same = inverse[order[1:]] == inverse[order[:-1]]
    yield order[:-1][same], order[1:][same]
    pairs = words.view(np.uint64)  # [m, 2]
    for members in _bands(words):
        step = max(1, BLOCK // len(members))
        for start in range(0, len(members), step):
            block = members[start : start + step]
            distance = _ones(pairs[block, None] ^ pairs[None, members]).sum(2)  # [block, members]
            one, other = np.nonzero(distance <= BITS)
            later = block[one] < members[other]
            yield first[block[one[later]]], first[members[other[later]]]


def _bands(words: np.ndarray) -> Iterator[np.ndarray]:
    """Sets of two or more different words that agree in one of the bands."""
    for band in np.array_split(np.unpackbits(words, axis=1), BITS + 1, axis=1):
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
