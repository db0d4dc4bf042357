"""Image sets shared by the tests of data sets."""

import numpy as np
import pytest
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets import caltech101, cifar10


@pytest.fixture(scope="session")
def cifar():
    return cifar10.load(DataConfig())


@pytest.fixture(scope="session")
def caltech():
    return caltech101.load(DataConfig(dataset="caltech101"))


@pytest.fixture
def paint():
    """Writes a small image of noise that depends on its name."""

    def write(path, size=(24, 16)):
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(sum(path.name.encode()))
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def photographs(caltech):
    """Encoded photographs of Caltech-101, in place of images that cannot be distributed."""
    return [caltech.encoded(row) for row in range(0, 2000, 25)]


@pytest.fixture
def stand_ins(photographs):
    """Writes different photographs with given names."""

    def write(root, names):
        for i, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photographs[i % len(photographs)])
        return root

    return write
