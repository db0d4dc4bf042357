"""CIFAR-10: the bundled files are whole, the official ones are read without running what is in them."""

import io
import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets import cifar10
from transclipped.errors import InputError
from transclipped.utils.files import ASSETS


def test_all_images_are_there(cifar):
    assert len(cifar) == 60_000 and cifar.label_kind == "single" and cifar.native_size == 32
    assert np.bincount(cifar.labels[:50_000]).tolist() == [5000] * 10
    assert np.bincount(cifar.labels[50_000:]).tolist() == [1000] * 10


def test_labels_agree_with_the_classes_in_the_bundled_paths(cifar):
    """Paths such as truck/0770.jpg tell the class independently of the label column."""
    paths = pq.read_table(ASSETS / "cifar10" / "test.parquet")["img"].to_pylist()
    told = [cifar10.CLASSES.index(entry["path"].split("/")[0]) for entry in paths]
    assert cifar.labels[50_000:].tolist() == told
    assert told[:10] == [9, 3, 7, 0, 9, 7, 7, 9, 6, 5]


def test_pixels_are_those_that_pillow_decodes(cifar):
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
    few = type(cifar)(
        files=cifar._files[:8],
        name="few",
        ids=np.arange(8),
        labels=None,
        class_names=(),
        fingerprint="",
        default_k=1,
        native_size=32,
    )
    before = few.pixels(rows, 96)
    assert few.all_pixels.shape == (8, 3, 32, 32)
    assert torch.equal(few.pixels(rows, 96), before)


@pytest.mark.parametrize("spoil", ["missing", "cut", "text", "other columns", "too few"])
def test_spoilt_bundle_is_named(spoil, tmp_path, monkeypatch):
    source = ASSETS / "cifar10" / "test.parquet"
    folder = tmp_path / "cifar10"
    folder.mkdir()
    path = folder / "train.parquet"
    if spoil == "cut":
        path.write_bytes(source.read_bytes()[:100_000])
    elif spoil == "text":
        path.write_text("not parquet")
    elif spoil == "other columns":
        pq.write_table(pq.read_table(source, columns=["label"]), path)
    elif spoil == "too few":
        path.write_bytes(source.read_bytes())
    monkeypatch.setattr(cifar10, "ASSETS", tmp_path)
    with pytest.raises(InputError, match=r"train\.parquet.*restore"):
        cifar10.load(DataConfig())


def test_damaged_image_is_named(cifar):
    import pyarrow as pa

    files = pa.array([cifar.encoded(0), b"\xff\xd8 broken"])
    broken = type(cifar)(
        files=files,
        name="cifar10",
        ids=np.arange(2),
        labels=None,
        class_names=(),
        fingerprint="",
        default_k=1,
        native_size=32,
    )
    with pytest.raises(InputError, match="cifar10 image 1"):
        broken.pixels(np.arange(2), 96)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The official layout with 10 images a batch."""
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


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Evil()),
        pickle.dumps({b"data": Evil(), b"labels": [0]}, protocol=2),
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


def test_failed_download_says_what_else_there_is(tmp_path, monkeypatch):
    def unreachable(*args, **options):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", unreachable)
    with pytest.raises(InputError, match=r"cannot download.*no route to host.*bundled"):
        cifar10.download(tmp_path)
