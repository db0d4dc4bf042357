"""Ranking quality: mAP@K, plain and tie-aware, precision and recall at k, precision over recall.

AP@K of a query is the *sum* of the precisions at its relevant ranks within K, divided by the number of relevant
items within K; 0 without any, and the query still counts. (Others divide by all relevant items, or by
min(K, relevant); their numbers do not compare.) mAP@K is the mean over queries. Items are relevant that share a
label with the query; an item without label is never relevant.

That value can fall when a re-ranking brings further relevant items in at low ranks. Pipelines are therefore compared
by a second one too, map_r: the same sum divided by min(K, R), with R relevant items in the database.

The plain value orders ties by database row. The tie-aware one is the expectation over random orders of equal scores:
the expected sum of precisions divided by the expected number of relevant items within K. For a group of g items at
ranks a+1 … a+g, r of them relevant, after R relevant ones, the item at rank a+t adds

    r/g · ( R + 1 + (t − 1)(r − 1)/(g − 1) ) / (a + t).

References:
    McSherry & Najork 2008, "Computing information retrieval performance measures efficiently in the presence of
    tied scores". Ours is a ratio of expectations, since our denominator varies with the order.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from transclipped.retrieval.index import FlatIndex, Hits, PQIndex
from transclipped.retrieval.relevance import n_relevant, relevance

BINS = 4096  # of scores in [−1, 1] behind the precision–recall curve
RECALL_POINTS = 101
HITS = 2**22  # hits measured at once
SCORED = 128  # queries scored against the whole database at once: 128 × 50,000 floats are 26 MB


@dataclass(frozen=True)
class Measured:
    """Retrieval quality over all queries, every value in [0, 1].

    Attributes:
        average_precision: `[Q]` plain AP@K.
        map_tie_aware: expected over orders of equal scores; None if not requested.
        precision, recall: `[K]` means over queries at ranks 1 … K.
        curve: (recall, precision) `[101]` each over the full ranking; None if not requested.
        per_class: mean AP by class.
        average_precision_r: `[Q]` sums of precisions divided by min(K, R); None if not computed.
    """

    average_precision: np.ndarray
    map_tie_aware: float | None
    precision: np.ndarray
    recall: np.ndarray
    curve: tuple[np.ndarray, np.ndarray] | None
    per_class: dict[str, float]
    average_precision_r: np.ndarray | None = None

    @property
    def map_r(self) -> float | None:
        """Mean of the AP@K that is divided by min(K, R)."""
        return (
            None
            if self.average_precision_r is None
            else float(self.average_precision_r.sum() / max(1, len(self.average_precision_r)))
        )

    @property
    def map(self) -> float:
        """Plain mAP@K."""
        return float(self.average_precision.mean()) if len(self.average_precision) else 0.0

    def to_dict(self) -> dict[str, Any]:
        """A mode as in metrics.json."""
        ranks = ranks_shown(len(self.precision))
        values = {
            "map": self.map,
            "map_tie_aware": self.map_tie_aware,
            "precision": {"k": ranks.tolist(), "value": self.precision[ranks - 1].tolist()},
            "recall": {"k": ranks.tolist(), "value": self.recall[ranks - 1].tolist()},
            "per_class": self.per_class,
        }
        if self.curve:
            recall, precision = self.curve
            values["precision_recall"] = {"recall": recall.tolist(), "precision": precision.tolist(), "bins": BINS}
        return values


def measure(
    index: PQIndex | FlatIndex,
    queries: np.ndarray,
    *,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    k: int,
    class_names: tuple[str, ...] = (),
    tie_aware: bool = True,
    curve: bool = True,
) -> Measured:
    """Rank the database for each query and measure.

    Memory is bounded by groups of queries, whatever their number and however many items tie.

    Args:
        index: of N items.
        queries: `[Q, D]` float32.
        query_labels, database_labels: `[Q]`, `[N]` int, or `[Q, L]`, `[N, L]` 0/1.
        k: K >= 1; at most N counts.

    Raises:
        ValueError: numbers of labels and items disagree.
    """
    if len(query_labels) != len(queries) or len(database_labels) != index.n:
        raise ValueError(
            f"{len(queries)} queries and {index.n} items, but {len(query_labels)} and {len(database_labels)} labels"
        )
    average, aware, precision, recall = _ranked(
        index, queries, query_labels, database_labels, k=min(k, index.n), tie_aware=tie_aware
    )
    return Measured(
        average_precision=average,
        map_tie_aware=float(aware.mean()) if tie_aware and len(aware) else None,
        precision=precision,
        recall=recall,
        curve=precision_recall(index, queries, query_labels, database_labels) if curve else None,
        per_class=_per_class(average, query_labels, class_names),
    )


def _ranked(
    index: PQIndex | FlatIndex,
    queries: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    *,
    k: int,
    tie_aware: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """AP `[Q]`, plain and tie-aware (0 unless wanted), and mean precision and recall at each rank `[k]`."""
    average, aware, precision, recall = np.zeros(len(queries)), np.zeros(len(queries)), np.zeros(k), np.zeros(k)
    relevant = n_relevant(query_labels, database_labels)
    for part, hits in index.complete(queries, k):
        hit = relevance(query_labels[part], database_labels, hits.rows)  # [q, k']
        average[part], counts = average_precision(hit[:, :k])
        precision += (counts / np.arange(1, k + 1)).sum(0)
        recall += (counts / np.maximum(1, relevant[part])[:, None]).sum(0)
        if tie_aware:
            aware[part] = tie_aware_average_precision(hit, hits.scores, k)
    n = max(1, len(queries))
    return average, aware, precision / n, recall / n


def measure_hits(hits: Hits, query_labels: np.ndarray, database_labels: np.ndarray, *, k: int) -> Measured:
    """Measure hits, such as those after re-ranking; the order within ties is as given.

    Args:
        hits: of Q queries, best first, at least min(K, N) each.
        query_labels, database_labels: `[Q]`, `[N]` int, or `[Q, L]`, `[N, L]` 0/1.
        k: K >= 1.

    Raises:
        ValueError: numbers of hits and labels disagree, or K is below 1.
    """
    n, depth = hits.rows.shape
    if len(query_labels) != n or query_labels.ndim != database_labels.ndim or k < 1:
        raise ValueError(f"hits of {n} queries and K = {k}, but {len(query_labels)} labels of queries")
    k = min(k, depth)
    average, precision, recall = np.zeros(n), np.zeros(k), np.zeros(k)
    relevant, hits_relevant = n_relevant(query_labels, database_labels), np.zeros(n)
    for start in range(0, n, step := max(1, HITS // max(1, k))):
        part = slice(start, start + step)
        average[part], counts = average_precision(relevance(query_labels[part], database_labels, hits.rows[part, :k]))
        hits_relevant[part] = counts.max(1, initial=0)
        precision += (counts / np.arange(1, k + 1)).sum(0)
        recall += (counts / np.maximum(1, relevant[part])[:, None]).sum(0)
    return Measured(
        average_precision=average,
        average_precision_r=average * hits_relevant / np.maximum(1, np.minimum(k, relevant)),
        map_tie_aware=None,
        precision=precision / max(1, n),
        recall=recall / max(1, n),
        curve=None,
        per_class={},
    )


class MeanAP(NamedTuple):
    """mAP@K with ties in order of database row, and expected over all orders of ties; both in [0, 1]."""

    plain: float
    tie_aware: float


def mean_average_precision(
    hits: Hits, query_labels: np.ndarray, database_labels: np.ndarray, *, k: int | None = None
) -> MeanAP:
    """mAP@K of hits from an index, plain and tie-aware.

    The tie-aware value is exact only if hits include all ties with the K-th: search deeper than K, or use `measure`.

    Args:
        hits: of Q queries, best first, at least K each.
        query_labels, database_labels: `[Q]`, `[N]` int, −1 for none, or `[Q, L]`, `[N, L]` 0/1.
        k: K >= 1; None, or more than a query has hits, for all hits.

    Raises:
        ValueError: numbers of hits and labels disagree, or K is below 1.

    Examples:
        >>> import numpy as np
        >>> from transclipped.retrieval.index import PQIndex
        >>> from transclipped.retrieval.metrics import mean_average_precision
        >>> codebooks = np.eye(2, dtype=np.float32)[None]  # one codebook of two codewords
        >>> index = PQIndex(codebooks, np.array([[0], [0], [1]], np.uint8))  # two items tie
        >>> hits = index.search(np.array([[1, 0]], np.float32), 3)
        >>> mean_average_precision(hits, np.array([7]), np.array([7, 4, 4]))
        MeanAP(plain=1.0, tie_aware=0.75)
    """
    n, depth = hits.rows.shape
    k = depth if k is None else min(k, depth)
    if len(query_labels) != n or hits.scores.shape != hits.rows.shape or query_labels.ndim != database_labels.ndim:
        raise ValueError(f"hits of {n} queries, but labels {[*query_labels.shape]} and {[*database_labels.shape]}")
    if k < 1:
        raise ValueError(f"k is {k}; choose at least 1, and a search that returns hits")
    if not n:
        return MeanAP(0.0, 0.0)
    relevant = relevance(query_labels, database_labels, hits.rows)
    plain, _ = average_precision(relevant[:, :k])
    return MeanAP(float(plain.mean()), float(tie_aware_average_precision(relevant, hits.scores, k).mean()))


def average_precision(relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Plain AP of rankings `[Q, K]` bool, and relevant items so far `[Q, K]`."""
    counts = relevant.cumsum(1, dtype=np.int32)
    ranks = np.arange(1, relevant.shape[1] + 1, dtype=np.float64)
    total = np.einsum("qk,qk,k->q", counts, relevant, 1 / ranks)
    return total / counts.max(1, initial=1), counts


def tie_aware_average_precision(hits: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Tie-aware AP@K `[Q]` of rankings that include the whole tied group at rank K.

    Args:
        hits: `[Q, k']` bool, relevant or not, k' >= k. scores: `[Q, k']` descending.
    """
    depth = hits.shape[1]
    ap, _ = average_precision(hits[:, :k])
    tied = (scores[:, 1:] == scores[:, :-1]).any(1)
    if not tied.any():
        return ap
    hits, scores = hits[tied], scores[tied]
    rank = np.arange(depth)
    starts = np.ones(hits.shape, bool)
    starts[:, 1:] = scores[:, 1:] != scores[:, :-1]
    first = np.maximum.accumulate(np.where(starts, rank, 0), axis=1)  # a, first rank of the group
    ends = np.ones(hits.shape, bool)
    ends[:, :-1] = starts[:, 1:]
    last = np.minimum.accumulate(np.where(ends, rank, depth)[:, ::-1], axis=1)[:, ::-1]
    first, last = first[:, :k], last[:, :k]
    before = np.zeros((len(hits), depth + 1), np.int64)
    np.cumsum(hits, axis=1, out=before[:, 1:])
    earlier = np.take_along_axis(before, first, 1)  # R
    group = (last - first + 1).astype(np.float64)  # g
    relevant = np.take_along_axis(before, last + 1, 1) - earlier  # r
    share = relevant / group
    offset = rank[:k] - first  # t − 1
    rest = offset * (relevant - 1) / np.maximum(1, group - 1)
    total = (share * (earlier + 1 + rest) / (rank[:k] + 1)).sum(1)
    expected = share.sum(1)
    ap[tied] = np.divide(total, expected, out=np.zeros_like(total), where=expected > 0)
    return ap


def precision_recall(
    index: PQIndex | FlatIndex, queries: np.ndarray, query_labels: np.ndarray, database_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Recall 0, 0.01, …, 1 and the precision at the first step that reaches it, `[101]` each, of the full ranking.

    All queries' items are counted together, in 4096 bins of scores instead of sorted: items whose scores differ by less
    than 2/4096 = 0.0005 count as one step, the curve's resolution.
    """
    items = torch.from_numpy(index.decoded()).T.contiguous()  # [D, N]
    total = torch.zeros(2 * BINS, dtype=torch.int64)
    for start in range(0, len(queries), SCORED):
        chunk = slice(start, start + SCORED)
        scores = torch.from_numpy(np.ascontiguousarray(queries[chunk], np.float32)) @ items  # [q, N]
        bins = scores.add_(1).mul_(BINS / 2).clamp_(0, BINS - 1).to(torch.int32)
        relevant = torch.from_numpy(relevance(query_labels[chunk], database_labels))
        total += torch.bincount((bins + BINS * relevant.to(torch.int32)).flatten(), minlength=2 * BINS)
    others, relevant = total.view(2, BINS).flip(1).cumsum(1).double().numpy()  # from the best score down
    reached = relevant / max(1.0, relevant[-1])
    precision = relevant / np.maximum(1.0, relevant + others)
    recall = np.linspace(0, 1, RECALL_POINTS)
    first = int(np.argmax(relevant + others > 0))
    step = np.maximum(first, np.searchsorted(reached, recall - 1e-12).clip(max=BINS - 1))
    return recall, precision[step]


def ranks_shown(k: int) -> np.ndarray:
    """Ranks from 1 to K of a stored curve, evenly spaced on a logarithmic axis."""
    spaced = np.unique(np.geomspace(1, k, 60).round().astype(int))
    return np.unique(np.concatenate([spaced, [r for r in (1, 10, 100, 1000, 5000) if r <= k], [k]])).astype(int)


def _per_class(average: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    """Mean AP of the queries of each class; a query with several classes counts for each."""
    per_class = {}
    for index, name in enumerate(names):
        mine = labels == index if labels.ndim == 1 else labels[:, index] > 0
        if mine.any():
            per_class[name] = float(average[mine].mean())
    return per_class
