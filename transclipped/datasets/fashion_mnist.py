"""Fashion-MNIST: 70,000 grey images of clothes, 28 × 28 pixels, in 10 classes; your own copy.

As distributed, four files in the format of MNIST, unpacked, as torchvision keeps them in `FashionMNIST/raw/`. Ids are
rows: the training files first, then the test files. The grey value stands in all three channels.

Protocol: queries are the test images; the others are database and training set. mAP@1000.

References:
    Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017,
    arXiv 1708.07747.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.base import ArraySet, Roles, fingerprint
from transclipped.errors import InputError, cause

CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
PARTS = ("train", "t10k")  # prefix of the training and of the test files
SIZE = 28
MAX_BYTES = 64 << 20  # the largest official file has 47 MB
URL = "https://github.com/zalandoresearch/fashion-mnist"
LAYOUT = """\
FashionMNIST/raw/
├── train-images-idx3-ubyte      unpacked, without .gz
├── train-labels-idx1-ubyte
├── t10k-images-idx3-ubyte
└── t10k-labels-idx1-ubyte"""


class FashionMnist(ArraySet):
    """Images as published; the first `n_train` are the training files' ones."""

    protocols = ("default",)

    def __init__(self, *, n_train: int, **rest: object) -> None:
        super().__init__(**rest)
        self.n_train = n_train

    def roles(self, protocol: str, *, seed: int) -> Roles:
        database = np.arange(self.n_train)
        return Roles(database, np.arange(self.n_train, len(self)), database)


def load(config: DataConfig) -> FashionMnist:
    """The images in the folder `config.data`, or in its `FashionMNIST/raw/` or `raw/`.

    Raises:
        InputError: files are missing or damaged.
    """
    if config.data is None:
        raise InputError(f"fashionmnist needs your copy; download it from {URL} and give its folder", setting="data")
    folder = _folder(Path(config.data).expanduser())
    (train, train_labels), (test, test_labels) = (_part(folder, prefix) for prefix in PARTS)
    grey, labels = np.concatenate([train, test]), np.concatenate([train_labels, test_labels])
    return FashionMnist(
        n_train=len(train),
        pixels=np.broadcast_to(grey[:, None], (len(grey), 3, SIZE, SIZE)),  # without copies
        name="fashionmnist",
        ids=np.arange(len(labels)),
        labels=labels,
        class_names=CLASSES,
        fingerprint=fingerprint(labels.data, grey.data),
        default_k=1000,
        default_size=96,
    )


def _folder(given: Path) -> Path:
    """Where the four files are."""
    names = [f"{prefix}-{kind}" for prefix in PARTS for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    for folder in (given, given / "FashionMNIST" / "raw", given / "raw"):
        if any((folder / name).is_file() for name in names):
            break
    else:
        folder = given
    if missing := [name for name in names if not (folder / name).is_file()]:
        packed = any((folder / f"{name}.gz").is_file() for name in missing)
        remedy = "unpack the files that end in .gz" if packed else f"download them from {URL} and unpack them there"
        raise InputError(f"{folder} lacks {', '.join(missing)}; {remedy}", setting="data")
    return folder


def _part(folder: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images `[n, 28, 28]` uint8 and labels `[n]` int64 of the training or test files."""
    from torchvision.datasets.mnist import read_image_file, read_label_file  # slow to import

    images = _read(folder / f"{prefix}-images-idx3-ubyte", read_image_file)
    labels = _read(folder / f"{prefix}-labels-idx1-ubyte", read_label_file)
    if images.shape != (len(labels), SIZE, SIZE) or not len(labels):
        raise InputError(
            f"{folder} has {len(labels):,} labels and images of shape {[*images.shape]} in its {prefix} files; "
            f"expected as many images of {SIZE} × {SIZE} pixels, so download them again from {URL}"
        )
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise InputError(f"{folder} has labels beyond 0 to 9 in its {prefix} files; download them again from {URL}")
    return images, labels


def _read(path: Path, reader) -> np.ndarray:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MiB")
        return reader(str(path)).numpy()
    except Exception as error:  # the reader asserts, and fails on short files in several ways
        raise InputError(f"{path} is not a file of Fashion-MNIST ({cause(error)}); download it from {URL}") from error
