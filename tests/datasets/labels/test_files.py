"""Labels are read from all common formats, and the detected form is returned."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transclipped.datasets.base import UNLABELLED
from transclipped.datasets.labels.files import beside, recognise
from transclipped.errors import InputError

IDS = ["cats/1.jpg", "cats/2.jpg", "dogs/1.jpg", "owl.png"]
SINGLE = {"cats/1.jpg": "cat", "cats/2.jpg": "cat", "dogs/1.jpg": "dog", "owl.png": "owl"}
SEVERAL = {"cats/1.jpg": ["cat", "sea"], "cats/2.jpg": ["cat"], "dogs/1.jpg": ["dog", "sea"], "owl.png": []}


def by_id(file):
    """Labels of each image by name, from the arrays."""
    marks = file.labels if file.labels.ndim == 2 else file.labels[:, None] == np.arange(len(file.class_names))
    return {name: [file.class_names[i] for i in np.flatnonzero(row)] for name, row in zip(IDS, marks, strict=True)}


def text(path, lines, encoding="utf-8"):
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


@pytest.mark.parametrize(
    "columns", ["id,label", "Filename,Class", "file_name,LABELS", "path,category", "image,species"]
)
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_columns_delimiters_and_encodings(tmp_path, columns, delimiter, encoding):
    lines = [columns, *(f"{name},{label}é" for name, label in SINGLE.items())]
    file = recognise(text(tmp_path / "l.csv", [line.replace(",", delimiter) for line in lines], encoding), IDS)
    assert by_id(file) == {name: [f"{label}é"] for name, label in SINGLE.items()}
    assert [file.id_column, *file.label_columns] == columns.split(",")
    assert (file.delimiter, file.encoding) == (delimiter, encoding.removesuffix("-sig"))
    assert (file.n_rows, file.n_images, file.n_labelled, file.separator) == (4, 4, 4, "")
    assert file.examples[0] == ("cats/1.jpg", ("caté",))


@pytest.mark.parametrize("separator", [";", "|", ","])
def test_several_labels_in_a_cell(tmp_path, separator):
    lines = ["file,tags", *(f'{name},"{separator.join(labels)}"' for name, labels in SEVERAL.items())]
    file = recognise(text(tmp_path / "l.csv", lines), IDS)
    assert by_id(file) == SEVERAL and file.separator == separator and file.n_labelled == 3


def test_a_comma_within_one_label_does_not_split_it(tmp_path):
    lines = ["file,class", 'cats/1.jpg,"tench, Tinca tinca"', 'dogs/1.jpg,"goldfish, Carassius auratus"']
    file = recognise(text(tmp_path / "l.csv", lines), IDS)
    assert file.class_names == ("goldfish, Carassius auratus", "tench, Tinca tinca") and file.separator == ""


@pytest.mark.parametrize("cells", [("0", "1"), ("0.0", "1.0"), ("False", "True"), ("", "1")])
def test_one_column_per_label(tmp_path, cells):
    names = ("cat", "dog", "sea")
    lines = ["image_id,url,cat,dog,sea"]
    lines += [f"{name},http://x," + ",".join(cells[n in labels] for n in names) for name, labels in SEVERAL.items()]
    file = recognise(text(tmp_path / "l.csv", lines), IDS)
    assert by_id(file) == SEVERAL and file.one_hot and file.label_columns == names


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("labels", [SINGLE, SEVERAL], ids=["one", "list"])
def test_tables_of_other_kinds(tmp_path, kind, labels):
    rows = [{"file_name": name, "label": label} for name, label in labels.items()]
    path = tmp_path / f"metadata.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    expected = {name: label if isinstance(label, list) else [label] for name, label in labels.items()}
    assert by_id(recognise(path, IDS)) == expected


def test_missing_labels_are_not_a_class(tmp_path):
    rows = [{"id": "cats/1.jpg", "label": 3.0}, {"id": "cats/2.jpg", "label": float("nan")}, {"id": "owl.png"}]
    path = tmp_path / "l.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    file = recognise(path, IDS)
    assert file.class_names == ("3",) and file.labels.tolist() == [0, UNLABELLED, UNLABELLED, UNLABELLED]
    file = recognise(text(tmp_path / "l.csv", ["id,label", "cats/1.jpg,a", "cats/2.jpg, ", "owl.png,NaN"]), IDS)
    assert file.class_names == ("a",) and file.n_labelled == 1


@pytest.mark.parametrize(
    "written, row",
    [
        ("cats\\1.jpg", 0),
        ("./cats/1.jpg", 0),
        ("/home/me/photos/cats/1.jpg", 0),
        ("C:\\photos\\cats\\1.jpg", 0),
        ("2.jpg", 1),
        ("owl", 3),
        ("1.jpg", None),  # ambiguous
        ("birds/1.jpg", None),  # another folder
        ("birds/2.jpg", None),
    ],
)
def test_spellings_of_a_name(tmp_path, written, row):
    file = recognise(text(tmp_path / "l.csv", ["id,label", "dogs/1.jpg,known", f"{written},x"]), IDS)
    labelled = np.flatnonzero(file.labels == file.class_names.index("x")).tolist()
    assert labelled == ([] if row is None else [row])
    assert file.unknown == (() if row is not None else (written,))


def test_both_unicode_forms_as_two_images(tmp_path):
    ids = ["caf\u00e9.jpg", "cafe\u0301.jpg"]
    file = recognise(text(tmp_path / "l.csv", ["id,label", f"{ids[0]},a", f"{ids[1]},b"]), ids)
    assert file.labels.tolist() == [0, 1]


def test_a_list_without_header(tmp_path):
    file = recognise(text(tmp_path / "l.csv", [f"{name},{label}" for name, label in SINGLE.items()]), IDS)
    assert by_id(file) == {name: [label] for name, label in SINGLE.items()}


def test_the_content_of_other_files_is_not_quoted(tmp_path):
    path = text(tmp_path / "secrets", ["password=hunter2,token=abc", "x,y"])
    with pytest.raises(InputError) as error:
        recognise(path, IDS)
    assert "hunter2" not in str(error.value) and "2 columns" in str(error.value)


def test_files_of_labels_in_the_folder(tmp_path):
    assert beside(tmp_path) is None
    (tmp_path / "metadata.jsonl").write_text("")
    assert beside(tmp_path) == tmp_path / "metadata.jsonl"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_pipe_is_refused_without_blocking(tmp_path, ending):
    os.mkfifo(tmp_path / f"labels.{ending}")
    with pytest.raises(InputError, match="not a regular file"):
        recognise(tmp_path / f"labels.{ending}", IDS)


def test_columns_of_a_damaged_parquet_are_not_quoted(tmp_path):
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"hunter2": ["a"] * 100}), path)
    path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR0"))
    with pytest.raises(InputError, match=r"labels\.parquet") as caught:
        recognise(path, IDS)
    assert "hunter2" not in str(caught.value)
