"""An index of projected vectors, whose queries pass through the same projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from transclipped.errors import InputError

if TYPE_CHECKING:
    from transclipped.retrieval.index import Hits, PQIndex


class ProjectedIndex:
    """An `Index` of codes of projected vectors.

    Args:
        codes: of the items, by projected vectors.
        project: vectors `[Q, D]` to queries `[Q, D']` of the codes.
    """

    def __init__(self, codes: PQIndex, project: Callable[[np.ndarray], np.ndarray]) -> None:
        self.codes, self.embed = codes, project
        self.n, self.bytes_per_item = codes.n, codes.bytes_per_item

    def search(self, queries: np.ndarray, k: int) -> Hits:
        """The min(k, N) best items of queries `[Q, D']`: score descending, then row ascending."""
        return self.codes.search(queries, k)

    def decoded(self) -> np.ndarray:
        """Items `[N, D']`, scaled so that an inner product with an embedded query is a score."""
        return self.codes.decoded()


def whole_bytes(method: str, bits: int) -> int:
    """Bytes of a code of so many bits.

    Raises:
        InputError: they fill no whole number of bytes.
    """
    if bits < 8 or bits % 8:
        raise InputError(f"{method}(bits={bits}): choose a multiple of 8, such as 32", setting="bits")
    return bits // 8
