"""A folder of custom images: whatever is in it, the images are loaded and the rest is reported."""

import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets import folder
from transclipped.datasets.base import UNLABELLED
from transclipped.datasets.images.listing import digest
from transclipped.datasets.protocols import draw
from transclipped.errors import InputError

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need POSIX")


def load(root, **options):
    return folder.load(DataConfig(dataset="folder", data=str(root), **options))


@pytest.fixture
def album(tmp_path, paint):
    """cat/ has 6 images, dog/deep/ has 5."""
    root = tmp_path / "album"
    for i in range(6):
        paint(root / "cat" / f"{i}.png")
    for i in range(5):
        paint(root / "dog" / "deep" / f"{i}.jpg")
    return root


def test_ids_are_posix_paths_and_labels_first_level_folders(album):
    images = load(album)
    assert images.ids.tolist() == [f"cat/{i}.png" for i in range(6)] + [f"dog/deep/{i}.jpg" for i in range(5)]
    assert images.class_names == ("cat", "dog") and images.labels.tolist() == [0] * 6 + [1] * 5
    assert images.skipped == [] and images.label_kind == "single"


def test_a_tenth_are_queries_and_k_fits_the_database(album):
    images = load(album)
    roles = images.roles("default", seed=0)
    assert len(roles.query) == 1 and len(roles.database) == 10 == images.default_k
    assert np.array_equal(roles.train, roles.database)


def test_image_outside_of_class_folders_is_unlabelled_and_not_a_query(album, paint):
    paint(album / "loose.png")
    images = load(album)
    row = images.ids.tolist().index("loose.png")
    assert images.labels[row] == UNLABELLED
    assert all(row not in images.roles("default", seed=seed).query for seed in range(30))


@pytest.mark.parametrize("below", ["", "all/"])
def test_without_two_sub_folders_there_are_no_labels(tmp_path, paint, below):
    for i in range(3):
        paint(tmp_path / f"{below}{i}.png")
    images = load(tmp_path)
    assert images.labels is None and images.class_names == () and images.label_kind == "none"


def test_unusable_files_are_skipped_with_a_reason(album, paint):
    noise = paint(album / "cat" / "whole.jpg", size=(80, 80)).read_bytes()
    (album / "cat" / "cut.jpg").write_bytes(noise[: len(noise) // 2])
    (album / "cat" / "empty.png").touch()
    (album / "cat" / "notes.txt").write_text("no image")
    (album / "dog" / "wrong.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    (album / ".DS_Store").write_text("hidden")
    skipped = dict(load(album).skipped)
    assert set(skipped) == {"cat/cut.jpg", "cat/empty.png", "cat/notes.txt", "dog/wrong.png"}
    assert skipped["cat/empty.png"] == "it is empty" and "damaged" in skipped["cat/cut.jpg"]
    assert "unknown format" in skipped["cat/notes.txt"]


@posix
def test_links_and_pipes_neither_lead_out_nor_block(album, tmp_path, paint):
    secret = paint(tmp_path / "secret" / "s.png")
    (album / "out.png").symlink_to(secret)
    (album / "loop").symlink_to(album)
    (album / "outside").symlink_to(secret.parent)
    (album / "broken.png").symlink_to(tmp_path / "nothing")
    (album / "self.png").symlink_to("self.png")
    (album / "cat" / "again.png").symlink_to("0.png")  # inside is fine
    os.mkfifo(album / "pipe.png")
    images = load(album)
    skipped = dict(images.skipped)
    assert len(images) == 12 and "cat/again.png" in images.ids
    assert set(skipped) == {"out.png", "loop", "outside", "broken.png", "self.png", "pipe.png"}
    assert "cp -rL" in skipped["out.png"] and "not followed" in skipped["loop"]


@posix
def test_name_that_is_not_utf8_is_skipped_in_readable_form(album, paint):
    try:
        os.rename(paint(album / "x.png"), os.fsencode(album) + b"/caf\xe9.png")
    except OSError:
        pytest.skip("this file system only takes UTF-8")
    assert load(album).skipped == [(r"caf\xe9.png", "its name is not valid UTF-8")]


def test_odd_images_become_squares(album):
    exif = Image.Exif()
    exif[0x0112] = 6
    odd = {
        "cmyk.jpg": Image.new("CMYK", (20, 10)),
        "sixteen.png": Image.fromarray(np.full((5, 5), 40_000, np.uint16)),
        "clear.png": Image.new("RGBA", (9, 7), (0, 0, 0, 0)),
        "dot.png": Image.new("RGB", (1, 1)),
        "strip.png": Image.new("RGB", (5000, 1)),
        "scan.tif": Image.new("L", (9, 9)),
    }
    for name, image in odd.items():
        image.save(album / name)
    Image.new("RGB", (20, 10)).save(album / "turned.jpg", exif=exif)
    images = load(album)
    pixels = images.pixels(np.arange(len(images)), 48)
    assert len(images) == 18 and pixels.shape == (18, 3, 48, 48) and pixels.dtype == torch.uint8
    assert (pixels[images.ids.tolist().index("clear.png")] == 255).all()
    for name in ("cmyk.jpg", "scan.tif"):  # browsers may not display these
        assert images.encoded(images.ids.tolist().index(name)).startswith(b"\x89PNG")
    assert images.image(images.ids.tolist().index("turned.jpg")).size == (10, 20)


def test_deleted_image_is_named(album):
    images = load(album)
    (album / "cat" / "0.png").unlink()
    for use in (lambda: images.pixels(np.array([0]), 8), lambda: images.encoded(0), lambda: images.image(0)):
        with pytest.raises(InputError, match=r"cat.0\.png"):
            use()


def test_fingerprint_depends_on_names_and_content_but_not_times(album, paint):
    first = load(album).fingerprint
    assert load(album).fingerprint == first and len(first) == 16
    for path in album.rglob("*.png"):
        os.utime(path, ns=(1, 1))
    assert load(album).fingerprint == first
    bmp = album / "cat" / "new.bmp"
    Image.new("RGB", (700, 700)).save(bmp)
    second = load(album).fingerprint
    raw = bytearray(bmp.read_bytes())
    raw[len(raw) // 2 + 77] ^= 1  # one byte of a file of more than a megabyte, of the same size
    bmp.write_bytes(raw)
    os.utime(bmp, ns=(2, 2))
    third = load(album).fingerprint
    bmp.rename(bmp.with_name("old.bmp"))
    assert len({first, second, third, load(album).fingerprint}) == 4


def test_a_large_file_is_hashed_by_parts_from_beginning_to_end(tmp_path):
    path = tmp_path / "large.jpg"
    raw = bytearray(np.random.default_rng(0).bytes(3 << 20))
    raw[0] = 0xFF
    digests = set()
    for position in (None, 0, len(raw) // 63, len(raw) - 1):
        changed = bytearray(raw)
        if position is not None:
            changed[position] ^= 1
        path.write_bytes(changed)
        digests.add(digest(path))
    path.write_bytes(raw + b"1")
    assert len({*digests, digest(path)}) == 5


SYSTEM_FILES = (
    "cat/@eaDir/0.png/thumb.png;#recycle/old.png;$RECYCLE.BIN/S-1/x.png;__MACOSX/cat/a.png;"
    "System Volume Information/y.png;.thumbnails/z.png;cat/._0.png"
)


def test_system_folders_are_neither_images_nor_classes(album, paint):
    for name in SYSTEM_FILES.split(";"):
        paint(album / name)
    (album / "Thumbs.db").write_bytes(b"x")
    images = load(album)
    assert len(images) == 11 and images.class_names == ("cat", "dog")
    ((name, reason),) = images.skipped
    assert name == "#recycle" and reason.startswith("6 system files, here and 5 others")


@pytest.mark.parametrize(
    "folders, query, database, train",
    [
        (("train", "val", "test"), "test", ("train", "val"), "train"),
        (("Training", "Validation"), "Validation", ("Training",), "Training"),
        (("query", "gallery"), "query", ("gallery",), "gallery"),
    ],
)
def test_folders_of_a_split_are_not_classes(tmp_path, paint, folders, query, database, train):
    for part in folders:
        for name in ("cat", "dog"):
            for i in range(3):
                paint(tmp_path / part / name / f"{i}.png")
    images = load(tmp_path)
    assert images.class_names == ("cat", "dog") and images.protocols == ("folders", "default")
    assert any("split" in note for note in images.notes)

    split = draw(images, DataConfig(dataset="folder"))
    for rows, parts in ((split.query, [query]), (split.database, database), (split.train, [train])):
        assert rows.tolist() == [row for row, name in enumerate(images.ids) if name.split("/")[0] in parts]
    assert draw(images, DataConfig(dataset="folder", protocol="default")).protocol == "default"


def test_folders_are_a_split_only_if_all_have_such_names(tmp_path, paint):
    for name in ("train", "bus", "car"):  # vehicles
        for i in range(2):
            paint(tmp_path / name / f"{i}.png")
    assert load(tmp_path).class_names == ("bus", "car", "train")


def test_labels_in_the_folder_are_used_and_noted(album):
    write(album / "metadata.csv", "file_name,label\ncat/0.png,tiger\ndog/deep/1.jpg,wolf\n")
    images = load(album)
    assert images.class_names == ("tiger", "wolf") and images.labelled.sum() == 2 and images.skipped == []
    assert "metadata.csv" in images.notes[0]
    write(album / "metadata.csv", "file_name,width,height\ncat/0.png,3,4\n")
    images = load(album)
    assert images.class_names == ("cat", "dog") and "not used" in images.notes[0]


@pytest.mark.parametrize("data", [None, "/no/such/folder"])
def test_missing_folder_is_an_error(data):
    with pytest.raises(InputError, match="folder"):
        folder.load(DataConfig(dataset="folder", data=data))


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"0 usable images.*a\.txt"):
        load(tmp_path)


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return str(path)


def test_single_labels_from_csv(album):
    text = "id,label\ncat/0.png,tiger\n\ndog/deep/1.jpg, wolf \ncat/9.png,lion\ncat/1.png,\n"
    images = load(album, labels=write(album / "labels.csv", text, "utf-8-sig"))
    assert images.class_names == ("lion", "tiger", "wolf")
    labels = dict(zip(images.ids.tolist(), images.labels.tolist(), strict=True))
    assert labels["cat/0.png"] == 1 and labels["dog/deep/1.jpg"] == 2 and labels["cat/1.png"] == UNLABELLED
    assert images.skipped == [("cat/9.png", "has a label, but no image")]  # and not labels.csv
    assert images.labelled.sum() == 2


@pytest.mark.parametrize(
    "text",
    ["id,label\ncat/0.png,sea;sky\ncat/1.png,sky\n", "id,sea,sky\ncat/0.png,1,1\ncat/1.png,0,1\ncat/2.png,0,0\n"],
)
def test_several_labels_from_csv(album, tmp_path, text):
    images = load(album, labels=write(tmp_path / "labels.csv", text))
    assert images.label_kind == "multi" and images.class_names == ("sea", "sky") and images.labels.dtype == np.uint8
    assert images.labels[:3].tolist() == [[1, 1], [0, 1], [0, 0]] and images.labelled.sum() == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("length,width\na,b\n", "image names"),
        ("id,label\ncat/0.png\n", "line 2 has 1 cells"),
        ("id,label\ncat/0.png,a\ncat/0.png,b\n", "line 3: cat/0.png is listed twice"),
        ("id,sea,sky\ncat/0.png,1,yes\ncat/1.png,1,0\ncat/2.png,0,1\n", "'sky' is neither 0 nor 1"),
        ("id,label\nelsewhere.png,a\n", "labels none of the images"),
        ("id,label\ncat/0.png,\n", "contains no label"),
        ('id,label\n"cat/0.png,a\n', "not a CSV"),
    ],
)
def test_wrong_labels_are_explained(album, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        load(album, labels=write(tmp_path / "labels.csv", text))


def test_missing_or_binary_labels_are_explained(album, tmp_path):
    for message in (r"labels\.csv", "UTF-8"):
        with pytest.raises(InputError, match=message):
            load(album, labels=str(tmp_path / "labels.csv"))
        (tmp_path / "labels.csv").write_bytes(b"\x89\x00\x80")


def test_labels_match_ids_in_either_unicode_form(tmp_path, paint):
    paint(tmp_path / "a" / "cafe\u0301.png")
    paint(tmp_path / "a" / "b.png")
    images = load(tmp_path, labels=write(tmp_path / "l.csv", "id,label\na/caf\u00e9.png,x\na/b.png,y\n"))
    assert sorted(images.labels.tolist()) == [0, 1]
