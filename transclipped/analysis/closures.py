"""Loops of a walk: which earlier frame shows the place of each frame, and how far a score can be trusted.

All frames are compared with all, S `[n, n]`, in order of time. Frames that are close in time are alike without being a
return, so a frame i looks only at frames j ≤ i − t; the best of these is its match. Means along diagonals of S let a
match count by the frames that led to it (`retrieval.reranking.sequence`). A loop is reported where the score of the
match exceeds a threshold. It is right if both frames are at the same place; precision is the share of reported loops
that are right, recall the share of frames that return to a place whose loops are reported and right.

A mean remembers: just after a return, frames of new places still get a high score from the frames before them.

References:
    Ding et al. 2018, CAC: loops by descriptors of a stacked denoising auto-encoder, by its abstract.
    Milford & Wyeth 2012, "SeqSLAM", doi 10.1109/ICRA.2012.6224623 (sequences).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import rows
from transclipped.retrieval.reranking.sequence import diagonals
from transclipped.retrieval.vectors import unit

WITHIN = 2  # steps between two frames of one place


@dataclass(frozen=True)
class Matches:
    """The most similar earlier frame of each frame that has one.

    Attributes:
        frame, earlier: `[m]` int64. score: `[m]` float32.
    """

    frame: np.ndarray
    earlier: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Precision and recall `[p]` at falling thresholds `[p]`, each a score that occurs."""

    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def recall_at_1(self) -> float:
        """Most recall without a wrong loop."""
        return float(self.recall[self.precision == 1].max(initial=0))


def similarity(vectors: np.ndarray) -> np.ndarray:
    """Cosines `[n, n]` float32 of frames `[n, D]` in order of time."""
    x = unit(rows(vectors))
    return x @ x.T


def scores(s: np.ndarray, *, length: int = 1, exclude: int = 1) -> np.ndarray:
    """Means over `length` frames `[n, n]` of similarities; −inf where a frame is not at least `exclude` earlier.

    Raises:
        InputError: similarities are not square, or an option is below 1.
    """
    n = len(s)
    if s.shape != (n, n):
        raise InputError(f"need similarities of all frames with all, got {[*s.shape]}")
    for name, value in (("length", length), ("exclude", exclude)):
        if value < 1:
            raise InputError(f"{name} is {value}; choose 1 or more")
    summed = diagonals(s, length)
    summed[np.arange(n)[:, None] - np.arange(n) < exclude] = -np.inf
    return summed


def reduced(summed: np.ndarray, cells: int) -> tuple[np.ndarray, int]:
    """Largest numbers `[m, m]`, m ≤ cells, of square blocks of `[n, n]`, and the side of a block in frames.

    A loop is one frame wide, so that a mean would lose it. NaN where a block has no number.
    """
    n = len(summed)
    side = max(1, -(-n // cells))
    m = -(-n // side)
    padded = np.full((m * side, m * side), -np.inf, np.float32)
    padded[:n, :n] = summed
    blocks = padded.reshape(m, side, m, side).max((1, 3)) if n else padded
    return np.where(np.isfinite(blocks), blocks, np.nan), side


def matches(summed: np.ndarray, *, exclude: int = 1) -> Matches:
    """The match of each frame by `scores` `[n, n]` with the same `exclude`; equal ones by the earlier frame."""
    n = len(summed)
    frame = np.arange(exclude, n)
    earlier = summed[exclude:].argmax(1) if n > exclude else frame
    return Matches(frame, earlier, summed[frame, earlier])


def right(results: Matches, place: np.ndarray, *, within: int = WITHIN) -> np.ndarray:
    """Whether each match `[m]` is at the same place, from the places `[n]` of all frames."""
    return np.abs(place[results.frame] - place[results.earlier]) <= within


def returning(place: np.ndarray, *, exclude: int, within: int = WITHIN) -> np.ndarray:
    """Which frames `[n]` are at the place of a frame at least `exclude` before."""
    n = len(place)
    same = np.abs(place[:, None] - place) <= within
    return (same & (np.arange(n)[:, None] - np.arange(n) >= exclude)).any(1)


def curve(results: Matches, place: np.ndarray, *, exclude: int, within: int = WITHIN) -> Curve:
    """Precision and recall at each threshold; matches of equal score are reported together."""
    correct = right(results, place, within=within)
    loops = int(returning(place, exclude=exclude, within=within).sum())
    order = np.argsort(-results.score, kind="stable")
    score, hits = results.score[order], correct[order].cumsum()
    last = np.ones(len(score), bool)
    last[:-1] = score[1:] != score[:-1]
    reported = np.flatnonzero(last) + 1
    return Curve(score[last], hits[last] / reported, hits[last] / max(1, loops))
