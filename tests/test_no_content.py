"""A message never repeats what a file holds that is not what it should be: it may be anything of the machine."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.datasets import embeddings, flickr25k, folder, nuswide
from transclipped.datasets.protocols import read_split
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import read_json

SECRET = "hunter2"
CONTENTS = {  # what people have on their disks
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
    "npy": b"\x93NUMPY\x01\x00" + (len(line := f"{{'{SECRET}': 1}}\n")).to_bytes(2, "little") + line.encode(),
    "npy of a type": b"\x93NUMPY\x01\x00"
    + (len(kind := f"{{'descr': '{SECRET}', 'fortran_order': False, 'shape': (3,)}}\n")).to_bytes(2, "little")
    + kind.encode(),
}


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def folder_of_images(tmp_path: Path) -> Path:
    from PIL import Image

    (tmp_path / "pictures").mkdir(exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "pictures" / f"im{number}.jpg")
    return tmp_path / "pictures"


def split(tmp_path, content, ending):
    images = folder.load(DataConfig(dataset="folder", data=str(folder_of_images(tmp_path))))
    return read_split(written(tmp_path / f"split.{ending}", content), images)


def labels(tmp_path, content):
    config = {"data": str(folder_of_images(tmp_path)), "labels": str(written(tmp_path / "labels.csv", content))}
    return folder.load(DataConfig(dataset="folder", **config))


def lists(tmp_path, content, module, name):
    written(tmp_path / "lists" / name, content)
    return module.load(DataConfig(dataset="x", data=str(folder_of_images(tmp_path)), labels=str(tmp_path / "lists")))


def numbers(tmp_path, content, ending):
    return embeddings.load(DataConfig(dataset="embeddings", data=str(written(tmp_path / f"e.{ending}", content))))


def beside(tmp_path, content, module, name, *, other, holds):
    """As `lists`, with another list that the first one belongs to."""
    written(tmp_path / "lists" / other, holds)
    return lists(tmp_path, content, module, name)


READERS = {
    "labels": labels,
    "split.csv": lambda p, c: split(p, c, "csv"),
    "split.json": lambda p, c: split(p, c, "json"),
    "flickr lists": lambda p, c: lists(p, c, flickr25k, "mine.txt"),
    "flickr pair": lambda p, c: beside(p, c, flickr25k, "f_targets.txt", other="f_img.txt", holds=b"im1.jpg\nim2.jpg"),
    "flickr annotations": lambda p, c: beside(p, c, flickr25k, "sea.txt", other="sky.txt", holds=b"1\n"),
    "nuswide lists": lambda p, c: lists(p, c, nuswide, "nuswide_test.txt"),
    "nuswide images": lambda p, c: beside(p, c, nuswide, "Imagelist.txt", other="Labels_x.txt", holds=b"0\n1\n"),
    "nuswide labels": lambda p, c: beside(p, c, nuswide, "Labels_x.txt", other="Imagelist.txt", holds=b"im1.jpg\n"),
    "embeddings.npy": lambda p, c: numbers(p, c, "npy"),
    "embeddings.npz": lambda p, c: numbers(p, c, "npz"),
    "embeddings.parquet": lambda p, c: numbers(p, c, "parquet"),
    "json": lambda p, c: read_json(written(p / "x.json", c)) and None,
    "run": lambda p, c: RunDir(written(p / "run" / "config.json", c).parent).config,
    "retrieval": lambda p, c: Retrieval.load(written(p / "retrieval.npz", c)),
    "safetensors": lambda p, c: load_tensors(written(p / "w.safetensors", c)),
    "torch": lambda p, c: load_tensors(written(p / "w.pth", c)),
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("reader", READERS)
def test_no_message_repeats_a_file(tmp_path, reader, content):
    """Neither in the error, nor among what is named as left out, noted or taken for a label."""
    try:
        read = READERS[reader](tmp_path, CONTENTS[content])
    except InputError as error:
        said = str(error)
    else:
        said = "" if read is None else str([getattr(read, n, ()) for n in ("skipped", "notes", "class_names")])
    assert SECRET not in said


def test_arrays_and_columns_of_other_files_are_not_named(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    np.savez(tmp_path / "a.npz", **{SECRET: np.zeros(3)})
    pq.write_table(pa.table({SECRET: [1]}), tmp_path / "a.parquet")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr(SECRET, SECRET)
    for name in ("a.npz", "a.parquet", "b.npz"):
        with pytest.raises(InputError) as caught:
            embeddings.load(DataConfig(dataset="embeddings", data=str(tmp_path / name)))
        assert SECRET not in str(caught.value)
    header = f"{{'{SECRET}': 1}}\n".encode()
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:  # an array whose header is something else
        archive.writestr("codes.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(SECRET, SECRET)
    for name in ("a.npz", "b.npz", "c.npz", "d.npz"):
        with pytest.raises(InputError) as caught:
            Retrieval.load(tmp_path / name)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", CONTENTS)
def test_a_collection_repeats_no_file(tmp_path, content):
    from transclipped.search.collection import paths_of, record_of

    written(tmp_path / "collection.json", CONTENTS[content])
    written(tmp_path / "codes.parquet", CONTENTS[content])
    for read in (lambda: record_of(tmp_path, np.zeros((1, 2, 3)), run=Path("run")), lambda: paths_of(tmp_path)):
        with pytest.raises(InputError) as caught:
            read()
        assert SECRET not in str(caught.value)
