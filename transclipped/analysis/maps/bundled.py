"""Maps that come with the app, for the bundled runs, computed beforehand by `umap_layout`.

A file holds all maps of one run's queries, or of the sample of its database, in `assets/maps`:

    <content>.npz   xy [m, n, 2] uint16, each map in its own square · about, JSON: one entry per map, with kind of
                    embedding, UMAP settings (null: PCA), trustworthiness, the square's corner and side, and optionally
                    PCA's share of the variance

`content` hashes codes, codebooks, queries, ids, and the fingerprints of images and backbone; after retraining it
changes, so no old map is displayed. Embeddings are not hashed: those of the backbone exist only where they have been
computed, and differ in the last bit between machines.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from transclipped.analysis.maps.plane import pca
from transclipped.analysis.maps.projections import BACKBONE, KINDS, QUERIES, SETTINGS_COMPARED
from transclipped.analysis.maps.store import FORMAT, Items, Map, UmapSettings
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS, replacing

FOLDER = ASSETS / "maps"
STEPS = 65535  # of a coordinate: a hundredth of a pixel on a panel of 600

Bundled = dict[tuple[str, UmapSettings | None], Map]  # by kind of embedding and settings, None for PCA
Layout = Callable[[np.ndarray, UmapSettings], Map]


def content(run: RunDir, stored: Retrieval, which: str) -> str:
    """Hash of what a run's maps show, 16 hex digits; the same for a copy of the run elsewhere."""
    is_queries = which == QUERIES
    ids, items = (stored.query_ids, stored.queries) if is_queries else (stored.database_ids, stored.codes)
    facts = [run.record.get(name) for name in ("data_fingerprint", "backbone_fingerprint", "image_size")]
    digest = hashlib.sha256(f"{FORMAT} {which} {facts} {items.shape} {ids.tolist()}".encode())
    for array in (stored.codebooks, items):
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def load(name: str, n: int, *, folder: Path | None = None) -> Bundled:
    """Maps of the n items of this content, from `folder` or the bundled ones; empty if missing or damaged."""
    try:
        with np.load((folder or FOLDER) / f"{name}.npz", allow_pickle=False) as file:
            places, about = file["xy"], json.loads(str(file["about"]))
        if places.dtype != np.uint16 or places.shape != (len(about), n, 2):
            return {}
        return dict(_decoded(xy, entry) for xy, entry in zip(places, about, strict=True))
    except Exception:  # numpy and zipfile raise many kinds for a damaged file; its maps can be recomputed
        return {}


def save(name: str, maps: Bundled, *, folder: Path) -> Path:
    """Write maps of the same items, atomically; positions are rounded to a grid of 65,535 steps per side."""
    entries = [_encoded(kind, settings, one) for (kind, settings), one in maps.items()]
    path = folder / f"{name}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        about = json.dumps([entry for _, entry in entries])
        np.savez_compressed(file, xy=np.stack([xy for xy, _ in entries]), about=np.array(about))
    return path


def wanted(points: Items) -> list[tuple[str, UmapSettings | None]]:
    """Maps computed beforehand: every kind at the page's default settings and those it compares.

    Also the backbone's PCA, since few machines have its embeddings; the PCA of other kinds is instant.
    """
    several = dict.fromkeys([UmapSettings().n_neighbors, *SETTINGS_COMPARED])
    maps: list[tuple[str, UmapSettings | None]] = [(BACKBONE, None)] if BACKBONE in points.vectors else []
    return maps + [(kind, UmapSettings(n_neighbors=n)) for kind in points.vectors for n in several]


def make(points: Items, layout: Layout, *, only: Iterable[UmapSettings] | None = None) -> Bundled:
    """Compute all `wanted` maps, or those with the settings `only`, by a `layout` such as `umap_layout.umap_map`."""
    some = None if only is None else {None, *only}
    return {
        (kind, settings): pca(points.vectors[kind]) if settings is None else layout(points.vectors[kind], settings)
        for kind, settings in wanted(points)
        if some is None or settings in some
    }


def kinds(points: Items, bundled: Bundled, settings: UmapSettings | None) -> list[str]:
    """Kinds of embedding that can be drawn: those available, and those with a bundled map."""
    return [kind for kind in KINDS if kind in points.vectors or (kind, settings) in bundled]


def prune(keep: Iterable[str], *, folder: Path) -> list[Path]:
    """Delete the maps of every other content, and nothing else; returns their files."""
    names = set(keep)
    maps = (path for path in folder.glob("*.npz") if re.fullmatch("[0-9a-f]{16}", path.stem))
    stale = sorted(path for path in maps if path.stem not in names)
    for path in stale:
        path.unlink()
    return stale


def _encoded(kind: str, settings: UmapSettings | None, layout: Map) -> tuple[np.ndarray, dict]:
    corner = layout.xy.min(0).astype(float)
    side = float((layout.xy.max(0) - corner).max()) or 1.0
    xy = np.rint((layout.xy - corner) / side * STEPS).astype(np.uint16)  # [n, 2]
    entry = {"kind": kind, "settings": None if settings is None else asdict(settings), "corner": corner.tolist()}
    entry |= {"side": side, "trustworthiness": layout.trustworthiness}
    share = layout.settings.get("variance") if settings is None else None
    return xy, entry if share is None else entry | {"variance": share}


def _decoded(xy: np.ndarray, entry: dict) -> tuple[tuple[str, UmapSettings | None], Map]:
    """Raises any exception for an invalid entry."""
    settings = None if entry["settings"] is None else UmapSettings(**entry["settings"])
    trust = entry["trustworthiness"]
    if entry["kind"] not in KINDS or not (trust is None or 0 <= float(trust) <= 1):
        raise ValueError(f"invalid entry {entry}")
    xy = np.asarray(entry["corner"], np.float32).reshape(2) + xy.astype(np.float32) * (float(entry["side"]) / STEPS)
    if not np.isfinite(xy).all():
        raise ValueError("positions must be finite")
    how = {"method": "pca"} if settings is None else asdict(settings)
    if settings is None and "variance" in entry:
        how["variance"] = min(1.0, max(0.0, float(entry["variance"])))
    return (entry["kind"], settings), Map(xy, trust, how)
