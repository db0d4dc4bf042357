"""An index of projected vectors, whose queries pass through the same projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode

if TYPE_CHECKING:
    from transclipped.retrieval.index import Hits, PQIndex


class ProjectedIndex:
    """An `Index` of codes of projected vectors, scored by ⟨query, decoded item⟩ times a constant.

    Args:
        codes: of the items, by projected vectors.
        project: vectors `[Q, D]` to queries `[Q, D']` of the codes.
        scale: the constant, applied last, so that sums of whole numbers tie exactly.
    """

    def __init__(self, codes: PQIndex, project: Callable[[np.ndarray], np.ndarray], *, scale: float = 1.0) -> None:
        self.codes, self.embed, self._scale = codes, project, np.float32(scale)
        self.n, self.bytes_per_item, self.to_query = codes.n, codes.bytes_per_item, 1 / self._scale

    def search(self, queries: np.ndarray, k: int) -> Hits:
        """The min(k, N) best items of queries `[Q, D']`: score descending, then row ascending."""
        hits = self.codes.search(queries * np.float32(self.codes.m), k)  # which divides by M
        return replace(hits, scores=hits.scores * self._scale)

    def decoded(self) -> np.ndarray:
        """Items `[N, D']`, scaled so that an inner product with an embedded query is a score."""
        return decode(self.codes.codebooks, self.codes.codes) * self._scale

    def with_codes(self, codes: np.ndarray) -> ProjectedIndex:
        """An index of other items, by their codes `[N, M]` uint8."""
        return ProjectedIndex(type(self.codes)(self.codes.codebooks, codes), self.embed, scale=float(self._scale))


def whole_bytes(method: str, bits: int) -> int:
    """Bytes of a code of so many bits.

    Raises:
        InputError: they fill no whole number of bytes.
    """
    if bits < 8 or bits % 8:
        raise InputError(f"{method}(bits={bits}): choose a multiple of 8, such as 32", setting="bits")
    return bits // 8
