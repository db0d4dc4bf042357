"""CIFAR-10: 60,000 images of 32 × 32 pixels, 10 classes.

Bundled as JPEG re-encodings (quality 75) in a different order, or read from the official `cifar-10-batches-py` folder,
lossless and in the official order. Ids are rows: 0–49,999 the training files, 50,000–59,999 the test file. The same id
is a different image in the two versions, whose fingerprints differ.

Protocols: queries are the 10,000 test images, the database is the 50,000 others; (I) trains on the whole
database, (II) on 500 of its images per class.

References:
    Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from transclipped.config import DataConfig
from transclipped.datasets.base import ArraySet, EncodedSet, ImageSet, Roles, fingerprint, read_parquet
from transclipped.datasets.sampling import stratified
from transclipped.errors import InputError, cause
from transclipped.utils.files import ASSETS

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
N_TRAIN, N_TEST, SIZE = 50_000, 10_000, 32
PER_CLASS = 500  # training images per class in protocol (II)
FOLDER = "cifar-10-batches-py"
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"  # of that archive
MAX_BATCH_BYTES = 64 << 20  # an official file has 31 MB


_SHARED = {"name": "cifar10", "class_names": CLASSES, "default_k": 1000, "default_size": 96}


class _Protocols(ImageSet):
    protocols = ("I", "II")
    labelled_protocols = ("II",)

    def roles(self, protocol: str, *, seed: int) -> Roles:
        database = np.arange(N_TRAIN)
        query = np.arange(N_TRAIN, N_TRAIN + N_TEST)
        if protocol == "I":
            return Roles(database, query, database)
        train = stratified(database, self.labels[database], PER_CLASS, seed=seed, purpose="train")
        return Roles(train, query, database)


class BundledCifar10(_Protocols, EncodedSet):
    """JPEG re-encodings of all images."""


class OfficialCifar10(_Protocols, ArraySet):
    """The published images."""


def load(config: DataConfig) -> ImageSet:
    """The bundled images, or the official ones if `config.data` is their folder.

    Raises:
        InputError: files are missing or damaged.
    """
    if config.data is not None:
        return _official(Path(config.data).expanduser())
    folder = ASSETS / "cifar10"
    train = read_parquet(folder / "train.parquet", rows=N_TRAIN, classes=len(CLASSES))
    test = read_parquet(folder / "test.parquet", rows=N_TEST, classes=len(CLASSES))
    files, labels = pa.chunked_array([train[0], test[0]]), np.concatenate([train[1], test[1]])
    digest = fingerprint(train[2], test[2])
    ids = np.arange(len(labels))
    return BundledCifar10(files=files, native_size=SIZE, ids=ids, labels=labels, fingerprint=digest, **_SHARED)


def download(folder: Path) -> Path:
    """Download the official images (170 MB) to `folder`; returns the folder to use as `config.data`."""
    from torchvision.datasets.utils import download_and_extract_archive

    try:
        download_and_extract_archive(URL, str(folder), md5=MD5)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"cannot download CIFAR-10 from {URL} ({error}); check the network, "
            f"or leave the data folder out to use the bundled images"
        ) from error
    return Path(folder) / FOLDER


def _official(folder: Path) -> OfficialCifar10:
    if (folder / FOLDER).is_dir():
        folder = folder / FOLDER
    if missing := [name for name in BATCHES if not (folder / name).is_file()]:
        raise InputError(
            f"{folder} lacks {', '.join(missing)}; unpack {URL} there, "
            f"or leave the data folder out to use the bundled images"
        )
    batches = [_read_batch(folder / name) for name in BATCHES]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    if len(labels) != N_TRAIN + N_TEST:
        raise InputError(f"{folder} must hold {N_TRAIN + N_TEST:,} images, got {len(labels):,}; unpack {URL} again")
    ids, digest = np.arange(len(labels)), fingerprint(labels.data, pixels.data)
    return OfficialCifar10(pixels=pixels, ids=ids, labels=labels, fingerprint=digest, **_SHARED)


def _read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[n, 3, 32, 32]` uint8 and labels `[n]` int64 of an official file."""
    try:
        if path.stat().st_size > MAX_BATCH_BYTES:
            raise ValueError(f"larger than {MAX_BATCH_BYTES >> 20} MiB")
        with path.open("rb") as file:
            batch = _ArraysOnly(file, encoding="bytes").load()
        pixels, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"])
        if pixels.dtype != np.uint8 or labels.dtype.kind != "i" or pixels.shape != (len(labels), 3 * SIZE * SIZE):
            raise ValueError(f"pixels are {pixels.dtype} {[*pixels.shape]}")
        if labels.min() < 0 or labels.max() >= len(CLASSES):
            raise ValueError("labels are not 0 to 9")
    except Exception as error:  # a damaged pickle raises nearly anything
        raise InputError(f"{path} is not an official CIFAR-10 file ({cause(error)}); unpack {URL} again") from error
    return pixels.reshape(-1, 3, SIZE, SIZE), labels.astype(np.int64)


class _ArraysOnly(pickle.Unpickler):
    """Reads dictionaries, lists, bytes and numpy arrays; refuses to call anything else.

    The official files are pickles, and a pickle can call any function that it names.
    """

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "_reconstruct": lambda kind, shape, code: np.ndarray.__new__(np.ndarray, (0,), "b"),  # empty at first
            "encode": lambda text, encoding: text.encode("latin1"),  # bytes of Python 2; no other codec is reachable
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        where = {"_codecs"} if name == "encode" else {"numpy", "numpy.core.multiarray", "numpy._core.multiarray"}
        if name not in allowed or module not in where:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return allowed[name]
