"""Collections: images turned into codes by one run, to be searched; more are added without training.

    retrieval.npz    codebooks, codes, ids and labels, as in a run, without queries
    codes.parquet    for other programs, one line an image: id, code, and the file (path, size, mtime_ns)
    collection.json  which model made it, of which folders, what was skipped

Encoding again looks at new and changed files only: a code stays as long as path, size and time of its file do.
Embeddings go through the feature cache, so an encoding that was stopped goes on where it was. Memory is bounded by
`BLOCK`, not by the collection.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transclipped.config import EMBEDDINGS, IDENTITY, DataConfig
from transclipped.datasets.base import UNLABELLED, ImageSet
from transclipped.datasets.folder import Folder
from transclipped.datasets.registry import load as load_images
from transclipped.errors import InputError
from transclipped.features.cache import FeatureCache, Progress
from transclipped.models.backbone import Backbone
from transclipped.models.head import Head, embed_in_batches
from transclipped.retrieval.store import Retrieval
from transclipped.runs.records import read_collection
from transclipped.runs.run import RunDir
from transclipped.runs.session import as_trained, trained_model
from transclipped.utils.files import hold, replacing, write_json

BLOCK = 65_536  # embeddings that are coded in one go
NO_FILE = ("", -1, -1)  # of a collection that does not tell its files


@dataclass(frozen=True)
class CollectionItems:
    """Coded images: ids `[n]`, codes `[n, M]` uint8, labels `[n]`, `[n, L]` or None, and the files they are of.

    files: `[n]` of (absolute path, bytes, mtime_ns); an embedding's is "FILE#id".
    """

    ids: np.ndarray
    codes: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    files: list[tuple[str, int, int]]

    def __len__(self) -> int:
        return len(self.ids)

    def chosen(self, rows: np.ndarray) -> CollectionItems:
        """Some of them."""
        labels = None if self.labels is None else self.labels[rows]
        return CollectionItems(
            self.ids[rows], self.codes[rows], labels, self.class_names, [self.files[row] for row in rows]
        )


def encode_folder(
    run: RunDir, config: DataConfig, out: Path, *, add: bool = False, device: str = "cpu"
) -> Iterator[Progress]:
    """Make, or bring up to date, a collection of what `config` names; can be stopped and started again.

    Args:
        config: a folder of images, or a file of embeddings if the run was trained on such.
        add: keep what the collection holds of other folders; else it becomes this folder alone.

    Raises:
        InputError: the run has no model, there is nothing to encode, or the disk has no room.
    """
    started = time.monotonic()
    _check_kind(run, config)
    images = as_trained(load_images(config), run)
    trained_at = None if config.dataset == EMBEDDINGS else run.record.get("image_size")
    backbone, head = trained_model(run, default_size=trained_at or images.default_size)
    with hold(out):
        yield from _encoded(run, config, images, backbone, head, out, add=add, device=device, started=started)


def _encoded(
    run: RunDir, config: DataConfig, images: ImageSet, backbone: Backbone, head: Head, out: Path, *,
    add: bool, device: str, started: float,
) -> Iterator[Progress]:  # fmt: skip
    model = stamp(head.quantizer.codewords().detach().numpy())
    before, record = _earlier(out, model, add=add)
    files = _files(images, config)
    known = {file: row for row, file in enumerate(before.files)} if before else {}
    codes = np.zeros((len(images), head.shape[0]), np.uint8)
    old = np.array([known.get(file, -1) for file in files], np.int64)
    if before:
        codes[old >= 0] = before.codes[old[old >= 0]]
    new = np.flatnonzero(old < 0)
    cache = FeatureCache(images, backbone if run.config.backbone.train == "frozen" else backbone.refreshed())
    yield from cache.fill(0, new, device=device)
    new = images.readable(new)
    usable = images.readable(np.arange(len(images)))
    _code(head, cache, new, codes)
    items = CollectionItems(images.ids, codes, images.labels, images.class_names, files).chosen(usable)
    if not len(items):
        raise InputError(f"none of the {len(images):,} images in {config.data} can be read; is their disk there?")
    if add and before:
        elsewhere = [row for row, file in enumerate(before.files) if not _below(file[0], config)]
        items = joined(before.chosen(np.array(elsewhere, np.int64)), items)
    _write(out, items, head.quantizer.codewords().detach().numpy())
    folders = [*(record.get("folders", []) if add else []), str(Path(config.data).expanduser().resolve())]
    facts = {"n_encoded": len(new), "n_reused": len(usable) - len(new), "folders": list(dict.fromkeys(folders))}
    write_json(out / "collection.json", _record(run, images, items, model, time.monotonic() - started) | facts)


def joined(first: CollectionItems, second: CollectionItems) -> CollectionItems:
    """Both, one after the other; an id that is taken gets its folder's name before it, or its whole path."""
    taken, ids = set(first.ids.tolist()), []
    for name, file in zip(second.ids.tolist(), second.files, strict=True):
        folder = file[0].removesuffix(str(name)).rstrip("/#").rpartition("/")[2]
        name = next(choice for choice in (name, f"{folder}/{name}", file[0], f"{file[0]} again") if choice not in taken)
        taken.add(name)
        ids.append(name)
    labels, names = _joined_labels(first, second)
    codes = np.concatenate([first.codes, second.codes])
    return CollectionItems(
        np.array([*map(str, first.ids), *map(str, ids)]), codes, labels, names, first.files + second.files
    )


def record_of(collection: Path, codebooks: np.ndarray, *, run: Path) -> dict[str, Any]:
    """collection.json.

    Raises:
        InputError: it is missing, or the collection is another model's.
    """
    record = read_collection(collection / "collection.json")
    if record["model"] != stamp(codebooks):
        raise InputError(f"{collection} was encoded by another model than {run}; run `encode` again with this one")
    return record


def paths_of(collection: Path) -> list[str | None]:
    """Absolute path of each image, None where the collection does not tell.

    Raises:
        InputError: codes.parquet is missing or damaged.
    """
    columns = _table(collection)
    return [path or None for path in columns.get("path", [None] * len(columns["id"]))]


def stamp(codebooks: np.ndarray) -> str:
    """Tells models apart by their codebooks."""
    return hashlib.sha256(np.ascontiguousarray(codebooks, np.float32).tobytes()).hexdigest()[:16]


def _check_kind(run: RunDir, config: DataConfig) -> None:
    if (run.config.backbone.name == IDENTITY) != (config.dataset == EMBEDDINGS):
        raise InputError(
            f"{run.path} was trained on "
            + ("embeddings made elsewhere and cannot look at images; give it a file of such embeddings"
               if run.config.backbone.name == IDENTITY else
               f"images; {config.data} holds embeddings: train on such first, with --dataset {EMBEDDINGS}")
        )  # fmt: skip


def _earlier(out: Path, model: str, *, add: bool) -> tuple[CollectionItems | None, dict[str, Any]]:
    """What a collection holds already, if the same model made it."""
    if not (out / "collection.json").exists():
        return None, {}
    try:
        record = read_collection(out / "collection.json")
    except InputError:
        if add:
            raise
        return None, {}
    if record["model"] != model:
        if add:
            raise InputError(f"{out} was encoded by another model; leave --add out to encode it anew with this run")
        return None, {}
    try:
        stored, columns = Retrieval.load(out / "retrieval.npz"), _table(out)
        if columns["id"] != stored.database_ids.astype(str).tolist():  # killed while writing
            raise InputError(f"{out} holds files that do not fit together; encode its folders again, without --add")
    except InputError:
        if add:
            raise
        return None, {}  # made anew; most embeddings wait in the feature cache
    names = tuple(record.get("class_names", ()))
    parts = [columns.get(name) for name in ("path", "size", "mtime_ns")]
    files = list(zip(*parts, strict=True)) if all(parts) else [NO_FILE] * len(stored.codes)
    return CollectionItems(stored.database_ids, stored.codes, stored.database_labels, names, files), record


def _table(collection: Path) -> dict[str, list[Any]]:
    path = collection / "codes.parquet"
    try:
        found = pq.read_table(path).drop_columns("code").to_pydict()
        return found | {"id": [str(name) for name in found["id"]]}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path} is missing or damaged; run `encode` again to make it") from error


def _files(images: ImageSet, config: DataConfig) -> list[tuple[str, int, int]]:
    if not isinstance(images, Folder):  # rows of one file
        path = Path(config.data).expanduser().resolve()
        info = path.stat()
        return [(f"{path.as_posix()}#{name}", info.st_size, info.st_mtime_ns) for name in images.ids]
    found = []
    for row in range(len(images)):
        path = images.path(row)
        try:
            info = path.stat()
        except OSError as error:  # deleted since the folder was listed
            images.unreadable[row] = (error.strerror or str(error)).lower()
            found.append(NO_FILE)
        else:
            found.append((path.as_posix(), info.st_size, info.st_mtime_ns))
    return found


def _below(path: str, config: DataConfig) -> bool:
    whole = Path(config.data).expanduser().resolve().as_posix()
    return path.startswith((f"{whole}/", f"{whole}#"))


def _code(head: Head, cache: FeatureCache, rows: np.ndarray, codes: np.ndarray) -> None:
    """Fill `codes[rows]`. The map is opened anew for each block, so that pages already read are let go."""
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        codes[part] = embed_in_batches(head, cache.view(0)[part])[1].numpy()


def _joined_labels(first: CollectionItems, second: CollectionItems) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels of both under common names; several labels an image if either has such."""
    if first.labels is None and second.labels is None:
        return None, ()
    names = tuple(sorted({*first.class_names, *second.class_names}))
    several = any(part.labels is not None and part.labels.ndim == 2 for part in (first, second))
    parts = [_renamed(part, names, several=several) for part in (first, second)]
    return np.concatenate(parts), names


def _renamed(items: CollectionItems, names: tuple[str, ...], *, several: bool) -> np.ndarray:
    place = np.array([names.index(name) for name in items.class_names] + [UNLABELLED], np.int64)
    if not several:
        labels = np.full(len(items), UNLABELLED) if items.labels is None else items.labels
        return place[labels]  # the last place is that of UNLABELLED, -1
    marked = np.zeros((len(items), len(names)), np.uint8)
    if items.labels is not None and items.labels.ndim == 2:
        marked[:, place[:-1]] = items.labels
    elif items.labels is not None:
        has = np.flatnonzero(items.labels != UNLABELLED)
        marked[has, place[items.labels[has]]] = 1
    return marked


def _write(out: Path, items: CollectionItems, codebooks: np.ndarray) -> None:
    m, _, d = codebooks.shape
    nobody = np.zeros((0, m * d), np.float16)
    Retrieval(codebooks, items.codes, items.ids, nobody, items.ids[:0], items.labels).save(out / "retrieval.npz")
    path, size, mtime = zip(*items.files, strict=True)
    table = {
        "id": items.ids,
        "code": pa.FixedSizeListArray.from_arrays(items.codes.ravel(), m),
        "path": pa.array(path),
        "size": pa.array(size, pa.int64()),
        "mtime_ns": pa.array(mtime, pa.int64()),
    }
    with replacing(out / "codes.parquet") as temporary:
        pq.write_table(pa.table(table), temporary)


def _record(run: RunDir, images: ImageSet, items: CollectionItems, model: str, seconds: float) -> dict[str, Any]:
    return {
        "v": 1,
        "run": str(run.path),
        "model": model,
        "n": len(items),
        "bytes_per_item": items.codes.shape[1],
        "seconds": round(seconds, 2),
        "class_names": list(items.class_names),
        "native_size": images.native_size,
        "data_fingerprint": images.fingerprint,
        "skipped": [[str(name), reason] for name, reason in images.unusable],
    }
