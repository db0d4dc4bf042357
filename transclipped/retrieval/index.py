"""Search: a continuous query against stored codes (asymmetric), codes against codes, or floats against floats.

The similarity of query q and item with code (k_1 … k_M) is Σ_m ⟨q_m, c_{m, k_m}⟩ / M in [−1, 1]: M look-ups in a
table. faiss scans the codes; our codebooks and codes are written into its `IndexPQ`, since faiss assigns by L2, which
equals our argmax of the inner product only up to rounding.

Order is score descending, then database row ascending. Codes tie often, and faiss returns ties in any order, so results
are sorted again, and a search goes deeper until it includes the whole tied group at its border.

Source: Jégou et al. 2011, "Product quantization for nearest neighbor search" (asymmetric distance).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import same_width
from transclipped.retrieval.coding.product import decode, picked, tables
from transclipped.retrieval.ties import SharedCodes, border, shared_codes

SLACK = 64  # items searched beyond k, to include most tied groups at the border
CELLS = 2**20  # hits sorted at once; measuring them takes some 150 bytes each
CENTROIDS = 256  # per codebook inside faiss: one byte


@dataclass(frozen=True)
class Hits:
    """Best items of each query, best first: scores `[Q, k]` float32, rows `[Q, k]` int64."""

    scores: np.ndarray
    rows: np.ndarray


class _Index:
    """Common base of both indexes; `_faiss` scores by inner product."""

    _faiss: faiss.Index
    n: int
    m: int  # codebooks, by which scores are divided
    bytes_per_item: float

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors `[Q, D]` as queries of `search`: unchanged."""
        return vectors

    @property
    def faiss_index(self) -> faiss.IndexFlatCodes:
        """The index of faiss; its scores are M times ours."""
        return self._faiss

    def search(self, queries: np.ndarray, k: int) -> Hits:
        """The min(k, N) most similar items of queries `[Q, D]` float32."""
        k = min(k, self.n)
        scores = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        if not k:
            return Hits(scores, rows)
        for part, hits in self.complete(queries, k):
            scores[part], rows[part] = hits.scores[:, :k], hits.rows[:, :k]
        return Hits(scores, rows)

    def complete(self, queries: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, Hits]]:
        """Like `search`, but with every item that ties with the k-th: (queries `[q]`, their hits `[q, k' >= k]`).

        Memory is bounded: queries come in groups of at most `CELLS` hits (or of one query). All ties with the k-th are
        included; what follows them may be padding with scores of −∞.
        """
        k = min(k, self.n)
        pending, depth = np.arange(len(queries)), min(self.n, k + SLACK)
        while len(pending):
            unfinished = []
            size = max(1, CELLS // depth)
            for start in range(0, len(pending), size):
                group = pending[start : start + size]
                scores, rows = ordered(*self._faiss.search(self._prepared(queries[group]), depth))
                done = (scores[:, -1] < scores[:, k - 1]) | (depth == self.n)
                if done.any():
                    yield group[done], Hits(scores[done], rows[done])
                unfinished.append(group[~done])
            pending, depth = np.concatenate(unfinished), min(self.n, 2 * depth)

    def _prepared(self, queries: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(queries, np.float32) / np.float32(self.m)


class PQIndex(_Index):
    """Searches the codes of a product quantizer by table look-up.

    Args:
        codebooks: `[M, K, d]` float32 of unit codewords, K <= 256.
        codes: `[N, M]` uint8.

    Raises:
        InputError: shapes disagree, or a code names no codeword.

    Examples:
        >>> import numpy as np
        >>> from transclipped.retrieval.index import PQIndex
        >>> codebooks = np.tile(np.eye(2, dtype=np.float32), (2, 1, 1))  # two codebooks of two codewords, [2, 2, 2]
        >>> index = PQIndex(codebooks, np.array([[0, 0], [0, 1], [1, 1]], np.uint8))
        >>> hits = index.search(np.array([[1, 0, 0.6, 0.8]], np.float32), 2)
        >>> hits.rows, hits.scores.round(2)
        (array([[1, 0]]), array([[0.9, 0.8]], dtype=float32))
    """

    def __init__(self, codebooks: np.ndarray, codes: np.ndarray) -> None:
        if codebooks.ndim != 3 or codes.ndim != 2 or codes.shape[1] != len(codebooks) or codes.dtype != np.uint8:
            raise InputError(
                f"need codebooks [M, K, d] and codes [N, M] of bytes, got {[*codebooks.shape]} and {[*codes.shape]}"
            )
        k = codebooks.shape[1]
        if k > CENTROIDS or (codes.size and codes.max() >= k):
            raise InputError(f"codes name codeword {codes.max(initial=0)}, but there are {k} (at most {CENTROIDS})")
        self.codebooks = np.ascontiguousarray(codebooks, np.float32)
        self.codes, self.n, self.m = np.ascontiguousarray(codes), len(codes), len(codebooks)
        self.bytes_per_item = float(self.m)
        self._faiss = _index_pq(self.codebooks, self.codes)

    def complete(self, queries: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, Hits]]:
        if self._shared is None:
            yield from super().complete(queries, k)
            return
        shared, distinct = self._shared
        k, n = min(k, self.n), len(shared.codes)
        pending, depth = np.arange(len(queries)), min(n, 2 * k * n // self.n + SLACK)
        while len(pending):
            unfinished = []
            for start in range(0, len(pending), size := max(1, CELLS // depth)):
                group = pending[start : start + size]
                scores, which = distinct.search(self._prepared(queries[group]), depth)
                taken, enough = border(scores, shared.count[which], k)
                done = enough & ((taken < depth) | (depth == n))
                for part in _bounded(done.nonzero()[0], shared.count[which], taken):
                    hits = ordered(*shared.written_out(scores[part], which[part], taken[part]))
                    yield group[part], Hits(*hits)
                unfinished.append(group[~done])
            pending, depth = np.concatenate(unfinished), min(n, 2 * depth)

    @cached_property
    def _shared(self) -> tuple[SharedCodes, faiss.IndexPQ] | None:
        """Items by code and an index of the distinct codes, where many items share one."""
        shared = shared_codes(self.codes)
        return shared and (shared, _index_pq(self.codebooks, shared.codes))

    def decoded(self) -> np.ndarray:
        """Codewords of all items, `[N, D]` float32, scaled so that an inner product with a query is a score."""
        return decode(self.codebooks, self.codes) / self.m

    def explain(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Contributions `[k, M]` of the codebooks to the scores of `rows` `[k]` for query `[D]`."""
        return picked(tables(self.codebooks, query), self.codes[rows])


def _index_pq(codebooks: np.ndarray, codes: np.ndarray) -> faiss.IndexPQ:
    """faiss's index of our codebooks `[M, K, d]` and codes `[N, M]`."""
    m, k, d = codebooks.shape
    index = faiss.IndexPQ(m * d, m, 8, faiss.METRIC_INNER_PRODUCT)
    # Missing codewords are padded with the first, which wins every tie against its copies.
    padded = np.concatenate([codebooks, np.repeat(codebooks[:, :1], CENTROIDS - k, 1)], 1)
    faiss.copy_array_to_vector(padded.ravel(), index.pq.centroids)
    faiss.copy_array_to_vector(codes.ravel(), index.codes)
    index.ntotal, index.is_trained = len(codes), True
    return index


def _bounded(queries: np.ndarray, count: np.ndarray, taken: np.ndarray) -> Iterator[np.ndarray]:
    """Groups of queries whose first `taken[q]` codes hold at most `CELLS` items, padded to the longest."""
    items = np.where(np.arange(count.shape[1]) < taken[:, None], count, 0).sum(1)[queries]
    size = max(1, CELLS // max(1, int(items.max(initial=0))))
    for start in range(0, len(queries), size):
        yield queries[start : start + size]


class FlatIndex(_Index):
    """Exact search of continuous embeddings, as a baseline.

    Args:
        embeddings: `[N, D]` of M unit sub-vectors.
        codebooks: M >= 1, by which scores are divided.

    Raises:
        InputError: embeddings are not `[N, D]`, or M does not divide D.

    Examples:
        >>> import numpy as np
        >>> from transclipped.retrieval.index import FlatIndex
        >>> index = FlatIndex(np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32), codebooks=1)
        >>> hits = index.search(np.array([[0, 1]], np.float32), 2)
        >>> hits.rows, hits.scores
        (array([[2, 1]]), array([[1. , 0.8]], dtype=float32))
    """

    def __init__(self, embeddings: np.ndarray, *, codebooks: int) -> None:
        if embeddings.ndim != 2 or codebooks < 1 or embeddings.shape[1] % codebooks:
            raise InputError(
                f"need embeddings [N, D] of {codebooks} sub-vectors of equal length, got {[*embeddings.shape]}"
            )
        self.embeddings, self.n, self.m = np.ascontiguousarray(embeddings, np.float32), len(embeddings), codebooks
        self.bytes_per_item = 4.0 * embeddings.shape[1]
        self._faiss = faiss.IndexFlatIP(embeddings.shape[1])
        self._faiss.add(self.embeddings)

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors `[Q, D]` as queries of `search`: unchanged. Raises InputError if they are of another width."""
        if self.n and len(vectors):  # nothing has no width
            same_width("the index", self.embeddings.shape[1], vectors.shape[1])
        return vectors

    def decoded(self) -> np.ndarray:
        """All items, `[N, D]` float32, scaled so that an inner product with a query is a score."""
        return self.embeddings / np.float32(self.m)


def ordered(scores: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort each query's hits by score descending, then row ascending.

    Score and row are packed into one integer, which sorts several times faster than two keys.

    Args:
        scores: `[Q, k]` float32, no NaN. rows: `[Q, k]` of at most 2³² items.
    """
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # adding 0 turns −0 into 0
    rising = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)  # order of floats as integers
    keys = (-rising << 32) + rows
    keys.sort(axis=1)
    rising = -(keys >> 32)
    bits = np.where(rising < 0, -rising | -0x80000000, rising).astype(np.int32)
    return bits.view(np.float32), keys & 0xFFFFFFFF
