"""Thresholds that need no label, from the distribution of similarities alone.

Pairs of the same and of different classes form two overlapping humps. Otsu cuts where both sides differ most,
maximising w₀ w₁ (μ₀ − μ₁)²; a mixture of two normal distributions, fitted by expectation-maximisation, cuts where a
pair is equally likely to come from either hump. Both work on a histogram: time does not depend on the number of pairs.

Sources: Otsu 1979, doi 10.1109/TSMC.1979.4310076; Dempster, Laird & Rubin 1977 (expectation-maximisation).
"""

import numpy as np

BINS = 256
ROUNDS = 100  # of expectation-maximisation; converges to 1e-3 much earlier


def otsu(values: np.ndarray) -> float:
    """Threshold above which the values differ most from those below; the largest value where all are equal."""
    counts, edges = np.histogram(values, bins=BINS)
    middle = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()[:-1]  # a cut after each bin but the last
    above = len(values) - below
    total = (counts * middle).cumsum()
    cut = (below > 0) & (above > 0)
    if len(values) == 0 or not cut.any() or values.min() == values.max():
        return float(values.max(initial=-1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = total[:-1] / below - (total[-1] - total[:-1]) / above
        between = np.where(cut, below * 1.0 * above * gap**2, -1.0)
    best = np.flatnonzero(between == between.max())  # several cuts tie if bins between the humps are empty
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def mixture(values: np.ndarray) -> float:
    """Threshold above which the upper of two normal distributions is the likelier origin, else the largest value."""
    start = otsu(values)
    if len(values) == 0 or values.min() == values.max():
        return start
    counts, edges = np.histogram(values, bins=BINS)
    x, width = (edges[:-1] + edges[1:]) / 2, edges[1] - edges[0]
    upper = np.where(x > start, 0.99, 0.01)  # [bins], probability that its pairs belong to the upper hump
    for _ in range(ROUNDS):
        share = np.stack([1 - upper, upper]) * counts  # [2, bins]
        weight = share.sum(1, keepdims=True) + 1e-12
        mean = (share * x).sum(1, keepdims=True) / weight
        variance = (share * (x - mean) ** 2).sum(1, keepdims=True) / weight + width**2
        log_density = np.log(weight) - np.log(variance) / 2 - (x - mean) ** 2 / (2 * variance)
        upper = 1 / (1 + np.exp(np.clip(log_density[0] - log_density[1], -700, 700)))
    likelier = np.flatnonzero((upper > 0.5) & (x > mean[0]))
    return float(edges[likelier[0]]) if len(likelier) else float(values.max())
