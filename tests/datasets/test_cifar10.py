"""CIFAR-10: the bundled files are complete, the official ones are read without running code in them."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.datasets import facts
from transclipped.config import DataConfig
from transclipped.datasets import cifar10
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS


def test_number_of_images_per_class(cifar):
    assert len(cifar) == 60_000 and cifar.label_kind == "single" and cifar.native_size == 32
    assert np.bincount(cifar.labels[:50_000]).tolist() == [5000] * 10
    assert np.bincount(cifar.labels[50_000:]).tolist() == [1000] * 10


def test_labels_agree_with_the_classes_in_the_bundled_paths(cifar):
    """Paths such as truck/0770.jpg give the class independently of the label column."""
    paths = pq.read_table(ASSETS / "cifar10" / "test.parquet")["img"].to_pylist()
    classes = [cifar10.CLASSES.index(entry["path"].split("/")[0]) for entry in paths]
    assert cifar.labels[50_000:].tolist() == classes
    assert classes[:10] == [9, 3, 7, 0, 9, 7, 7, 9, 6, 5]


def test_pixels_equal_those_of_pillow(cifar):
    rows = np.array([0, 49_999, 50_000, 59_999, 7])
    pixels = cifar.pixels(rows, 96)
    assert pixels.shape == (5, 3, 32, 32) and pixels.dtype == torch.uint8 and pixels.is_contiguous()
    for row, image in zip(rows, pixels, strict=True):
        direct = Image.open(io.BytesIO(cifar.encoded(row)))
        assert np.array_equal(np.asarray(direct), image.permute(1, 2, 0).numpy())


def test_encoded_is_jpeg_and_no_rows_give_no_pixels(cifar):
    assert cifar.encoded(59_999).startswith(b"\xff\xd8")
    assert cifar.pixels(np.empty(0, np.int64), 96).shape == (0, 3, 32, 32)


def test_decoding_all_at_once_gives_the_same_pixels(cifar):
    rows = np.array([3, 1, 2])
    few = type(cifar)(files=cifar._files[:8], native_size=32, **facts(8))
    before = few.pixels(rows, 96)
    assert few.all_pixels.shape == (8, 3, 32, 32)
    assert torch.equal(few.pixels(rows, 96), before)


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "other columns", "too few"])
def test_damaged_bundle_is_reported(damage, tmp_path, monkeypatch):
    source = ASSETS / "cifar10" / "test.parquet"
    path = tmp_path / "cifar10" / "train.parquet"
    path.parent.mkdir()
    raw = source.read_bytes()
    contents = {"cut": raw[:100_000], "text": b"not parquet", "too few": raw}
    if damage in contents:
        path.write_bytes(contents[damage])
    elif damage == "other columns":
        pq.write_table(pq.read_table(source, columns=["label"]), path)
    monkeypatch.setattr(cifar10, "ASSETS", tmp_path)
    with pytest.raises(InputError, match=r"train\.parquet.*restore"):
        cifar10.load(DataConfig())


def test_damaged_image_is_named(cifar):
    files = pa.array([cifar.encoded(0), b"\xff\xd8 broken"])
    broken = type(cifar)(files=files, native_size=32, **facts(2, name="cifar10"))
    with pytest.raises(InputError, match="cifar10 image 1"):
        broken.pixels(np.arange(2), 96)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The official layout with 10 images per batch."""
    monkeypatch.setattr(cifar10, "N_TRAIN", 50)
    monkeypatch.setattr(cifar10, "N_TEST", 10)
    folder = tmp_path / cifar10.FOLDER
    folder.mkdir()
    for i, name in enumerate(cifar10.BATCHES):
        data = np.full((10, 3072), i, np.uint8)
        data[:, 1024:2048] = 200  # the green plane
        batch = {b"batch_label": b"x", b"labels": list(range(10)), b"data": data, b"filenames": [b"a.png"] * 10}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return tmp_path


@pytest.mark.parametrize("inside", [False, True])
def test_official_folder_is_read(official, inside):
    data = official / cifar10.FOLDER if inside else official
    images = cifar10.load(DataConfig(data=str(data)))
    assert len(images) == 60 and images.labels[:10].tolist() == list(range(10))
    assert images.image(25).getpixel((0, 0)) == (2, 200, 2)
    assert images.pixels(np.array([55]), 96)[0, :, 0, 0].tolist() == [5, 200, 5]
    assert images.encoded(0).startswith(b"\x89PNG")


def test_missing_official_files_are_named(official):
    (official / cifar10.FOLDER / "data_batch_3").unlink()
    with pytest.raises(InputError, match=r"lacks data_batch_3; unpack"):
        cifar10.load(DataConfig(data=str(official)))
    with pytest.raises(InputError, match="lacks data_batch_1, data_batch_2"):
        cifar10.load(DataConfig(data=str(official / "nowhere")))


class Malicious:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Malicious()),
        pickle.dumps({b"data": Malicious(), b"labels": [0]}, protocol=2),
        b"",
        b"garbage",
        pickle.dumps({b"labels": [0]}),
        pickle.dumps({b"data": np.zeros((1, 7), np.uint8), b"labels": [0]}, protocol=2),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, protocol=2),
        pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [1]}, protocol=2),
        pickle.dumps([1, 2], protocol=2),
    ],
)
def test_official_file_with_other_content_is_refused(official, content):
    (official / cifar10.FOLDER / "test_batch").write_bytes(content)
    with pytest.raises(InputError, match=r"test_batch is not an official"):
        cifar10.load(DataConfig(data=str(official)))


def test_failed_download_suggests_the_bundled_images(tmp_path, monkeypatch):
    def unreachable(*args, **options):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", unreachable)
    with pytest.raises(InputError, match=r"cannot download.*no route to host.*bundled"):
        cifar10.download(tmp_path)
