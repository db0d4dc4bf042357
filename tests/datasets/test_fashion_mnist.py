"""Fashion-MNIST from tiny files in its format: big-endian sizes, then bytes."""

import struct

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.datasets import registry
from transclipped.datasets.protocols import draw
from transclipped.errors import InputError

N_TRAIN, N_TEST = 12, 5


def write(path, array):
    """A file as MNIST's: two zero bytes, type 8 (unsigned byte), number of dimensions, sizes, values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def fill(folder):
    rng = np.random.default_rng(0)
    parts = {}
    for prefix, n in (("train", N_TRAIN), ("t10k", N_TEST)):
        parts[prefix] = rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10
        write(folder / f"{prefix}-images-idx3-ubyte", parts[prefix][0])
        write(folder / f"{prefix}-labels-idx1-ubyte", parts[prefix][1])
    return parts


def load(folder, **options):
    return registry.load(DataConfig(dataset="fashion-mnist", data=str(folder), **options))


@pytest.mark.parametrize("inside", ["", "raw", "FashionMNIST/raw"])
def test_images_labels_and_roles_are_those_of_the_files(tmp_path, inside):
    parts = fill(tmp_path / inside)
    images = load(tmp_path)
    assert len(images) == N_TRAIN + N_TEST and images.label_kind == "single" and images.native_size == 28
    pixels = images.pixels(np.array([3, N_TRAIN]), 96)
    assert pixels.shape == (2, 3, 28, 28) and pixels.is_contiguous()
    for pixel, expected in zip(pixels.numpy(), (parts["train"][0][3], parts["t10k"][0][0]), strict=True):
        assert all(np.array_equal(channel, expected) for channel in pixel)
    assert np.asarray(images.image(N_TRAIN))[..., 1].tolist() == parts["t10k"][0][0].tolist()
    assert images.labels.tolist() == [*parts["train"][1], *parts["t10k"][1]]
    split = draw(images, DataConfig(dataset="fashionmnist"))
    assert split.query.tolist() == [*range(N_TRAIN, N_TRAIN + N_TEST)]
    assert split.train.tolist() == split.database.tolist() == [*range(N_TRAIN)]


def test_the_fingerprint_follows_the_content(tmp_path):
    parts = fill(tmp_path)
    before = load(tmp_path).fingerprint
    assert load(tmp_path).fingerprint == before
    changed = parts["t10k"][0].copy()
    changed[0, 0, 0] ^= 1
    write(tmp_path / "t10k-images-idx3-ubyte", changed)
    assert load(tmp_path).fingerprint != before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("train-images-idx3-ubyte", b""),
        ("train-images-idx3-ubyte", b"secret text that is no image file"),
        ("train-labels-idx1-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 9]) + bytes(3)),
        ("t10k-labels-idx1-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, 0])),
        ("t10k-labels-idx1-ubyte", bytes([0, 0, 8, 1, 0, 0, 0, N_TEST]) + bytes([10] * N_TEST)),
        ("t10k-images-idx3-ubyte", bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(784)),
        ("t10k-images-idx3-ubyte", bytes([0, 0, 13, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]) + bytes(4)),
    ],
)
def test_damaged_files_are_reported_without_their_content(tmp_path, file, content):
    fill(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InputError, match="download") as report:
        load(tmp_path)
    assert "secret" not in str(report.value)


def test_missing_and_packed_files_and_labels_are_reported(tmp_path):
    with pytest.raises(InputError, match="needs your copy"):
        registry.load(DataConfig(dataset="fashionmnist"))
    with pytest.raises(InputError, match="lacks train-images-idx3-ubyte"):
        load(tmp_path / "nowhere")
    fill(tmp_path)
    file = tmp_path / "t10k-labels-idx1-ubyte"
    file.rename(file.with_name(file.name + ".gz"))
    with pytest.raises(InputError, match=r"lacks t10k-labels-idx1-ubyte; unpack"):
        load(tmp_path)
    with pytest.raises(InputError, match="has its own labels"):
        load(tmp_path, labels=str(tmp_path))
