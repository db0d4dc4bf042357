"""Collections: images encoded by one run, to be searched; more can be added without training.

    retrieval.npz    codebooks, codes, ids and labels, as in a run, without queries
    codes.parquet    for other programs, one row per image: id, code, and the file (path, size, mtime_ns)
    collection.json  its model, folders and skipped files

Encoding again reads only new and changed files: a code is reused while path, size and time of its file do not change.
Embeddings go through the feature cache, so a stopped encoding resumes. Memory is bounded by `BLOCK`, not by the
collection.
"""

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
from transclipped.models.head import embed_in_batches
from transclipped.retrieval.store import Retrieval
from transclipped.runs.records import read_collection
from transclipped.runs.run import RunDir
from transclipped.runs.session import as_trained, trained_model
from transclipped.utils.files import hold, replacing, write_json

BLOCK = 65_536  # embeddings encoded at once
NO_FILE = ("", -1, -1)  # in a collection without file paths


@dataclass(frozen=True)
class CollectionItems:
    """Encoded images: ids `[n]`, codes `[n, M]` uint8, labels `[n]`, `[n, L]` or None, and their files.

    files: `[n]` of (absolute path, bytes, mtime_ns); an embedding's is "FILE#id".
    """

    ids: np.ndarray
    codes: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...]
    files: list[tuple[str, int, int]]

    def __len__(self) -> int:
        return len(self.ids)

    def chosen(self, rows: np.ndarray) -> "CollectionItems":
        """The items of some rows."""
        labels = None if self.labels is None else self.labels[rows]
        files = [self.files[row] for row in rows]
        return CollectionItems(self.ids[rows], self.codes[rows], labels, self.class_names, files)


def encode_folder(
    run: RunDir, config: DataConfig, out: Path, *, add: bool = False, device: str = "cpu"
) -> Iterator[Progress]:
    """Create or update a collection of the images that `config` names; can be stopped and resumed.

    Args:
        config: a folder of images, or a file of embeddings if the run was trained on imported embeddings.
        add: keep items from other folders in the collection; else only this folder remains.

    Raises:
        InputError: the run has no model, there is nothing to encode, or the disk is full.
    """
    started = time.monotonic()
    _check_kind(run, config)
    images = as_trained(load_images(config), run)
    trained_at = None if config.dataset == EMBEDDINGS else run.record.get("image_size")
    backbone, head = trained_model(run, default_size=trained_at or images.default_size)
    with hold(out):
        yield from _encoded(run, config, images, backbone, head, out, add=add, device=device, started=started)


def _encoded(run, config, images, backbone, head, out, *, add, device, started) -> Iterator[Progress]:
    model = stamp(head.quantizer.codewords().detach().numpy())
    before, record = _previous(out, model, add=add)
    files = _files(images, config)
    row_of = {file: row for row, file in enumerate(before.files)} if before else {}
    codes = np.zeros((len(images), head.shape[0]), np.uint8)
    old = np.array([row_of.get(file, -1) for file in files], np.int64)
    if before:
        codes[old >= 0] = before.codes[old[old >= 0]]
    new = np.flatnonzero(old < 0)
    cache = FeatureCache(images, backbone if run.config.backbone.train == "frozen" else backbone.refreshed())
    yield from cache.fill(0, new, device=device)
    new = images.readable(new)
    usable = images.readable(np.arange(len(images)))
    for start in range(0, len(new), BLOCK):  # the cache is mapped again for each block, to release pages already read
        rows = new[start : start + BLOCK]
        codes[rows] = embed_in_batches(head, cache.view(0)[rows])[1].numpy()
    items = CollectionItems(images.ids, codes, images.labels, images.class_names, files).chosen(usable)
    if not len(items):
        raise InputError(f"none of the {len(images):,} images in {config.data} can be read; is their disk connected?")
    if add and before:
        others = [row for row, file in enumerate(before.files) if not _below(file[0], config)]
        items = joined(before.chosen(np.array(others, np.int64)), items)
    _write(out, items, head.quantizer.codewords().detach().numpy())
    folders = [*(record.get("folders", []) if add else []), str(Path(config.data).expanduser().resolve())]
    facts = {"n_encoded": len(new), "n_reused": len(usable) - len(new), "folders": list(dict.fromkeys(folders))}
    write_json(out / "collection.json", _record(run, images, items, model, time.monotonic() - started) | facts)


def joined(first: CollectionItems, second: CollectionItems) -> CollectionItems:
    """Both collections; an id that is taken gets its folder's name as a prefix, or becomes its whole path."""
    taken, ids = set(first.ids.tolist()), []
    for name, file in zip(second.ids.tolist(), second.files, strict=True):
        folder = file[0].removesuffix(str(name)).rstrip("/#").rpartition("/")[2]
        name = next(choice for choice in (name, f"{folder}/{name}", file[0], f"{file[0]} again") if choice not in taken)
        taken.add(name)
        ids.append(name)
    labels, names = _joined_labels(first, second)
    ids = np.array([*map(str, first.ids), *map(str, ids)])
    return CollectionItems(ids, np.concatenate([first.codes, second.codes]), labels, names, first.files + second.files)


def record_of(collection: Path, codebooks: np.ndarray, *, run: Path) -> dict[str, Any]:
    """collection.json. Raises InputError if it is missing, or another model encoded the collection."""
    record = read_collection(collection / "collection.json")
    if record["model"] != stamp(codebooks):
        raise InputError(f"{collection} was encoded by another model than {run}; run `encode` again with this one")
    return record


def paths_of(collection: Path) -> list[str | None]:
    """Absolute path of each image, None if unknown. Raises InputError if codes.parquet is missing or damaged."""
    columns = _table(collection)
    return [path or None for path in columns.get("path", [None] * len(columns["id"]))]


def stamp(codebooks: np.ndarray) -> str:
    """Hash of a model's codebooks, which identifies it."""
    return hashlib.sha256(np.ascontiguousarray(codebooks, np.float32).tobytes()).hexdigest()[:16]


def _check_kind(run: RunDir, config: DataConfig) -> None:
    embedded = run.config.backbone.name == IDENTITY
    if embedded == (config.dataset == EMBEDDINGS):
        return
    if embedded:
        raise InputError(f"{run.path} was trained on imported embeddings; encode a file of embeddings, not images")
    raise InputError(
        f"{run.path} was trained on images, but {config.data} holds embeddings; train a run on embeddings first, "
        f"with --dataset {EMBEDDINGS}"
    )


def _previous(out: Path, model: str, *, add: bool) -> tuple[CollectionItems | None, dict[str, Any]]:
    """Content and record of an existing collection; without `add`, nothing if it is damaged or of another model."""
    if not (out / "collection.json").exists():
        return None, {}
    try:
        record = read_collection(out / "collection.json")
        if record["model"] != model:
            raise InputError(f"{out} was encoded by another model; omit --add to encode it again with this run")
        stored, columns = Retrieval.load(out / "retrieval.npz"), _table(out)
        if columns["id"] != stored.database_ids.astype(str).tolist():  # killed while writing
            raise InputError(f"{out} holds files that do not fit together; encode its folders again, without --add")
    except InputError:
        if add:
            raise
        return None, {}  # encoded again; most embeddings are in the feature cache
    names = tuple(record.get("class_names", ()))
    parts = [columns.get(name) for name in ("path", "size", "mtime_ns")]
    files = list(zip(*parts, strict=True)) if all(parts) else [NO_FILE] * len(stored.codes)
    return CollectionItems(stored.database_ids, stored.codes, stored.database_labels, names, files), record


def _table(collection: Path) -> dict[str, list[Any]]:
    path = collection / "codes.parquet"
    try:
        columns = pq.read_table(path).drop_columns("code").to_pydict()
        return columns | {"id": [str(name) for name in columns["id"]]}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path} is missing or damaged; run `encode` again to recreate it") from error


def _files(images: ImageSet, config: DataConfig) -> list[tuple[str, int, int]]:
    if not isinstance(images, Folder):  # embeddings, rows of one file
        path = Path(config.data).expanduser().resolve()
        info = path.stat()
        return [(f"{path.as_posix()}#{name}", info.st_size, info.st_mtime_ns) for name in images.ids]
    files = []
    for row in range(len(images)):
        path = images.path(row)
        try:
            info = path.stat()
        except OSError as error:  # deleted since the folder was listed
            images.unreadable[row] = (error.strerror or str(error)).lower()
            files.append(NO_FILE)
        else:
            files.append((path.as_posix(), info.st_size, info.st_mtime_ns))
    return files


def _below(path: str, config: DataConfig) -> bool:
    root = Path(config.data).expanduser().resolve().as_posix()
    return path.startswith((f"{root}/", f"{root}#"))


def _joined_labels(first: CollectionItems, second: CollectionItems) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Labels of both under common names; multi-label if either is."""
    if first.labels is None and second.labels is None:
        return None, ()
    names = tuple(sorted({*first.class_names, *second.class_names}))
    several = any(part.labels is not None and part.labels.ndim == 2 for part in (first, second))
    parts = [_renamed(part, names, several=several) for part in (first, second)]
    return np.concatenate(parts), names


def _renamed(items: CollectionItems, names: tuple[str, ...], *, several: bool) -> np.ndarray:
    number = np.array([names.index(name) for name in items.class_names] + [UNLABELLED], np.int64)
    if not several:
        labels = np.full(len(items), UNLABELLED) if items.labels is None else items.labels
        return number[labels]  # the last number is that of UNLABELLED, -1
    marks = np.zeros((len(items), len(names)), np.uint8)
    if items.labels is not None and items.labels.ndim == 2:
        marks[:, number[:-1]] = items.labels
    elif items.labels is not None:
        has = np.flatnonzero(items.labels != UNLABELLED)
        marks[has, number[items.labels[has]]] = 1
    return marks


def _write(out: Path, items: CollectionItems, codebooks: np.ndarray) -> None:
    m, _, d = codebooks.shape
    no_queries = np.zeros((0, m * d), np.float16)
    Retrieval(codebooks, items.codes, items.ids, no_queries, items.ids[:0], items.labels).save(out / "retrieval.npz")
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
