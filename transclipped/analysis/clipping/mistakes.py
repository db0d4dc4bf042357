"""Where a rule errs: anchors with the worst mistakes, classes taken for each other, and the best that δ could do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transclipped.analysis.clipping.dials import Dial
from transclipped.analysis.clipping.report import Batch, Report, neighbours
from transclipped.clipping import negatives

ORDERS = ("as drawn", "true negatives clipped", "false negatives missed")


@dataclass(frozen=True)
class AnchorRow:
    """One anchor and some of its negatives, rows of the 2B views, the most similar first; each image once."""

    anchor: int
    others: tuple[int, ...]


def anchor_rows(batch: Batch, report: Report, *, order: str, anchors: int, count: int) -> list[AnchorRow]:
    """Anchors with their most similar negatives, worst mistakes first.

    Args:
        order: one of `ORDERS`; all but the first need labels. "true negatives clipped" puts the anchor first whose
            clipped true negative is the most similar; "false negatives missed" the one whose unclipped false
            negative is, and shows what was not clipped.
        anchors: at most as many; the first view of each image.
        count: at most as many negatives.

    Raises:
        ValueError: the order is unknown, or needs labels that are not there.
    """
    if order not in ORDERS or (order != ORDERS[0] and batch.false is None):
        raise ValueError(f"order is {order!r}; choose one of {', '.join(ORDERS)}, the first without labels")
    b = len(batch.rows)
    if order == ORDERS[0]:
        chosen = np.linspace(0, b - 1, min(anchors, b)).astype(int)
        return [AnchorRow(int(a), _others(batch, int(a), count, None)) for a in chosen]
    wrong = report.mask & ~batch.false if order == ORDERS[1] else batch.false & ~report.mask
    worst = np.where(wrong, batch.similarity, -np.inf)[:b].max(1)  # [B]
    chosen = np.argsort(-worst, kind="stable")[:anchors]
    shown = None if order == ORDERS[1] else ~report.mask
    return [AnchorRow(int(a), _others(batch, int(a), count, shown)) for a in chosen if np.isfinite(worst[a])]


def _others(batch: Batch, anchor: int, count: int, among: np.ndarray | None) -> tuple[int, ...]:
    b = len(batch.rows)
    found = neighbours(batch, anchor, len(batch.similarity))
    if among is not None:
        found = found[among[anchor, found]]
    _, first = np.unique(found % b, return_index=True)
    return tuple(found[np.sort(first)][:count].tolist())


def class_rates(batch: Batch, report: Report) -> np.ndarray:
    """`[L, L]` share of the pairs of two classes that was clipped, NaN where there is no pair.

    Off the diagonal are true negatives, in single-label data; there it shows which classes are taken for each other.

    Raises:
        ValueError: the batch has no labels.
    """
    if batch.classes is None or report.confusion is None:
        raise ValueError("class rates need labels")
    of = batch.classes.astype(np.float32)
    b = len(of)
    pairs = negatives(2 * b).numpy().reshape(2, b, 2, b).sum((0, 2), dtype=np.float32)
    every = (of.T @ pairs @ of).round()
    return np.divide(report.confusion, every, out=np.full(every.shape, np.nan), where=every > 0)


def best_by_labels(dial: Dial) -> int | None:
    """Position of a dial with the best F₁ of precision and recall; None without labels or false negatives.

    No rule may choose this way; it is what a choice without labels is compared with.
    """
    if dial.hits is None or not dial.false:
        return None
    return int(np.argmax(2 * dial.hits / np.maximum(1, dial.clipped + dial.false)))
