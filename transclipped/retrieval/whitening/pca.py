"""Principal components: the directions of largest variance, exact, and whitening by them.

With S = Σ_i (x_i − μ)(x_i − μ)ᵀ / n = V Λ Vᵀ, a row becomes (x − μ) V_k Λ_k^p, where V_k are the k columns of the
largest λ: p = 0 projects, p = −1/2 whitens. Uncentred (μ = 0) it keeps as much of the inner products as any k
directions can.

References:
    Jégou & Chum 2012, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening".
"""

from dataclasses import dataclass

import numpy as np

BLOCK = 16_384  # rows in float64 at once
NONE = 1e-12  # of the largest variance: less is rounding error, which whitening must not amplify


@dataclass(frozen=True)
class PCA:
    """A projection of rows `[n, F]` on k directions.

    Attributes:
        mean: `[F]` float64, zeros if uncentred.
        matrix: `[F, k]` float64, orthonormal columns times λ^power.
        variance: `[k]` float64, λ along each direction, largest first.
        total: variance along all F directions.
    """

    mean: np.ndarray
    matrix: np.ndarray
    variance: np.ndarray
    total: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Rows `[n, F]` projected, `[n, k]` float64."""
        return (x - self.mean) @ self.matrix


def pca(x: np.ndarray, k: int, *, centre: bool = True, power: float = 0) -> PCA:
    """Principal components of rows `[n, F]`; the largest loading of each direction is made positive.

    Args:
        k: directions, at most F of them.
        centre: whether to subtract the mean.
        power: p <= 0, exponent of the variances that scale the directions; if negative, those without variance give 0.

    Raises:
        ValueError: x is not `[n, F]` with n >= 1, or k or power are out of range.
    """
    if x.ndim != 2 or not len(x) or k < 1 or power > 0:
        raise ValueError(f"need rows [n, F], k >= 1 and power <= 0, got {[*x.shape]}, {k} and {power}")
    n, f = x.shape
    k = min(k, f)
    mean = x.mean(0, dtype=np.float64) if centre else np.zeros(f)
    blocks = (x[start : start + BLOCK] - mean for start in range(0, n, BLOCK))
    scatter = sum(block.T @ block for block in blocks) / n  # [F, F]
    from scipy import linalg  # 0.3 s, for which the first page does not wait

    variance, directions = linalg.eigh(scatter, subset_by_index=[f - k, f - 1])  # ascending
    variance, directions = variance[::-1].clip(0), directions[:, ::-1]
    largest = np.take_along_axis(directions, np.abs(directions).argmax(0)[None], 0)  # [1, k]
    scale = np.where(variance > NONE * variance[0], variance, np.inf) ** power  # ∞⁰ = 1
    return PCA(mean, directions * np.where(largest < 0, -1, 1) * scale, variance, float(np.trace(scatter)))
