"""Product codes by NumPy: the nearest codeword of each sub-vector, and asymmetric scores by look-up tables.

A vector of D = M · d numbers is cut into M sub-vectors, and codebook m names its codeword of the largest inner
product, argmax_k ⟨x_m, c_mk⟩. The score of query q and code (k_1 … k_M) is Σ_m T[m, k_m] with the table
T[m, k] = ⟨q_m, c_mk⟩ / M. `retrieval.index` scans large databases; nothing here needs faiss or torch.

Source: Jégou et al. 2011, "Product quantization for nearest neighbor search".
"""

import numpy as np


def encode(codebooks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Codes `[…, M]` uint8 of vectors `[…, D]`, by codebooks `[M, K, d]`."""
    return _products(codebooks, vectors).argmax(-1).astype(np.uint8)


def decode(codebooks: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Codewords `[…, D]` that codes `[…, M]` name; as queries they make a search symmetric."""
    m, _, d = codebooks.shape
    return codebooks[np.arange(m), codes].reshape(*codes.shape[:-1], m * d)


def tables(codebooks: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Contribution of every codeword to a score: `[…, M, K]` float32 for queries `[…, D]`."""
    return _products(codebooks, np.asarray(queries, np.float32)) / np.float32(len(codebooks))


def picked(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Contribution of each codebook to the scores of codes `[…, M]`, by the tables `[M, K]` of one query: `[…, M]`."""
    return tables[np.arange(len(tables)), codes]


def scores(tables: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Scores `[N]` float32 in [−1, 1] of codes `[N, M]`, by the tables `[M, K]` of one query."""
    return sum(table[column] for table, column in zip(tables, codes.T, strict=True))


def _products(codebooks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Inner products `[…, M, K]` of sub-vectors and codewords."""
    m, _, d = codebooks.shape
    return np.einsum("...md,mkd->...mk", vectors.reshape(*vectors.shape[:-1], m, d), codebooks)
