"""NUS-WIDE: ground truth and lists, nested and flat, with missing images."""

from pathlib import Path

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.datasets import nuswide, registry
from transclipped.datasets.protocols import draw
from transclipped.errors import InputError

DATA = Path(__file__).parent / "data"
LINES = [line.split() for line in (DATA / "nuswide_test.txt").read_text().splitlines()]
NAMES = [line[0] for line in LINES]
CONCEPTS = [f"concept{i:02d}" for i in range(30)]


def load(root, **options):
    return registry.load(DataConfig(dataset="nuswide", data=str(root), **options))


def marks_of(n=40):
    """Random marks `[n, 30]`, from frequent to rare concepts."""
    rng = np.random.default_rng(0)
    share = np.linspace(0.02, 0.5, len(CONCEPTS))[::-1]
    marks = (rng.random((n, len(CONCEPTS))) < share).astype(np.uint8)
    marks[0] = 0  # without any concept
    marks[1:25, 3] = 1
    return marks


def write_truth(root, marks, names=NAMES):
    labels, halves = root / "Groundtruth" / "AllLabels", root / "Groundtruth" / "TrainTestLabels"
    for folder in (labels, halves, root / "ImageList", root / "ConceptsList"):
        folder.mkdir(parents=True)
    (root / "ImageList" / "Imagelist.txt").write_text("".join(name.replace("/", "\\") + "\r\n" for name in names))
    (root / "ImageList" / "TestImagelist.txt").write_text(names[0].replace("/", "\\") + "\r\n")
    (root / "ConceptsList" / "Concepts81.txt").write_text("\n".join(CONCEPTS))
    for column, concept in enumerate(CONCEPTS):
        (labels / f"Labels_{concept}.txt").write_text("".join(f"{mark}\n" for mark in marks[:, column]))
        (halves / f"Labels_{concept}_Train.txt").write_text("1\n")
    return root


@pytest.fixture
def truth(tmp_path, stand_ins):
    """Ground truth of the 40 images of the excerpt, nested by keyword."""
    write_truth(tmp_path, marks_of())
    stand_ins(tmp_path / "Flickr", NAMES)
    return tmp_path


def test_the_21_most_frequent_concepts_are_counted(truth):
    marks, images = marks_of(), load(truth)
    counts = [(-sum(int(mark) for mark in marks[:, c]), name) for c, name in enumerate(CONCEPTS)]  # by loops
    assert list(images.class_names) == sorted(name for _, name in sorted(counts)[:21])
    columns = [CONCEPTS.index(name) for name in images.class_names]
    part = marks[:, columns].any(1)
    assert images.ids.tolist() == [name for name, labelled in zip(NAMES, part, strict=True) if labelled]
    assert np.array_equal(images.labels, marks[np.ix_(part, columns)])
    assert NAMES[0] not in images.ids and any("of 40 images have none" in note for note in images.notes)
    assert images.default_k == 5000


def test_ties_of_frequency_are_broken_by_name():
    assert nuswide.most_frequent({"b": 2, "a": 2, "d": 9, "c": 2}, 2) == ("a", "d")


@pytest.mark.parametrize("flat", [False, True])
def test_images_nested_by_keyword_or_flat_by_name(tmp_path, stand_ins, flat):
    stand_ins(tmp_path / "images", [name.rpartition("/")[2] if flat else name for name in NAMES])
    (tmp_path / "nuswide_test.txt").write_text((DATA / "nuswide_test.txt").read_text())
    images = load(tmp_path)
    assert images.ids.tolist() == NAMES
    assert images.labels.tolist() == [[int(mark) for mark in line[1:]] for line in LINES]
    assert images.class_names[0] == "label 1" and len(images.class_names) == 21
    assert any("do not name their 21 labels" in note for note in images.notes)
    assert images.protocols == ("default",)  # all are test rows, which leaves no database


def test_missing_images_are_counted_and_named(truth):
    for name in NAMES[5:9]:
        (truth / "Flickr" / name).unlink()
    images = load(truth)
    assert set(images.missing) <= set(NAMES[5:9]) and images.missing
    assert len(images) + len(images.missing) == images.listed


def test_ambiguous_flat_name_is_not_guessed(tmp_path, stand_ins):
    stand_ins(tmp_path, [f"{folder}/0451_1307521289.jpg" for folder in ("one", "two")] + NAMES[1:])
    (tmp_path / "nuswide_test.txt").write_text((DATA / "nuswide_test.txt").read_text())
    assert load(tmp_path).missing == [NAMES[0]]


def test_lists_with_the_ground_truth_give_the_roles(truth):
    images = load(truth)
    row = {name: " ".join(map(str, marks)) for name, marks in zip(images.ids, images.labels, strict=True)}
    query = images.ids[:6].tolist()
    (truth / "nuswide_test.txt").write_text("".join(f"{name} {row[name]}\n" for name in query))
    images = load(truth)
    split = draw(images, DataConfig(protocol="listed"))
    assert images.ids[split.query].tolist() == query
    assert len(split.database) == len(images) - 6 and np.isin(split.train, split.database).all()
    assert any("6 of the lists' 6 images" in note for note in images.notes)


def test_concept_file_of_another_length_is_left_out_by_name(truth):
    name = load(truth).class_names[0]
    path = truth / "Groundtruth" / "AllLabels" / f"Labels_{name}.txt"
    path.write_text("1\n0\n")
    images = load(truth)
    assert name not in images.class_names
    assert any(f"Labels_{name}.txt has 2 lines for 40 images" in note for note in images.notes)
    path.unlink()
    assert any(f"files of {name} are missing" in note for note in load(truth).notes)


@pytest.mark.parametrize(
    "removed, missing", [("ImageList/Imagelist.txt", "ImageList"), ("Groundtruth/AllLabels", "Groundtruth")]
)
def test_incomplete_ground_truth_is_refused(truth, removed, missing):
    path = truth / removed
    for file in [path] if path.is_file() else list(path.iterdir()):
        file.unlink()
    with pytest.raises(InputError, match=f"lacks {missing}"):
        load(truth)


def write_halves(root, marks, names=NAMES, swap=()):
    """The official halves: every third image is in Test; marks of the concepts in `swap` are inverted."""
    test = np.arange(len(names)) % 3 == 0
    for half, rows in (("Train", np.flatnonzero(~test)), ("Test", np.flatnonzero(test))):
        text = "".join(names[row].replace("/", "\\") + "\r\n" for row in rows)
        (root / "ImageList" / f"{half}Imagelist.txt").write_text(text)
        for column, concept in enumerate(CONCEPTS):
            column_marks = 1 - marks[rows, column] if concept in swap else marks[rows, column]
            path = root / "Groundtruth" / "TrainTestLabels" / f"Labels_{concept}_{half}.txt"
            path.write_text("".join(f"{mark} \n" for mark in column_marks))


@pytest.mark.parametrize("removed", ["AllLabels", "AllLabels and Imagelist.txt"])
def test_official_halves_replace_the_whole(truth, removed):
    whole = load(truth)
    write_halves(truth, marks_of())
    for file in (truth / "Groundtruth" / "AllLabels").iterdir():
        file.unlink()
    if "Imagelist" in removed:
        (truth / "ImageList" / "Imagelist.txt").unlink()
    images = load(truth)
    assert "TrainImagelist.txt" in images.sources and "60 concept files of the official halves" in images.sources
    assert images.class_names == whole.class_names
    if "Imagelist" in removed:
        assert any("draws other rows" in note for note in images.notes)
        order = np.argsort(images.ids)
        assert images.ids[order].tolist() == sorted(whole.ids)
        assert np.array_equal(images.labels[order], whole.labels[np.argsort(whole.ids)])
    else:  # the same set, so the same split
        assert images.fingerprint == whole.fingerprint
        assert draw(images, DataConfig()).to_json(images) == draw(whole, DataConfig()).to_json(whole)


def test_official_halves_are_compared_with_the_whole(truth):
    whole = load(truth)
    write_halves(truth, marks_of())
    images = load(truth)
    assert images.fingerprint == whole.fingerprint
    assert any("40 of 40 images" in note and "have the same" in note for note in images.notes)
    write_halves(truth, marks_of(), swap=(whole.class_names[2],))
    assert any("differ in 40 labels" in note for note in load(truth).notes)
    assert load(truth).fingerprint == whole.fingerprint


def test_marks_that_are_not_0_or_1_are_refused(truth):
    path = truth / "Groundtruth" / "AllLabels" / f"Labels_{CONCEPTS[0]}.txt"
    path.write_text("maybe\n" * 40)
    with pytest.raises(InputError, match=rf"Labels_{CONCEPTS[0]}\.txt must hold 0 or 1"):
        load(truth)


def test_invalid_and_repeated_lines_of_the_image_list_are_named(truth, tmp_path):
    lines = [name.replace("/", "\\") for name in NAMES]
    lines[2], lines[3], lines[5] = r"..\..\secret.jpg", lines[4], "no image"
    (truth / "ImageList" / "Imagelist.txt").write_text("\n".join(lines))
    images = load(truth)
    problems = dict(images.skipped)
    assert {"Imagelist.txt line 3", "Imagelist.txt line 5", "Imagelist.txt line 6"} <= problems.keys()
    columns = [CONCEPTS.index(name) for name in images.class_names]
    assert images.labels[images.ids.tolist().index(NAMES[4])].tolist() == marks_of()[3, columns].tolist()


def test_missing_labels_are_explained(tmp_path, stand_ins):
    stand_ins(tmp_path, NAMES)
    with pytest.raises(InputError, match=r"no labels of NUS-WIDE.*AllLabels"):
        load(tmp_path)
