"""Images with a valid header that cannot be decoded are named and left out; the others are used."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets import folder
from transclipped.datasets.images.decode import fault
from transclipped.datasets.protocols import draw
from transclipped.runs.run import RunDir
from transclipped.utils.files import cache_dir, read_object

FLAGS = ["--backbone", "efficientnet-lite0", "--image-size", "32", "--epochs", "1", "--batch", "6", "--bits", "8"]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def photograph(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    return Image.fromarray(noise).resize((70, 50), Image.Resampling.BICUBIC)


def jpeg(seed):
    buffer = io.BytesIO()
    photograph(seed).save(buffer, "JPEG")
    return buffer.getvalue()


def patched(marker, offset, value):
    data = bytearray(jpeg(0))
    start = data.index(marker) + offset
    data[start : start + len(value)] = value
    return bytes(data)


def animated_without_frames():
    """An animated PNG whose default image is not a frame, and whose frames have no header (Pillow's chunk_no_fctl)."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0))
    pixels = chunk(b"fdAT", struct.pack(">I", 0) + zlib.compress(b"\0" * 49 * 16))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"acTL", struct.pack(">II", 1, 0)) + pixels + chunk(b"IEND", b"")


HEAD = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
BAD = {
    "garbage.png": HEAD + chunk(b"IDAT", b"hello world" * 50) + chunk(b"IEND", b""),
    "no-frames.png": animated_without_frames(),
    "lossless.jpg": patched(b"\xff\xc0", 1, b"\xc3"),
    "huffman.jpg": patched(b"\xff\xc4", 5, b"\xff" * 16),
    "no-quantisation.jpg": patched(b"\xff\xdb", 0, b"\xff\xfe"),
    "no-scan.jpg": jpeg(0)[: jpeg(0).index(b"\xff\xda")] + b"\xff\xd9",
}


@pytest.fixture
def album(tmp_path):
    """Twelve photographs in two classes, and six that cannot be decoded."""
    root = tmp_path / "album"
    for i in range(12):
        path = root / ("sea" if i % 2 else "city") / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(i))
    for i, (name, raw) in enumerate(BAD.items()):
        (root / ("sea" if i % 2 else "city") / name).write_bytes(raw)
    return root


def ids_of(run):
    stored = RunDir(run).retrieval()
    return {*stored.database_ids.tolist(), *stored.query_ids.tolist()}


def test_headers_look_complete(album):
    faults = {path.name: fault(path) for path in album.rglob("*") if path.name in BAD}
    assert sum(reason is None for reason in faults.values()) >= 5


def test_encode_names_them_and_encodes_the_others(album, tiny_run, tmp_path, capsys):
    for _ in range(2):  # the second time no file is opened
        argv = ["encode", str(album), "--run", str(tiny_run), "--out", str(tmp_path / "out"), "--json"]
        assert main(argv) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["n"] == 12
        assert {name.partition("/")[2] for name, _ in result["skipped"]} == set(BAD)
    assert result["n_encoded"] == 0 and result["n_reused"] == 12


@pytest.mark.parametrize("mode", ["frozen", "last-1"])
def test_train_leaves_them_out_of_every_role(album, tmp_path, mode, capsys):
    run = tmp_path / "run"
    argv = ["train", "--run", str(run), "--dataset", "folder", "--data", str(album), *FLAGS, "--backbone-train", mode]
    assert main([*argv, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert {name.partition("/")[2] for name in ids_of(run)} & set(BAD) == set()
    assert len(ids_of(run)) == 12
    listed = {name for name, _ in folder.load(DataConfig(dataset="folder", data=str(album))).skipped}
    assert {name for name, _ in metrics["unreadable"]["images"]} | listed == {
        path.relative_to(album).as_posix() for path in album.rglob("*") if path.name in BAD
    }
    split = json.loads((run / "split.json").read_text())
    names = {name for role in ("train", "query", "database") for name in split[role]}
    assert not names & listed and not any(name.endswith(tuple(BAD)) for name in names)
    assert main(["train", "--run", str(run), "--resume"]) == 0


def test_reasons_apply_only_to_the_same_content(album):
    config = DataConfig(dataset="folder", data=str(album))
    images = folder.load(config)
    rows, pixels = images.decoded(np.arange(len(images)), 16)
    assert len(rows) == len(pixels) == 12
    again = folder.load(config)
    assert again.unreadable == images.unreadable and again.unreadable
    assert set(draw(again, config).database) & set(again.unreadable) == set()
    assert set(draw(again, config, unreadable=True).database) & set(again.unreadable)
    (album / "city" / "garbage.png").write_bytes(jpeg(77))
    repaired = folder.load(config)
    assert repaired.fingerprint != images.fingerprint and repaired.unreadable == {}


def test_a_file_deleted_after_the_listing_is_left_out_only_this_time(album):
    images = folder.load(DataConfig(dataset="folder", data=str(album)))
    (album / "sea" / "1.jpg").unlink()
    rows, _ = images.decoded(np.arange(len(images)), 16)
    assert len(rows) == 11 and "no such file" in images.unreadable[images.ids.tolist().index("sea/1.jpg")]
    assert "sea/1.jpg" not in read_object(cache_dir() / "unreadable" / f"{images.fingerprint}.json")
