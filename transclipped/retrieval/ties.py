"""Rankings where many items share a code: the distinct codes are ranked, then expanded to items.

At 16 bits thousands of items share one code, and so one score. Ranking codes instead of items puts a whole tied group
in one place, where ranking items would have to search ever deeper for its end.
"""

from dataclasses import dataclass

import numpy as np

PACKED = 8  # bytes of a code that fit one integer; longer codes rarely tie


@dataclass(frozen=True)
class SharedCodes:
    """Items grouped by code.

    Attributes:
        codes: `[U, M]` uint8, distinct codes.
        rows: `[N]` int64, the items of each code one after the other, ascending within a code.
        begin, count: `[U]` int64, where a code's items begin in `rows`, and how many they are.
    """

    codes: np.ndarray
    rows: np.ndarray
    begin: np.ndarray
    count: np.ndarray

    def written_out(self, scores: np.ndarray, which: np.ndarray, taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items of ranked codes: scores `[q, L]` float32 and rows `[q, L]` int64, padded with −∞ and row 0.

        Args:
            scores, which: `[q, c]` of codes, best first.
            taken: `[q]` number of codes of each query to write out.
        """
        count = np.where(np.arange(which.shape[1]) < taken[:, None], self.count[which], 0)  # [q, c]
        items = count.sum(1)  # of each query
        flat = count.ravel()
        total = int(flat.sum())
        offset = np.arange(total) - np.repeat(flat.cumsum() - flat, flat)  # within its code
        query = np.repeat(np.arange(len(items)), items)
        rank = np.arange(total) - np.repeat(items.cumsum() - items, items)
        out_scores = np.full((len(items), int(items.max(initial=0))), -np.inf, np.float32)
        out_rows = np.zeros(out_scores.shape, np.int64)
        out_scores[query, rank] = np.repeat(scores.ravel(), flat)
        out_rows[query, rank] = self.rows[np.repeat(self.begin[which].ravel(), flat) + offset]
        return out_scores, out_rows


def shared_codes(codes: np.ndarray) -> SharedCodes | None:
    """The groups of codes `[N, M]` uint8; None where grouping would not halve the work."""
    n, m = codes.shape
    if m > PACKED:
        return None
    packed = np.zeros((n, PACKED), np.uint8)
    packed[:, :m] = codes
    _, first, inverse, count = np.unique(
        packed.view(np.uint64).ravel(), return_index=True, return_inverse=True, return_counts=True
    )
    if 2 * len(count) > n:
        return None
    return SharedCodes(codes[first], np.argsort(inverse.ravel(), kind="stable"), count.cumsum() - count, count)


def border(scores: np.ndarray, count: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """How many of the ranked codes `[q]` hold the first k items and all ties with the k-th; and whether all c hold k.

    `scores` and `count` `[q, c]` are of codes, best first; count of their items.
    """
    reached = count.cumsum(1) >= k
    level = np.take_along_axis(scores, reached.argmax(1)[:, None], 1)
    return (scores >= level).sum(1), reached[:, -1]


def tied_first(
    rows: np.ndarray, scores: np.ndarray, codes: np.ndarray, first: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """A ranking `[k]` in which the rows `first` precede others of their score.

    A row of `first` beyond rank k that has the code of a ranked item replaces the last one.

    Args:
        rows, scores: of the ranked items, best first.
        codes: `[N, M]` of all items.
    """
    k = len(rows)
    for row in first:
        same = np.flatnonzero((codes[rows] == codes[row]).all(1))
        if len(same) and row not in rows:
            rows, scores = np.append(rows, row), np.append(scores, scores[same[0]])
    order = np.lexsort((~np.isin(rows, first), -scores))[:k]  # a stable sort
    return rows[order], scores[order]
