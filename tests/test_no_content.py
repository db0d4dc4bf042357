"""Messages never repeat the content of a file of the wrong kind, which may be any file of the machine."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.image_files import encoded
from transclipped.config import DataConfig
from transclipped.datasets import embeddings, flickr25k, folder, nuswide
from transclipped.datasets.protocols import read_split
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.collection import paths_of, record_of
from transclipped.utils.files import read_json

SECRET = "hunter2"


def npy(header: str) -> bytes:
    """A numpy file with this header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


CONTENTS = {  # of files found on disks
    "environment": f"HOME=/root\0TOKEN={SECRET}\0PATH=/bin".encode(),
    "passwd": f"root:{SECRET}:0:0:root:/root:/bin/bash\nwww:{SECRET}:1:1::/:/bin/sh\n".encode(),
    "csv": f"user,password\nme,{SECRET}\n".encode(),
    "one line": f"{SECRET},{SECRET}".encode(),
    "number first": f"1\n{SECRET}\n".encode(),
    "numbers": f"1\n2\n{SECRET}\n".encode(),
    "marks first": f"im1.jpg 0 1\n{SECRET} 0 1\nim2.jpg {SECRET} 1\n{SECRET}\n".encode(),
    "names": f"im1.jpg\n{SECRET}\n".encode(),
    "json": json.dumps({SECRET: SECRET, "protocol": [SECRET], "seed": SECRET}).encode(),
    "json of roles": json.dumps({"train": [], "protocol": [SECRET], "seed": 0}).encode(),
    "json list": json.dumps([SECRET, {SECRET: [SECRET]}]).encode(),
    "broken json": f'{{"{SECRET}": {SECRET}'.encode(),
    "latin": f"pass\xe9 {SECRET}".encode("latin-1"),
    "quotes": f'"{SECRET}\n'.encode(),
    "pickle": b"c__main__\n" + SECRET.encode() + b"\n(tR.",
    "header": (len(text := json.dumps({SECRET: SECRET}))).to_bytes(8, "little") + text.encode(),
    "npy": npy(f"{{'{SECRET}': 1}}\n"),
    "npy of a type": npy(f"{{'descr': '{SECRET}', 'fortran_order': False, 'shape': (3,)}}\n"),
}


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def folder_of_images(tmp_path: Path) -> Path:
    for number in (1, 2):
        write(tmp_path / "images" / f"im{number}.jpg", encoded(Image.new("RGB", (8, 8), (number, 0, 0)), "JPEG"))
    return tmp_path / "images"


def split(tmp_path, content, ending):
    images = folder.load(DataConfig(dataset="folder", data=str(folder_of_images(tmp_path))))
    return read_split(write(tmp_path / f"split.{ending}", content), images)


def labels(tmp_path, content):
    config = {"data": str(folder_of_images(tmp_path)), "labels": str(write(tmp_path / "labels.csv", content))}
    return folder.load(DataConfig(dataset="folder", **config))


def lists(tmp_path, content, module, name, *, other="", holds=b""):
    if other:
        write(tmp_path / "lists" / other, holds)
    write(tmp_path / "lists" / name, content)
    return module.load(DataConfig(dataset="x", data=str(folder_of_images(tmp_path)), labels=str(tmp_path / "lists")))


def numbers(tmp_path, content, ending):
    return embeddings.load(DataConfig(dataset="embeddings", data=str(write(tmp_path / f"e.{ending}", content))))


READERS = {
    "labels": labels,
    "split.csv": lambda p, c: split(p, c, "csv"),
    "split.json": lambda p, c: split(p, c, "json"),
    "flickr lists": lambda p, c: lists(p, c, flickr25k, "mine.txt"),
    "flickr pair": lambda p, c: lists(p, c, flickr25k, "f_targets.txt", other="f_img.txt", holds=b"im1.jpg\nim2.jpg"),
    "flickr annotations": lambda p, c: lists(p, c, flickr25k, "sea.txt", other="sky.txt", holds=b"1\n"),
    "nuswide lists": lambda p, c: lists(p, c, nuswide, "nuswide_test.txt"),
    "nuswide images": lambda p, c: lists(p, c, nuswide, "Imagelist.txt", other="Labels_x.txt", holds=b"0\n1\n"),
    "nuswide labels": lambda p, c: lists(p, c, nuswide, "Labels_x.txt", other="Imagelist.txt", holds=b"im1.jpg\n"),
    "embeddings.npy": lambda p, c: numbers(p, c, "npy"),
    "embeddings.npz": lambda p, c: numbers(p, c, "npz"),
    "embeddings.parquet": lambda p, c: numbers(p, c, "parquet"),
    "json": lambda p, c: read_json(write(p / "x.json", c)) and None,
    "run": lambda p, c: RunDir(write(p / "run" / "config.json", c).parent).config,
    "retrieval": lambda p, c: Retrieval.load(write(p / "retrieval.npz", c)),
    "safetensors": lambda p, c: load_tensors(write(p / "w.safetensors", c)),
    "torch": lambda p, c: load_tensors(write(p / "w.pth", c)),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_no_message_repeats_a_file(tmp_path, reader, content):
    """Neither in the error, nor in the skipped files, notes and labels of a successful reading."""
    try:
        result = READERS[reader](tmp_path, CONTENTS[content])
    except InputError as error:
        text = str(error)
    else:
        text = str([getattr(result, name, ()) for name in ("skipped", "notes", "class_names")])
    assert SECRET not in text


def test_arrays_and_columns_of_other_files_are_not_named(tmp_path):
    np.savez(tmp_path / "a.npz", **{SECRET: np.zeros(3)})
    pq.write_table(pa.table({SECRET: [1]}), tmp_path / "a.parquet")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr(SECRET, SECRET)
    for name in ("a.npz", "a.parquet", "b.npz"):
        with pytest.raises(InputError) as caught:
            embeddings.load(DataConfig(dataset="embeddings", data=str(tmp_path / name)))
        assert SECRET not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:  # an array with the wrong header
        archive.writestr("codes.npy", CONTENTS["npy"])
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(SECRET, SECRET)
    for name in ("a.npz", "b.npz", "c.npz", "d.npz"):
        with pytest.raises(InputError) as caught:
            Retrieval.load(tmp_path / name)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", CONTENTS)
def test_a_collection_repeats_no_file(tmp_path, content):
    write(tmp_path / "collection.json", CONTENTS[content])
    write(tmp_path / "codes.parquet", CONTENTS[content])
    for read in (lambda: record_of(tmp_path, np.zeros((1, 2, 3)), run=Path("run")), lambda: paths_of(tmp_path)):
        with pytest.raises(InputError) as caught:
            read()
        assert SECRET not in str(caught.value)
