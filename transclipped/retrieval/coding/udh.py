"""UDH: bits that predict pseudo-classes, which are clusters of what the bits themselves describe.

Vectors X (centred) are clustered into classes Y by k-means, and codes B ∈ {−1, 1} minimise
‖Y − B W‖² + ‖W‖² + ν ‖B − X P‖² in closed form, one after the other:
W = (BᵀB + I)⁻¹ BᵀY, P = (XᵀX + λI)⁻¹ XᵀB, and each bit l in turn b_l = sign(q_l − B₋ₗ W₋ₗ w_lᵀ), Q = Y Wᵀ + ν X P.
Then X P is clustered again, so that classes and code adapt to each other. An item's code is sign(x P).

Source: Zhu et al. 2019, "Unsupervised deep hashing with adaptive features", IEEE SPL, known to us by its abstract; the
objective is that of Shen et al. 2015, "Supervised discrete hashing", arXiv 1503.01557.
"""

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex, whole_bytes
from transclipped.retrieval.coding.signs import sign_index, signs
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal

NU = 1e-5  # ν, weight of the projection's error
# λ / mean variance, chosen without labels by the float neighbours of held-out training images; at 1e-3, P overfits
# 2,020 vectors of 1,536 numbers
RIDGE = 1.0
SWEEPS, SEED = 3, 0


def fit(vectors: np.ndarray, *, bits: int = 32, clusters: int = 100, rounds: int = 5) -> State:
    """`mean` `[D]` and `matrix` P `[D, bits]`, float32."""
    whole_bytes("udh", bits)
    x = training_rows(vectors, "udh")
    mean = x.mean(0)
    x = (x - mean).astype(np.float64)
    axes = principal(x, bits).matrix  # [D, min(bits, D)]
    matrix = axes @ np.random.default_rng(SEED).normal(size=(axes.shape[1], bits))
    codes = signs(x @ matrix).astype(np.float64)
    for turn in range(rounds):
        classes = clustered(x @ matrix if turn else x, clusters)
        codes, matrix = learned(x, classes, codes)
    return {"mean": mean, "matrix": matrix.astype(np.float32)}


@stage(
    "udh",
    kind="coding",
    idea="Learn bits that predict clusters, and cluster again by what the bits describe.",
    formula="min ‖Y − B W‖² + ‖W‖² + ν ‖B − X P‖², Y clusters of X P; code sign(x P)",
    source="IEEE SPL 2019, objective of arXiv 1503.01557",
    fit=fit,
    bounds={"bits": (8, 256), "clusters": (1, 4096), "rounds": (1, 20)},
)
def udh(vectors: np.ndarray, state: State, *, bits: int = 32, clusters: int = 100, rounds: int = 5) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("udh", len(state["mean"]), x.shape[1])
        return (x - state["mean"]) @ state["matrix"]

    return sign_index(vectors, project)


def learned(x: np.ndarray, classes: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes B `[n, bits]` and projection P `[D, bits]` after some sweeps, for classes `[n]` and codes to start from."""
    y = (classes[:, None] == np.arange(classes.max() + 1)).astype(np.float64)
    inverse = projector(x)
    matrix = inverse @ codes
    for _ in range(SWEEPS):
        weights = predictor(codes, y)
        codes = swept(codes, y, weights, x @ matrix)
        matrix = inverse @ codes
    return codes, matrix


def predictor(codes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """W `[bits, K]`, which predicts classes Y from codes."""
    return np.linalg.solve(codes.T @ codes + np.eye(codes.shape[1]), codes.T @ y)


def projector(x: np.ndarray) -> np.ndarray:
    """(XᵀX + λI)⁻¹ Xᵀ `[D, n]`, by which P = projector · B."""
    scatter = x.T @ x
    ridge = RIDGE * np.trace(scatter) / len(scatter) or 1.0  # 1 if there is no variance at all
    return np.linalg.solve(scatter + ridge * np.eye(len(scatter)), x.T)


def swept(codes: np.ndarray, y: np.ndarray, weights: np.ndarray, projected: np.ndarray) -> np.ndarray:
    """Codes after each bit was set in turn to the best value given the others."""
    codes = codes.copy()
    wanted = y @ weights.T + NU * projected  # Q, [n, bits]
    gram = weights @ weights.T
    for bit in range(codes.shape[1]):
        others = codes @ gram[:, bit] - codes[:, bit] * gram[bit, bit]  # B₋ₗ W₋ₗ w_lᵀ
        codes[:, bit] = signs(wanted[:, bit] - others)
    return codes


def objective(x: np.ndarray, y: np.ndarray, codes: np.ndarray, weights: np.ndarray, matrix: np.ndarray) -> float:
    """What is minimised: ‖Y − B W‖² + ‖W‖² + ν ‖B − X P‖²."""
    errors = ((y - codes @ weights) ** 2).sum() + (weights**2).sum()
    return float(errors + NU * ((codes - x @ matrix) ** 2).sum())


def clustered(x: np.ndarray, k: int) -> np.ndarray:
    """Cluster `[n]` of each row, of at most k."""
    import faiss  # not at the top, since listing the methods needs no faiss

    x = np.ascontiguousarray(x, np.float32)
    kmeans = faiss.Kmeans(x.shape[1], min(k, len(x)), niter=20, seed=SEED, min_points_per_centroid=1)
    kmeans.train(x)
    return kmeans.index.search(x, 1)[1][:, 0]
