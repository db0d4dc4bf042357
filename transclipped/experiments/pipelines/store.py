"""Outputs of stages on disk, so that a pipeline computes nothing twice: `pipelines/<key>.safetensors` in the cache."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from transclipped.errors import InputError
from transclipped.retrieval.chain import Entry, Store
from transclipped.utils.files import cache_dir, replacing

LARGEST = 2**28  # bytes of an output that is written


class DiskStore(Store):
    """Also keeps arrays in files; a damaged file counts as missing, and a full disk only costs time later."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.folder = folder or cache_dir() / "pipelines"

    def find(self, key: str) -> Entry | None:
        if (entry := super().find(key)) is not None:
            return entry
        with suppress(OSError, SafetensorError, KeyError, TypeError, ValueError):
            with safe_open(self._path(key), framework="numpy") as file:
                facts = json.loads(file.metadata()["facts"])
                value = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
            return super().put(key, Entry(value, facts["seconds"], facts["needed"]))
        return None

    def put(self, key: str, entry: Entry, *, disk: bool = True) -> Entry:
        if disk and sum(array.nbytes for array in entry.value.values()) <= LARGEST:
            arrays = {name: np.array(array, order="C") for name, array in entry.value.items()}
            with suppress(InputError, SafetensorError), replacing(self._path(key), durable=False) as temporary:
                facts = {"seconds": entry.seconds, "needed": entry.needed}
                save_file(arrays, temporary, metadata={"facts": json.dumps(facts)})
        return super().put(key, entry, disk=disk)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"
