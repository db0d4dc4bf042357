"""Codes of signs: bit b of an item is whether its projection b is positive, and bits are compared by their agreement.

The score ⟨sign(q), sign(x)⟩ / bits is 1 − 2 Hamming distance / bits. Eight bits make a byte, whose 256 values are the
codewords {−1, 1}⁸ of one fixed codebook, so that a sign code is searched like a product code, and moved queries are
compared with the signs by inner products.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from transclipped.retrieval.coding.projected import ProjectedIndex

BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1  # [256, 8] of ±1


def sign_index(vectors: np.ndarray, project: Callable[[np.ndarray], np.ndarray]) -> ProjectedIndex:
    """Index of vectors by the signs of their projections `[N, bits]`; 0 counts as positive."""
    from transclipped.retrieval.index import PQIndex  # imports faiss

    codes = np.packbits(project(vectors) >= 0, axis=1)  # [N, bits / 8]
    index = PQIndex(np.tile(BYTE, (codes.shape[1], 1, 1)), codes)
    return ProjectedIndex(index, lambda queries: signs(project(queries)), scale=1 / (8 * codes.shape[1]))


def signs(x: np.ndarray) -> np.ndarray:
    """±1 float32, 1 for 0."""
    return np.where(x >= 0, np.float32(1), np.float32(-1))
