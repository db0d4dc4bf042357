"""Maps that come with the app: those a visitor of a bundled run sees first, laid out beforehand by `umap_layout`.

A file holds all maps of one run's queries, or of the sample of its database, in `assets/maps`:

    <content>.npz   xy [m, n, 2] uint16, each map in its own square · about, JSON: one entry a map, with kind of
                    embedding, UMAP settings (null: PCA), trustworthiness, and the square's corner and side

`content` names what the embeddings were: codes, codebooks, queries, ids, and the fingerprints of images and backbone.
A run that was trained anew has another, so an old map is never shown for it. Embeddings themselves could not name it:
the backbone's are only there where they have been computed, and differ in the last bit from machine to machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from transclipped.analysis.maps.plane import pca
from transclipped.analysis.maps.projections import BACKBONE, KINDS, QUERIES, SETTINGS_COMPARED, Items
from transclipped.analysis.maps.store import FORMAT, Map, UmapSettings
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS, replacing

FOLDER = ASSETS / "maps"
STEPS = 65535  # of a coordinate: a hundredth of a pixel on a panel of 600

Bundled = dict[tuple[str, UmapSettings | None], Map]  # by kind of embedding and settings, None for PCA
Layout = Callable[[np.ndarray, UmapSettings], Map]


def content(run: RunDir, stored: Retrieval, which: str) -> str:
    """Names what a run's maps show, by content: 16 hex digits. The same for a copy of the run elsewhere."""
    asked = which == QUERIES
    ids, items = (stored.query_ids, stored.queries) if asked else (stored.database_ids, stored.codes)
    known = [run.record.get(name) for name in ("data_fingerprint", "backbone_fingerprint", "image_size")]
    found = hashlib.sha256(f"{FORMAT} {which} {known} {items.shape} {ids.tolist()}".encode())
    for array in (stored.codebooks, items):
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()[:16]


def load(name: str, n: int, *, folder: Path | None = None) -> Bundled:
    """Maps of the n items of this content; empty where there are none, or where their file is damaged.

    Args:
        folder: of maps; the bundled one if None.
    """
    try:
        with np.load((folder or FOLDER) / f"{name}.npz", allow_pickle=False) as file:
            places, about = file["xy"], json.loads(str(file["about"]))
        if places.dtype != np.uint16 or places.shape != (len(about), n, 2):
            return {}
        return dict(_unpacked(xy, entry) for xy, entry in zip(places, about, strict=True))
    except Exception:  # numpy and zipfile raise many kinds for one damaged file, and its maps can be made anew
        return {}


def save(name: str, maps: Bundled, *, folder: Path) -> Path:
    """Write maps of the same items, atomically; places are rounded to a grid of 65,535 steps a side."""
    packed = [_packed(kind, settings, found) for (kind, settings), found in maps.items()]
    path = folder / f"{name}.npz"
    with replacing(path) as temporary, temporary.open("wb") as file:
        about = json.dumps([entry for _, entry in packed])
        np.savez_compressed(file, xy=np.stack([xy for xy, _ in packed]), about=np.array(about))
    return path


def wanted(shown: Items) -> list[tuple[str, UmapSettings | None]]:
    """What is laid out beforehand: every kind at the page's own settings and those it compares.

    The backbone's PCA too, since its embeddings are not on every machine; the others' is at once.
    """
    several = dict.fromkeys([UmapSettings().n_neighbors, *SETTINGS_COMPARED])
    maps: list[tuple[str, UmapSettings | None]] = [(BACKBONE, None)] if BACKBONE in shown.vectors else []
    return maps + [(kind, UmapSettings(n_neighbors=n)) for kind in shown.vectors for n in several]


def make(shown: Items, layout: Layout, *, only: Iterable[UmapSettings] | None = None) -> Bundled:
    """Lay out all that is `wanted`, or of it what has one of these settings.

    Args:
        layout: of vectors `[n, D]`, such as `umap_layout.umap_map`.
    """
    some = None if only is None else {None, *only}
    return {
        (kind, settings): pca(shown.vectors[kind]) if settings is None else layout(shown.vectors[kind], settings)
        for kind, settings in wanted(shown)
        if some is None or settings in some
    }


def kinds(shown: Items, bundled: Bundled, settings: UmapSettings | None) -> list[str]:
    """Kinds of embedding that can be drawn so: those that are here, and those whose map is."""
    return [kind for kind in KINDS if kind in shown.vectors or (kind, settings) in bundled]


def prune(keep: Iterable[str], *, folder: Path) -> list[Path]:
    """Delete the maps of every other content; returns their files. Files of other names are not ours to delete."""
    kept = set(keep)
    ours = (path for path in folder.glob("*.npz") if re.fullmatch("[0-9a-f]{16}", path.stem))
    stale = sorted(path for path in ours if path.stem not in kept)
    for path in stale:
        path.unlink()
    return stale


def _packed(kind: str, settings: UmapSettings | None, found: Map) -> tuple[np.ndarray, dict]:
    corner = found.xy.min(0).astype(float)
    side = float((found.xy.max(0) - corner).max()) or 1.0
    xy = np.rint((found.xy - corner) / side * STEPS).astype(np.uint16)  # [n, 2]
    entry = {"kind": kind, "settings": None if settings is None else asdict(settings), "corner": corner.tolist()}
    return xy, entry | {"side": side, "trustworthiness": found.trustworthiness}


def _unpacked(xy: np.ndarray, entry: dict) -> tuple[tuple[str, UmapSettings | None], Map]:
    """Raises: whatever a wrong entry makes of it."""
    settings = None if entry["settings"] is None else UmapSettings(**entry["settings"])
    trust = entry["trustworthiness"]
    if entry["kind"] not in KINDS or not (trust is None or 0 <= float(trust) <= 1):
        raise ValueError(f"no map is like {entry}")
    places = np.asarray(entry["corner"], np.float32).reshape(2) + xy.astype(np.float32) * (float(entry["side"]) / STEPS)
    if not np.isfinite(places).all():
        raise ValueError("places must be finite")
    how = {"method": "pca"} if settings is None else asdict(settings)
    return (entry["kind"], settings), Map(places, trust, how)
