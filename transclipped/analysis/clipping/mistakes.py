"""Mistakes of a rule: the worst anchors, confused classes, and the best δ in hindsight."""

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
        order: one of `ORDERS`; all but the first need labels. Anchors are sorted by the similarity of their worst
            mistake: a clipped true negative, or a missed false negative, among negatives that were not clipped.
        anchors: at most this many, the first view of each image.
        count: at most this many negatives.

    Raises:
        ValueError: the order is unknown, or needs labels.
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
    among = None if order == ORDERS[1] else ~report.mask
    return [AnchorRow(int(a), _others(batch, int(a), count, among)) for a in chosen if np.isfinite(worst[a])]


def _others(batch: Batch, anchor: int, count: int, among: np.ndarray | None) -> tuple[int, ...]:
    b = len(batch.rows)
    rows = neighbours(batch, anchor, len(batch.similarity))
    if among is not None:
        rows = rows[among[anchor, rows]]
    _, first = np.unique(rows % b, return_index=True)
    return tuple(rows[np.sort(first)][:count].tolist())


def class_rates(batch: Batch, report: Report) -> np.ndarray:
    """`[L, L]` share of the pairs of two classes that was clipped, NaN where there is no pair; needs labels.

    Off the diagonal are true negatives, in single-label data; there it shows which classes are confused.
    """
    if batch.classes is None or report.confusion is None:
        raise ValueError("class rates need labels")
    of = batch.classes.astype(np.float32)
    b = len(of)
    pairs = negatives(2 * b).numpy().reshape(2, b, 2, b).sum((0, 2), dtype=np.float32)
    every = (of.T @ pairs @ of).round()
    return np.divide(report.confusion, every, out=np.full(every.shape, np.nan), where=every > 0)


def best_by_labels(dial: Dial) -> int | None:
    """Index of the amount with the best F₁ of precision and recall; None without labels or false negatives.

    A baseline for comparison only: it uses labels, which no rule may see.
    """
    if dial.hits is None or not dial.false:
        return None
    return int(np.argmax(2 * dial.hits / np.maximum(1, dial.clipped + dial.false)))
