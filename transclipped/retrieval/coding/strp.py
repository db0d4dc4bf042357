"""Supervised choice of random bits, with neighbours as the supervision: no label is used.

Of 2,048 random sign neurons on the first 64 principal axes, 256 are kept greedily: the largest agreement on similar
pairs (mutual 10 nearest neighbours) minus agreement on random pairs, minus the largest correlation with one that is
already kept. Of those, the bits are the most important for bagged trees that tell similar from random pairs by the
agreements of the 256.

Source: Fakhr et al. 2018, ST-RPNN, Neural Computing and Applications, known to us by its abstract.
"""

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex, whole_bytes
from transclipped.retrieval.coding.signs import sign_index
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.vectors import nearest_others
from transclipped.retrieval.whitening.pca import pca as principal

AXES, NEURONS, KEPT, TREES, SEED = 64, 2048, 256, 50, 0
NEAREST = 10
VECTORS, PAIRS = 4096, 4000  # most that the choice looks at


def fit(vectors: np.ndarray, *, bits: int = 32) -> State:
    """`mean` `[D]` and `matrix` `[D, bits]`, float32."""
    whole_bytes("strp", bits)
    x = training_rows(vectors, "strp")
    rng = np.random.default_rng(SEED)
    axes = principal(x, AXES)
    y = axes(x[rng.permutation(len(x))[:VECTORS]]).astype(np.float32)
    neurons = rng.normal(size=(y.shape[1], NEURONS)).astype(np.float32)
    active = y @ neurons >= 0  # [n, NEURONS]
    similar = mutual(y, rng)
    other = rng.integers(len(y), size=similar.shape)
    agreements = [active[pairs[:, 0]] == active[pairs[:, 1]] for pairs in (similar, other)]
    kept = chosen(agreements, active)
    best = kept[important([agreement[:, kept] for agreement in agreements])[:bits]]
    return {"mean": axes.mean.astype(np.float32), "matrix": (axes.matrix @ neurons[:, best]).astype(np.float32)}


@stage(
    "strp",
    kind="coding",
    idea="Out of many random bits, keep those that neighbours share and random pairs do not.",
    formula="argmax_j P(equal | similar) − P(equal | random) − max |corr| with those kept; then by importance in trees",
    source="NCAA 2018",
    fit=fit,
    bounds={"bits": (8, KEPT)},
)
def strp(vectors: np.ndarray, state: State, *, bits: int = 32) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("strp", len(state["mean"]), x.shape[1])
        return (x - state["mean"]) @ state["matrix"]

    return sign_index(vectors, project)


def mutual(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `PAIRS` pairs `[p, 2]` of rows that are each among the other's 10 nearest."""
    k = min(NEAREST, len(y) - 1)
    if k < 1:
        return np.zeros((0, 2), np.int64)
    near = nearest_others(y, k)[1]
    pairs = np.stack([np.repeat(np.arange(len(y)), k), near.ravel()], 1)
    code = pairs[:, 0] * len(y) + pairs[:, 1]
    both = np.isin(code, pairs[:, 1] * len(y) + pairs[:, 0]) & (pairs[:, 0] < pairs[:, 1])
    return rng.permutation(pairs[both])[:PAIRS]


def chosen(agreements: list[np.ndarray], active: np.ndarray) -> np.ndarray:
    """The `KEPT` neurons, best first, by agreements `[p, J]` on similar and other pairs and activities `[n, J]`."""
    similar, other = agreements
    gain = similar.mean(0) - other.mean(0) if len(similar) else np.zeros(active.shape[1])
    z = active - active.mean(0, dtype=np.float32)
    z /= np.maximum(np.linalg.norm(z, axis=0), 1e-6)
    return greedy(gain, np.abs(z.T @ z), KEPT)


def greedy(gain: np.ndarray, correlation: np.ndarray, n: int) -> np.ndarray:
    """n of J candidates, each the best by gain `[J]` minus its largest correlation `[J, J]` with those before it."""
    penalty = np.zeros(len(gain))
    result: list[int] = []
    for _ in range(min(n, len(gain))):
        worth = gain - penalty
        worth[result] = -np.inf
        best = int(worth.argmax())
        result.append(best)
        penalty = np.maximum(penalty, correlation[best])
    return np.array(result)


def important(agreements: list[np.ndarray]) -> np.ndarray:
    """Neurons by importance for trees that tell similar from other pairs; in their order where there are no pairs."""
    if not len(agreements[0]):
        return np.arange(agreements[0].shape[1])
    from sklearn.ensemble import RandomForestClassifier  # imported late, since it takes a second

    forest = RandomForestClassifier(TREES, max_depth=8, random_state=SEED)
    forest.fit(np.concatenate(agreements), np.repeat([1, 0], [len(agreement) for agreement in agreements]))
    return np.argsort(-forest.feature_importances_, kind="stable")
