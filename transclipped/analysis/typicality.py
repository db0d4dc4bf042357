"""Which images are typical of a group, and which of nothing: a mixture of Betas with possibilistic memberships.

Numbers x in (0, 1) of a cluster j follow independent Betas, one for each feature s. With the distance

    d_ijs = ln Beta(mode; α_js, β_js) − ln Beta(x_is; α_js, β_js) ≥ 0,   D_ij = Σ_s w_js² d_ijs,   Σ_s w_js = 1,

and the posterior z_ij of cluster j, each round sets

    u_ij = 1 / (1 + D_ij / η_j),   η_j = Σ_i z_ij u_ij² D_ij / Σ_i z_ij u_ij²,   w_js ∝ Σ_i z_ij u_ij² ln Beta(x_is)

and α, β by weighted moments and two Newton steps on their likelihood. The typicality u is no share: an image far from
all clusters has a small one for each. Clusters that hold little go, and so does one of twins, and any that
makes its items less than K times as likely as scattering does, with K clusters at the start: as much comes of cutting
noise into K parts. This finds their number.

Three choices are ours, as only abstracts of the source are public. The posterior does not enter u itself, where it
would make an image typical of every cluster that it does not belong to. A feature weighs by how much likelier a cluster
makes its numbers than scattering does; 1 / Σ z u² d would make all weights equal, since d is measured in each Beta's
own width. And η is at most what D is on average within a Beta cluster, about ½ Σ_s w_js², so that scattered noise is
typical of nothing.

On embeddings of photographs one cluster is left, be it in 4, 8 or 16 features: η follows its own memberships, so dense
clusters shrink to fewer typical images than `SHARE`, and broad ones are hardly likelier than scattering.
`analysis.outliers` measures typicality without clusters.

References:
    Ben Ismail & Frigui 2014, Information Sciences: robust learning of Dirichlet mixtures; a reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, ndtr, polygamma

from transclipped.errors import InputError
from transclipped.retrieval.checks import rows
from transclipped.retrieval.vectors import unit

FEATURES = 16  # of embeddings: directions of largest variance
MARGIN = 1e-3  # numbers are moved into [MARGIN, 1 − MARGIN]
CLUSTERS, ROUNDS = 12, 60  # at the start; at most
LEAST = 3.0  # typical images that a cluster holds at least
SHARE = 0.02  # and the share of all images
LITTLE = 0.02  # nats: what a feature weighs in which a cluster is scattered
ALPHA = (1.05, 500.0)  # range of α and β: a Beta has one mode, and no infinite one


@dataclass(frozen=True)
class Typicality:
    """Clusters of n items.

    Attributes:
        u: `[n, K]`, typicality in [0, 1]. weights: `[K, D]`, a cluster's weights of the features; rows sum to 1.
        alpha, beta: `[K, D]`.
    """

    u: np.ndarray
    weights: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """Typicality `[n]` of the cluster that an item is most typical of."""
        return self.u.max(1, initial=0)

    @property
    def cluster(self) -> np.ndarray:
        """That cluster `[n]`, 0 without any."""
        return self.u.argmax(1) if self.u.shape[1] else np.zeros(len(self.u), np.int64)


def squeezed(vectors: np.ndarray, *, features: int = FEATURES) -> np.ndarray:
    """Vectors `[n, D]` as numbers in (0, 1) `[n, min(features, D)]`: standardised directions of largest variance."""
    x = unit(rows(vectors)).astype(np.float64)
    x = x - x.mean(0) if len(x) else x
    values, axes = np.linalg.eigh(x.T @ x)
    axes = axes[:, np.argsort(-values)[:features]]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])  # eigenvectors have no sign of their own
    x = x @ axes
    deviation = x.std(0) if len(x) else np.ones(x.shape[1])
    return ndtr(x / np.where(deviation > 1e-9, deviation, 1))


def typicality(x: np.ndarray, *, clusters: int = CLUSTERS, seed: int = 0) -> Typicality:
    """Typicality of items `[n, D]` with numbers in [0, 1].

    Raises:
        InputError: a number is not finite or not in [0, 1], or `clusters` is below 1.
    """
    x = rows(x).astype(np.float64)
    if clusters < 1:
        raise InputError(f"clusters is {clusters}; choose 1 or more")
    if x.size and not 0 <= x.min() <= x.max() <= 1:
        raise InputError("typicality needs numbers from 0 to 1; squeeze vectors first")
    x = x.clip(MARGIN, 1 - MARGIN)
    if not len(x):
        empty = np.zeros((0, x.shape[1]))
        return Typicality(np.zeros((0, 0)), empty, empty, empty)
    z = _start(x, clusters, seed)
    u, scattered = np.ones(z.shape), np.log(z.shape[1])  # nats that cutting noise into K parts gains
    for _ in range(ROUNDS):
        before = u
        u, w, alpha, beta, density, gain = _update(x, z, u)
        z = _posterior(density.sum(2), z * u)
        sizes = {"size": (z * u).sum(0), "gain": gain.sum(1) - scattered, "least": max(LEAST, SHARE * len(x))}
        keep = _kept(x, alpha, beta, z * u**2, density.sum(2), **sizes)
        if not keep.all():
            u, z, before = u[:, keep], _share(z[:, keep]), before[:, keep]
        elif np.abs(u - before).max() < 1e-3:
            break
    u, w, alpha, beta, _, _ = _update(x, z, u)
    return Typicality(u, w, alpha, beta)


def _start(x: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Posterior `[n, K]` of k-means."""
    import faiss

    k = max(1, min(clusters, len(x) // 2))
    means = faiss.Kmeans(x.shape[1], k, seed=seed + 1, min_points_per_centroid=1)
    means.train(np.ascontiguousarray(x, np.float32))
    near = means.index.search(np.ascontiguousarray(x, np.float32), 1)[1][:, 0]
    return np.eye(k)[near]


def _betas(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """α and β `[K, D]` of items `[n, D]` with weights `[n, K]`: by moments, then two Newton steps."""
    total = np.maximum(weight.sum(0), 1e-9)[:, None]
    mean = np.clip(weight.T @ x / total, MARGIN, 1 - MARGIN)
    variance = np.maximum(weight.T @ x**2 / total - mean**2, 1e-6)
    size = np.maximum(mean * (1 - mean) / variance - 1, 1e-3)
    alpha, beta = np.clip(mean * size, *ALPHA), np.clip((1 - mean) * size, *ALPHA)
    logs = weight.T @ np.log(x) / total, weight.T @ np.log1p(-x) / total
    for _ in range(2):
        both = digamma(alpha + beta)
        g, h = logs[0] - digamma(alpha) + both, logs[1] - digamma(beta) + both
        t = polygamma(1, alpha + beta)
        a, b = t - polygamma(1, alpha), t - polygamma(1, beta)  # of the Hessian, t beside its diagonal
        det = a * b - t**2
        safe = np.where(det > 1e-12, det, 1.0)
        step = np.where(det > 1e-12, np.stack([b * g - t * h, a * h - t * g]) / safe, 0.0)
        alpha, beta = (np.clip(p - np.clip(s, -p / 2, p / 2), *ALPHA) for p, s in zip((alpha, beta), step, strict=True))
    return alpha, beta


def _distances(x: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d and the logarithm of each cluster's density in each feature, `[n, K, D]`."""
    mode = (alpha - 1) / (alpha + beta - 2)
    highest = (alpha - 1) * np.log(mode) + (beta - 1) * np.log1p(-mode)
    here = (alpha - 1) * np.log(x)[:, None] + (beta - 1) * np.log1p(-x)[:, None]
    return np.maximum(0, highest - here), here - betaln(alpha, beta)


def _update(x: np.ndarray, z: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, ...]:
    """u, w, α and β of a round, then ln Beta of each item `[n, K, D]` and its mean `[K, D]`."""
    weight = z * u**2
    alpha, beta = _betas(x, weight)
    d, density = _distances(x, alpha, beta)
    gain = np.einsum("ik,ikd->kd", weight, density) / np.maximum(weight.sum(0), 1e-9)[:, None]
    return *_memberships(d, z, u, gain), alpha, beta, density, gain


def _memberships(d: np.ndarray, z: np.ndarray, u: np.ndarray, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u `[n, K]` and w `[K, D]` from the distances and the mean ln Beta `[K, D]`."""
    weight, w = z * u**2, np.maximum(gain, LITTLE)
    w /= w.sum(1, keepdims=True)
    distance = np.einsum("ikd,kd->ik", d, w**2)
    eta = (weight * distance).sum(0) / np.maximum(weight.sum(0), 1e-9)
    eta = np.clip(eta, 1e-9, (w**2).sum(1) / 2)
    return 1 / (1 + distance / eta), w


def _posterior(density: np.ndarray, share: np.ndarray) -> np.ndarray:
    """z `[n, K]`, with clusters as likely as their typical items are many."""
    logit = density + np.log(np.maximum(share.sum(0), 1e-9))
    z = np.exp(logit - logit.max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def _share(z: np.ndarray) -> np.ndarray:
    total = z.sum(1, keepdims=True)
    return np.where(total > 1e-12, z / np.where(total > 0, total, 1), 1 / max(1, z.shape[1]))


def _kept(
    x: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    z: np.ndarray,
    density: np.ndarray,
    *,
    size: np.ndarray,
    gain: np.ndarray,
    least: float,
) -> np.ndarray:
    """Which clusters `[K]` stay, of which at most one goes: scattered, too small, or the smaller of two twins."""
    keep = np.ones(len(alpha), bool)
    if len(alpha) == 1:
        return keep
    if gain.min() < 0:
        keep[gain.argmin()] = False
    elif size.min() < least:
        keep[size.argmin()] = False
    else:
        mode = (alpha - 1) / (alpha + beta - 2)
        d, _ = _distances(mode.clip(MARGIN, 1 - MARGIN), alpha, beta)  # [K, K, D]: of the mode of one to another
        apart = d.sum(2) + d.sum(2).T + np.where(np.eye(len(alpha)), np.inf, 0)
        j, k = np.unravel_index(apart.argmin(), apart.shape)
        if _twins(x, z[:, [j, k]], density[:, [j, k]]):
            keep[k if size[k] < size[j] else j] = False
    return keep


def _twins(x: np.ndarray, z: np.ndarray, density: np.ndarray) -> bool:
    """Whether one Beta describes the items of two clusters, by weight and log density `[n, 2]`, as well (BIC)."""
    both = z.sum(1, keepdims=True)
    one = _distances(x, *_betas(x, both))[1].sum(2)  # [n, 1]
    share = z.sum(0) / max(float(z.sum()), 1e-9)
    two = np.logaddexp.reduce(density + np.log(np.maximum(share, 1e-9)), 1, keepdims=True)
    return float((both * (two - one)).sum()) < x.shape[1] * np.log(max(2.0, float(both.sum())))
