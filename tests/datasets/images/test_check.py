"""A check counts, names and explains everything wrong with a folder, and finds duplicates."""

import csv
import io
import json
import os
import sys
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets import folder, storage
from transclipped.datasets.images import listing, thumbnails
from transclipped.datasets.images.check import Check, examine, last_report
from transclipped.datasets.protocols import draw, read_split
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir
from transclipped.utils.machine import process_alive

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and permissions need POSIX")


def load(root, **options):
    return folder.load(DataConfig(dataset="folder", data=str(root), **options))


def checked(images):
    check = Check(images)
    steps = list(check.run())
    assert steps[-1].done == steps[-1].total == len(images)
    return check.report


def run(capsys, *argv):
    assert main([*map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def album(tmp_path, stand_ins):
    """Ten different photographs in two folders."""
    return stand_ins(tmp_path / "album", [f"{'sea' if i % 2 else 'city'}/{i}.webp" for i in range(10)])


def hostile_names(root, raw):
    """Names in several scripts, with spaces, quotes, newlines and separators of other systems."""
    names = [
        "日本/写真.webp",
        "ελλάδα.webp",
        "a b 'c\".webp",
        "line\nbreak.webp",
        "back\\slash.webp",
        "-rf.webp",
        "٣.webp",
    ]
    (root / "日本").mkdir()
    for name in names:
        with suppress(OSError):  # the file system refuses it
            (root / name).write_bytes(raw)
    return [name for name in names if (root / name).is_file()]


def test_complete_album(album):
    report = checked(load(album))
    assert (report["found"], report["decoded"], report["damaged"]["count"]) == (10, 10, 0)
    assert report["formats"] == {"WEBP": 10} and report["shorter_side"]["max"] <= 128
    assert report["same_file"]["groups"] == report["look_alike"]["groups"] == 0


def test_same_files_and_lookalikes_are_separate(album):
    raw = (album / "sea" / "1.webp").read_bytes()
    (album / "sea" / "copy.webp").write_bytes(raw)
    Image.open(io.BytesIO(raw)).convert("RGB").resize((90, 90)).save(album / "city" / "smaller.jpg", quality=80)
    report = checked(load(album))
    assert report["same_file"] == {"groups": 1, "extra": 1, "ids": [["sea/1.webp", "sea/copy.webp"]]}
    assert report["look_alike"] == {"groups": 1, "extra": 1, "ids": [["city/smaller.jpg", "sea/1.webp"]]}


def test_image_that_broke_after_it_was_listed_is_damaged_by_name(album):
    images = load(album)
    (album / "city" / "0.webp").write_bytes(b"RIFF....WEBPVP8 broken")
    (album / "sea" / "1.webp").unlink()
    report = checked(images)
    assert report["decoded"] == 8 and report["damaged"]["count"] == 2
    reasons = {one["id"]: one["reason"] for one in report["damaged"]["pictures"]}
    assert "cannot be used" in reasons["city/0.webp"] and "no such file" in reasons["sea/1.webp"]


def test_report_is_cached_for_the_same_content_only(album):
    Image.new("RGB", (9, 9), "pink").save(album / "own.png")  # other tests check the same album
    images = load(album)
    assert last_report(images.fingerprint) is None
    report = checked(images)
    assert last_report(images.fingerprint) == report
    os.utime(album / "sea" / "1.webp", ns=(1, 1))
    assert last_report(load(album).fingerprint) == report
    Image.new("RGB", (9, 9), "plum").save(album / "own.png")
    assert last_report(load(album).fingerprint) is None


def test_hostile_names_are_found_and_checked(album):
    written = hostile_names(album, (album / "sea" / "1.webp").read_bytes())
    images = load(album)
    assert set(written) <= set(images.ids.tolist())
    report = checked(images)
    assert report["decoded"] == 10 + len(written) and report["same_file"]["extra"] == len(written)


@posix
def test_unreadable_folder_and_file_are_named(album):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (album / "city").chmod(0)
    (album / "sea" / "1.webp").chmod(0)
    try:
        skipped = dict(load(album).skipped)
    finally:
        (album / "city").chmod(0o755)
    assert "this folder cannot be read" in skipped["city"] and "permission denied" in skipped["sea/1.webp"]


@posix
def test_unreadable_folder_and_file_are_named_as_root(album, monkeypatch):
    """As above for root, with patched calls."""

    def refusing(real, ending):
        def call(path, *rest, **options):
            if str(path).endswith(ending):
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *rest, **options)

        return call

    monkeypatch.setattr(listing.os, "scandir", refusing(os.scandir, "city"))
    monkeypatch.setattr(Image, "open", refusing(Image.open, "1.webp"))
    images = load(album)
    assert len(images) == 4
    assert dict(images.skipped).keys() == {"city", "sea/1.webp"}
    assert all("permission denied" in reason for _, reason in images.skipped)


@posix
def test_links_that_loop_end(album):
    (album / "sea" / "up").symlink_to(album)
    (album / "one").symlink_to(album / "two")
    (album / "two").symlink_to(album / "one")
    images = load(album)
    assert len(images) == 10 and {"sea/up", "one", "two"} == {name for name, _ in images.skipped}


def test_second_listing_opens_only_what_changed(album, monkeypatch):
    load(album)
    opened = []
    real = listing.fault
    monkeypatch.setattr(listing, "fault", lambda path: opened.append(path.name) or real(path))
    load(album)
    assert opened == []
    (album / "sea" / "new.webp").write_bytes((album / "sea" / "1.webp").read_bytes())
    os.utime(album / "city" / "0.webp", ns=(5, 5))
    load(album)
    assert sorted(opened) == ["0.webp", "new.webp"]


def test_damaged_cache_of_a_listing_is_ignored(album):
    load(album)
    for path in (cache_dir() / "listings").glob("*.parquet"):
        path.write_bytes(b"torn")
    assert len(load(album)) == 10


def test_missing_folder_is_named_with_a_remedy(album):
    images = load(album)
    album.rename(album.with_name("elsewhere"))
    for use in (images.image, images.encoded, images.preview, lambda row: images.pixels(np.array([row]), 8)):
        with pytest.raises(InputError, match=r"album is gone.*unplugged"):
            use(0)
    with pytest.raises(InputError, match="is gone"):
        load(album)


def test_csv_ids_may_have_windows_separators(album, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,label\nsea\\1.webp,wave\n./city/0.webp,tower\n..\\secret.webp,x\n")
    images = load(album, labels=str(path))
    labels = dict(zip(images.ids.tolist(), images.labels.tolist(), strict=True))
    assert images.class_names[labels["sea/1.webp"]] == "wave" and images.class_names[labels["city/0.webp"]] == "tower"
    assert images.skipped == [("../secret.webp", "has a label, but no image")]


def test_command_reports_and_writes_every_name(album, tmp_path, capsys):
    (album / "sea" / "empty.webp").touch()
    (album / "notes.txt").write_text("no image")
    report = run(capsys, "datasets", "check", "folder", album, "--names", tmp_path / "names.csv")
    assert report["decoded"] == 10 and report["query"] == 1 and report["database"] == 9
    assert {one["id"] for one in report["skipped"]} == {"sea/empty.webp", "notes.txt"}
    rows = list(csv.reader((tmp_path / "names.csv").open(encoding="utf-8")))
    assert rows[0] == ["id", "reason"] and {row[0] for row in rows[1:]} == {"sea/empty.webp", "notes.txt"}
    quick = run(capsys, "datasets", "check", "folder", album, "--quick")
    assert quick["found"] == 10 and "decoded" not in quick


def test_check_writes_its_progress_to_a_file(album, tmp_path, capsys):
    run(capsys, "datasets", "check", "folder", album, "--progress", tmp_path / "progress.json")
    progress = json.loads((tmp_path / "progress.json").read_text())
    assert progress["done"] == progress["total"] == 10 and process_alive(progress["pid"], progress["started"])


def test_folder_too_small_for_a_split_is_still_checked(tmp_path, stand_ins, capsys):
    report = run(capsys, "datasets", "check", "folder", stand_ins(tmp_path, ["a.webp", "b.webp"]))
    assert report["decoded"] == 2 and "1 training" in report["no_split"]


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_written_split_is_read_back(album, tmp_path, capsys, ending):
    out = tmp_path / f"split.{ending}"
    counts = run(capsys, "datasets", "split", "folder", album, "--seed", "3", "--out", out)
    images = load(album)
    split, read = draw(images, DataConfig(seed=3)), read_split(out, images)
    for role in ("train", "query", "database"):
        assert np.array_equal(getattr(split, role), getattr(read, role)) and counts[role] == len(getattr(read, role))


def test_split_needs_a_json_or_csv_file(album, tmp_path, capsys):
    assert main(["datasets", "split", "folder", str(album)]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["datasets", "split", "folder", str(album), "--out", str(tmp_path / "split.xls")]) == 2
    assert "ends in .json or .csv" in capsys.readouterr().err


def test_printed_report_truncates_long_lists(album, capsys):
    for i in range(30):
        (album / f"note{i}.txt").write_text("x")
    assert main(["datasets", "check", "folder", str(album)]) == 0
    assert "… and 20 more" in capsys.readouterr().out


def test_content_hash_depends_on_the_bytes_only(photographs):
    one, other = examine(photographs[0], name="a"), examine(photographs[1], name="b")
    assert one.content != other.content and one.content == examine(photographs[0], name="c").content
    with pytest.raises(InputError, match="holiday"):
        examine(b"no image", name="holiday")


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def large(path, side=900):
    """A photograph-like file of more than `thumbnails.LARGE` bytes."""
    rng = np.random.default_rng(len(path.name))
    Image.fromarray(rng.integers(0, 256, (side, side + 100, 3), dtype=np.uint8)).save(path, quality=90)
    assert path.stat().st_size > thumbnails.LARGE
    return path


def test_thumbnail_is_created_once_per_version_of_the_image(tmp_path, own_cache_folder):
    path = large(tmp_path / "photo.jpg")
    assert min(thumbnails.small(path).size) == 256
    (thumbnail,) = own_cache_folder.rglob("*.jpg")
    Image.new("RGB", (256, 300), "red").save(thumbnail)  # to detect its use
    assert thumbnails.small(path).getpixel((9, 9))[0] > 250
    os.utime(path, ns=(7, 7))
    assert thumbnails.small(path).size == (284, 256)
    assert len(list(own_cache_folder.rglob("*.jpg"))) == 2


def test_damaged_thumbnail_is_replaced(tmp_path, own_cache_folder):
    path = large(tmp_path / "photo.jpg")
    thumbnails.small(path)
    next(own_cache_folder.rglob("*.jpg")).write_bytes(b"torn")
    assert min(thumbnails.small(path).size) == 256


def test_small_files_have_no_thumbnail(album, own_cache_folder):
    assert load(album).preview(0).width > 50 and not list(own_cache_folder.rglob("*.jpg"))


def test_oldest_thumbnails_are_deleted_above_the_limit(tmp_path, own_cache_folder):
    paths = [large(tmp_path / f"{'x' * i}.jpg") for i in range(1, 5)]
    for path in paths:
        thumbnails.small(path)
    files = list(own_cache_folder.rglob("*.jpg"))
    for i, file in enumerate(files):
        os.utime(file, ns=(i, i))
    sizes = [file.stat().st_size for file in files]
    freed = thumbnails.prune(limit=sum(sizes[2:]))
    assert freed == sum(sizes[:2]) and [file.exists() for file in files] == [False, False, True, True]


def test_cache_is_listed_and_cleared_by_kind(album, own_cache_folder):
    checked(load(album))
    (own_cache_folder / "old").mkdir()
    (own_cache_folder / "old" / "file").write_bytes(b"12345")
    kinds = {kind.name: kind for kind in storage.stored()}
    assert set(kinds) == {"listings", "checks", storage.OTHER} and kinds[storage.OTHER].bytes == 5
    assert storage.clear(["checks"]) == kinds["checks"].bytes
    assert {kind.name for kind in storage.stored()} == {"listings", storage.OTHER}
    assert storage.clear(["listings", storage.OTHER]) > 0 and storage.stored() == []
    with pytest.raises(InputError, match="no kind 'everything'"):
        storage.clear(["everything"])
