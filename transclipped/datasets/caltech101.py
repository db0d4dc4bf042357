"""Caltech-101, subset: 3,030 photographs of 101 object classes, bundled under `assets/caltech101`.

10 queries and 20 database images per class; training uses the database without its labels.

References:
    Fei-Fei, Fergus, Perona 2004; doi:10.22002/D1.20086, CC BY 4.0.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from transclipped.config import DataConfig
from transclipped.datasets.base import EncodedSet, Roles, fingerprint, read_parquet
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS

N_DATABASE, N_QUERY, N_CLASSES = 2020, 1010, 101


class Caltech101(EncodedSet):
    """Rows 0–2,019 are the database, 2,020–3,029 the queries."""

    def roles(self, protocol: str, *, seed: int) -> Roles:
        database = np.arange(N_DATABASE)
        return Roles(database, np.arange(N_DATABASE, N_DATABASE + N_QUERY), database)


def load(config: DataConfig) -> Caltech101:
    """The bundled images; InputError if a data folder is given or a bundled file is damaged."""
    if config.data is not None:
        raise InputError("caltech101 is bundled and takes no data folder; for your own images choose 'folder'")
    folder = ASSETS / "caltech101"
    database = read_parquet(folder / "database.parquet", rows=N_DATABASE, classes=N_CLASSES)
    query = read_parquet(folder / "query.parquet", rows=N_QUERY, classes=N_CLASSES)
    return Caltech101(
        files=pa.chunked_array([database[0], query[0]]),
        name="caltech101",
        ids=np.arange(N_DATABASE + N_QUERY),
        labels=np.concatenate([database[1], query[1]]),
        class_names=class_names(),
        fingerprint=fingerprint(database[2], query[2]),
        default_k=100,
    )


def class_names() -> tuple[str, ...]:
    """The 101 class names, in the order of the labels."""
    path = ASSETS / "caltech101" / "classes.txt"
    try:
        names = tuple(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}; restore it from the project's repository") from error
    if len(names) != N_CLASSES:
        raise InputError(f"{path} must name {N_CLASSES} classes, got {len(names)}; restore it from the repository")
    return names
