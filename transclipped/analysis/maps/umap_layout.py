"""UMAP's layout of vectors, from their PCA and exact neighbours.

Equal vectors (frequent among short codes) are laid out once and share a position; else they would form clusters.

Source: McInnes et al. 2018, arXiv 1802.03426.
"""

from dataclasses import asdict

import numpy as np

from transclipped.analysis.maps.plane import pca, trustworthiness
from transclipped.analysis.maps.store import Map, UmapSettings
from transclipped.retrieval.vectors import nearest_others, unit

EPOCHS = 200  # of the layout: UMAP's default for more than 10,000 points, and enough for fewer
WRITE_EVERY = 0.25  # seconds between two progress reports


def umap_map(vectors: np.ndarray, settings: UmapSettings, *, report=lambda step, done: None) -> Map:
    """Lay out `[n, D]` by UMAP over exact neighbours, from its PCA; imports umap. Deterministic for a seed.

    Args:
        report: called with the step and the share done.
    """
    different, place = np.unique(vectors, axis=0, return_inverse=True)
    place = place.reshape(-1)
    if len(different) < 4:
        return Map(pca(different).xy[place], None, asdict(settings))
    report("finding neighbours", 0.0)
    k = min(settings.n_neighbors, len(different) - 1)
    distances, rows = nearest_others(different, k - 1, metric=settings.metric)
    rows = np.column_stack([np.arange(len(rows)), rows])  # UMAP expects every point as its own first neighbour
    distances = np.pad(distances, ((0, 0), (1, 0)))
    report("loading UMAP", 0.05)
    import umap

    begin = pca(different).xy
    begin = begin * (10 / max(1e-9, np.abs(begin).max()))
    model = umap.UMAP(
        n_neighbors=k,
        min_dist=settings.min_dist,
        metric=settings.metric,
        random_state=settings.seed,
        n_jobs=1,
        n_epochs=EPOCHS,
        init=begin + np.random.default_rng(settings.seed).normal(0, 1e-3, begin.shape).astype(np.float32),
        precomputed_knn=(rows, distances),
        verbose=True,
        tqdm_kwds={"file": _Epochs(report), "bar_format": "{n}/{total} ", "mininterval": WRITE_EVERY, "disable": False},
    )
    xy = model.fit_transform(unit(different) if settings.metric == "cosine" else different)
    report("measuring trust", 0.97)
    return Map(xy[place], trustworthiness(different, xy, metric=settings.metric), asdict(settings))


class _Epochs:
    """A file that tqdm writes "n/total" into, to report progress."""

    def __init__(self, report) -> None:
        self._report = report

    def write(self, text: str) -> None:
        done, slash, total = text.strip().partition("/")
        if slash and done.isdecimal() and total.isdecimal() and int(total):
            self._report("laying out", 0.15 + 0.8 * int(done) / int(total))

    def flush(self) -> None:
        """Nothing is buffered."""
