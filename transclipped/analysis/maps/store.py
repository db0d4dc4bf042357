"""Items, settings and results of a map, and the cache of maps, keyed by the content of the vectors and the settings.

Source of UMAP, which `umap_layout` runs: McInnes et al. 2018, arXiv 1802.03426.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, replacing

METRICS = ("cosine", "euclidean")
FORMAT = 1  # of a stored map; increase it to discard all stored maps


@dataclass(frozen=True)
class Items:
    """Images on a map.

    Attributes:
        which: "queries" or "database".
        ids: `[n]`. labels: `[n]`, `[n, L]`, or None. codes: `[n, M]` uint8.
        vectors: by kind of embedding, `[n, D]` float32, the backbone's float16; quantized is always included.
    """

    which: str
    ids: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    vectors: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digests(self) -> dict[str, str]:
        """`digest` of each kind of embedding; cached, since vectors can take megabytes."""
        return {kind: digest(vectors) for kind, vectors in self.vectors.items()}


@dataclass(frozen=True, kw_only=True)
class UmapSettings:
    """How UMAP lays out a map.

    Attributes:
        n_neighbors: size of the preserved neighbourhood, 2 or more: small shows detail, large the overall structure.
        min_dist: smallest gap between points on the plane, in [0, 1].
        metric: of the embedding.
        seed: of the layout.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: str = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_neighbors < 2:
            raise InputError(f"n_neighbors is {self.n_neighbors}; choose 2 or more")
        if not 0 <= self.min_dist <= 1:  # refuses NaN too
            raise InputError(f"min_dist is {self.min_dist}; choose from [0, 1]")
        if self.metric not in METRICS:
            raise InputError(f"metric is {self.metric!r}; choose {' or '.join(METRICS)}")


@dataclass(frozen=True)
class Map:
    """Positions `[n, 2]` float32, trustworthiness in [0, 1] (None for too few points), and its settings."""

    xy: np.ndarray
    trustworthiness: float | None
    settings: dict[str, Any] = field(default_factory=dict)


def digest(vectors: np.ndarray) -> str:
    """64 hex digits of vectors `[n, D]` as float32."""
    content = hashlib.sha256(str(vectors.shape).encode())
    content.update(np.ascontiguousarray(vectors, np.float32))
    return content.hexdigest()


def map_key(content: str, settings: UmapSettings) -> str:
    """Name of a stored map: 16 hex digits of the `digest` of its vectors and the settings."""
    return hashlib.sha256(f"{FORMAT} {sorted(asdict(settings).items())} {content}".encode()).hexdigest()[:16]


def stored_map(key: str) -> Map | None:
    """A map from the cache; None if missing or damaged."""
    try:
        with np.load(maps_dir() / f"{key}.npz", allow_pickle=False) as file:
            trust = float(file["trustworthiness"])
            return Map(file["xy"], None if np.isnan(trust) else trust, {"method": "umap"})
    except Exception:  # numpy and zipfile raise many kinds for a damaged file; it is recomputed
        return None


def store_map(key: str, layout: Map) -> Path:
    """Write a map, atomically."""
    path = maps_dir() / f"{key}.npz"
    trust = np.nan if layout.trustworthiness is None else layout.trustworthiness
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, xy=layout.xy.astype(np.float32), trustworthiness=trust)
    return path


def maps_dir() -> Path:
    """Folder of computed maps."""
    return cache_dir() / "maps"
