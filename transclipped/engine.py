"""A trained run put to work: encode pictures, and find the most similar ones of a database.

A *collection* is a folder of codes made by one run from other pictures; it holds the same retrieval.npz as a
run (without queries), collection.json, and codes.parquet for other programs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet
from transclipped.datasets.pictures import square
from transclipped.datasets.registry import load as load_images
from transclipped.datasets.views import render
from transclipped.errors import InputError
from transclipped.files import read_json, replacing, write_json
from transclipped.models.network import embed_in_batches
from transclipped.models.precision import inference
from transclipped.retrieval.index import CodeIndex
from transclipped.training.features import FeatureCache, Progress, encode
from transclipped.training.run import Retrieval, RunDir
from transclipped.training.session import trained_model


@dataclass(frozen=True)
class Hit:
    """One found picture: its place, row and id in the database, score in [-1, 1], what each codebook gave to it."""

    rank: int
    row: int
    id: int | str
    score: float
    labels: list[str]
    by_codebook: list[float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Engine:
    """Searches the database of a run, or a collection that the run encoded.

    Args:
        run: trained.
        collection: folder made by `encode_folder`, None for the run's own database.

    Raises:
        InputError: a file is missing, damaged, or the collection is another run's.
    """

    def __init__(self, run: RunDir, *, collection: Path | None = None) -> None:
        self.run = run
        self.about = run.record if collection is None else _collection_record(collection, run)
        self.stored = run.retrieval() if collection is None else Retrieval.load(collection / "retrieval.npz")
        self.index = CodeIndex(self.stored.codebooks, self.stored.codes)

    @cached_property
    def _model(self):
        """Backbone and head; loaded when the first picture comes, since stored queries need neither."""
        return trained_model(self.run, default_size=self.run.record.get("image_size"))

    @property
    def class_names(self) -> list[str]:
        return self.about.get("class_names", [])

    def embed(self, pictures: list[Image.Image]) -> np.ndarray:
        """Continuous embeddings `[Q, D]` float32 of pictures, seen as the database's were."""
        backbone, head = self._model
        size = self.about.get("native_size") or backbone.image_size
        pixels = torch.from_numpy(np.stack([np.asarray(square(p, size)) for p in pictures])).permute(0, 3, 1, 2)
        with inference(torch.device("cpu")):
            features = backbone(render(pixels, None, size=backbone.image_size, mean=backbone.mean, std=backbone.std))
        return embed_in_batches(head, features.half())[0].numpy()

    def search_picture(self, picture: Image.Image, *, top: int) -> list[Hit]:
        """The `top` most similar pictures of the database, best first."""
        return self.search(self.embed([picture])[0], top=top)

    def search(self, query: np.ndarray, *, top: int) -> list[Hit]:
        """The `top` items most similar to a continuous embedding `[D]`, best first."""
        found = self.index.search(query[None], top)
        rows, scores = found.rows[0], found.scores[0]
        parts = self.index.explain(query, rows)  # [top, M]
        return [
            Hit(
                rank=rank,
                row=int(row),
                id=self.stored.database_ids[row].item(),
                score=float(score),
                labels=self._labels(int(row)),
                by_codebook=[float(p) for p in part],
            )
            for rank, (row, score, part) in enumerate(zip(rows, scores, parts, strict=True), start=1)
        ]

    def _labels(self, row: int) -> list[str]:
        return label_names(self.stored.database_labels, row, self.class_names)


def label_names(labels: np.ndarray | None, row: int, names: list[str]) -> list[str]:
    """Names of a row's labels in `[N]` or `[N, L]`; empty without labels."""
    if labels is None:
        return []
    ones = np.flatnonzero(labels[row]) if labels.ndim == 2 else [int(labels[row])]
    return [names[i] if i < len(names) else str(i) for i in ones if i >= 0]


def encode_folder(run: RunDir, config: DataConfig, out: Path, *, device: str = "cpu") -> Iterator[Progress]:
    """Make a collection of the pictures that `config` names; can be stopped and started again.

    Raises:
        InputError: the run has no model, the folder no pictures, or the disk no room.
    """
    started = time.monotonic()
    images = load_images(config)
    if not len(images):
        raise InputError(f"{config.data} holds no picture that can be read; choose another folder")
    backbone, head = trained_model(run, default_size=images.default_size)
    rows = np.arange(len(images))
    if run.config.backbone.train == "frozen":
        cache = FeatureCache(images, backbone)
        yield from cache.fill(0, rows, device=device)
        features = cache.view(0)
    else:  # weights of this run alone: not worth a shared cache
        features = np.empty((len(images), backbone.width), np.float16)
        for batch, found in encode(backbone, images, rows, device=device):
            features[batch] = found
            yield Progress("encoding", int(batch[-1]) + 1, len(rows), time.monotonic() - started)
    _, codes = embed_in_batches(head, features)
    _write_collection(run, images, head.quantizer.codewords().detach().numpy(), codes.numpy(), out, started=started)


def _write_collection(
    run: RunDir, images: ImageSet, codebooks: np.ndarray, codes: np.ndarray, out: Path, *, started: float
) -> None:
    m, _, d = codebooks.shape
    nobody = np.zeros((0, m * d), np.float16)
    stored = Retrieval(codebooks, codes, images.ids, nobody, images.ids[:0], images.labels)
    stored.save(out / "retrieval.npz")
    table = {"id": images.ids, "code": pa.FixedSizeListArray.from_arrays(codes.ravel(), m)}
    with replacing(out / "codes.parquet") as temporary:
        pq.write_table(pa.table(table), temporary)
    seconds = time.monotonic() - started
    record = {
        "v": 1,
        "run": str(run.path),
        "model": _model_stamp(codebooks),
        "n": len(images),
        "bytes_per_item": m,
        "seconds": round(seconds, 2),
        "class_names": list(images.class_names),
        "native_size": images.native_size,
        "data_fingerprint": images.fingerprint,
        "skipped": [[str(name), reason] for name, reason in images.skipped],
    }
    write_json(out / "collection.json", record)


def _collection_record(collection: Path, run: RunDir) -> dict[str, Any]:
    record = read_json(collection / "collection.json")
    if record.get("model") != _model_stamp(run.head().quantizer.codewords().detach().numpy()):
        raise InputError(f"{collection} was encoded by another model than {run.path}; run `encode` again with this one")
    return record


def _model_stamp(codebooks: np.ndarray) -> str:
    """Tells models apart by their codebooks."""
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(codebooks, np.float32).tobytes()).hexdigest()[:16]
