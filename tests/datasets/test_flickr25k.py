"""Flickr25K in all usual layouts, complete and damaged, and its protocol."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import facts
from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets import flickr25k, registry
from transclipped.datasets.images import decode
from transclipped.datasets.labels import listed
from transclipped.datasets.labels.listed import Listing
from transclipped.datasets.protocols import draw
from transclipped.errors import InputError
from transclipped.runs.run import RunDir

DATA = Path(__file__).parent / "data"
NAMES = (DATA / "flickr25k_img.txt").read_text().split()
TARGETS = [line.split() for line in (DATA / "flickr25k_targets.txt").read_text().splitlines()]
BARE = [i for i, row in enumerate(TARGETS) if "1" not in row]  # images without any label


def load(root, **options):
    return registry.load(DataConfig(dataset="mirflickr", data=str(root), **options))


def write_lists(root, names=NAMES, targets=TARGETS):
    (root / "flickr25k_img.txt").write_text("".join(f"{name}\n" for name in names))
    (root / "flickr25k_targets.txt").write_text("".join(" ".join(row) + " \n" for row in targets))


def write_annotations(root):
    """The labels of the excerpt as MIRFLICKR distributes them, with some files of relevant labels."""
    root.mkdir(parents=True)
    for column, label in enumerate(flickr25k.COLUMNS):
        numbers = [i + 1 for i, row in enumerate(TARGETS) if row[column] == "1"] or [24_000]
        (root / f"{label}.txt").write_text("".join(f"{number}\r\n" for number in numbers))
    for label in ("sky", "people"):
        (root / f"{label}_r1.txt").write_text("1\n")
    (root / "README.txt").write_text("Annotations of the collection\n")


@pytest.fixture
def tree(tmp_path, stand_ins):
    """The 40 images in mirflickr/, with the lists of the hashing literature."""
    stand_ins(tmp_path / "mirflickr", NAMES)
    write_lists(tmp_path)
    return tmp_path


def test_lists_label_the_images_row_by_row(tree):
    images = load(tree)
    assert images.ids.tolist() == NAMES and images.class_names == flickr25k.COLUMNS
    assert images.labels.tolist() == [[int(mark) for mark in row] for row in TARGETS]
    assert images.label_kind == "multi" and images.default_k == 5000 and images.missing == []
    assert images.path(3) == tree / "mirflickr" / "im4.jpg"


def test_annotations_give_the_same_labels_as_the_lists(tree, tmp_path_factory, stand_ins):
    other = stand_ins(tmp_path_factory.mktemp("distributed") / "mirflickr", NAMES)
    write_annotations(other / "annotations")
    (other / "meta" / "tags").mkdir(parents=True)
    (other / "meta" / "tags" / "tags1.txt").write_text("sky\n")
    images, lists = load(other), load(tree)
    assert images.class_names == tuple(sorted(flickr25k.COLUMNS))
    for i, label in enumerate(images.class_names):
        assert np.array_equal(images.labels[:, i], lists.labels[:, lists.class_names.index(label)])
    assert images.listed == 25_000 and len(images.missing) == 24_960 and images.missing[0] == "im41.jpg"
    assert "24 annotation files" in images.sources[0] and "2 files of relevant" in images.sources[1]


def test_flat_folder_and_lists_in_another_folder(tmp_path, stand_ins):
    stand_ins(tmp_path / "pictures", NAMES)
    (tmp_path / "lists").mkdir()
    write_lists(tmp_path / "lists")
    assert len(load(tmp_path / "pictures", labels=str(tmp_path / "lists"))) == 40
    with pytest.raises(InputError, match="no labels of Flickr25K"):
        load(tmp_path / "pictures")
    with pytest.raises(InputError, match="give the folder with the label lists"):
        load(tmp_path / "pictures", labels=str(tmp_path / "lists" / "flickr25k_img.txt"))


def test_lists_with_foreign_folders_and_windows_separators_match(tmp_path, stand_ins):
    stand_ins(tmp_path, NAMES)
    write_lists(tmp_path, [rf"D:\data\mirflickr\{name}" for name in NAMES])
    assert load(tmp_path).ids.tolist() == NAMES


def test_alias_is_the_same_set(tree):
    images = registry.load(DataConfig(dataset="flickr25k", data=str(tree)))
    assert images.name == "mirflickr" and "flickr25k" not in registry.names()


def test_missing_and_damaged_images_are_counted_and_named(tree):
    (tree / "mirflickr" / "im7.jpg").unlink()
    (tree / "mirflickr" / "im8.jpg").write_bytes(b"")
    (tree / "mirflickr" / "im9.jpg").write_bytes(b"no image at all")
    (tree / "mirflickr" / "holiday.jpg").write_bytes((tree / "mirflickr" / "im1.jpg").read_bytes())
    images = load(tree)
    assert len(images) == 37 and images.n_other == 1
    assert images.missing == ["im7.jpg", "im8.jpg"]
    assert dict(images.skipped) == {
        "mirflickr/im8.jpg": "it is empty",
        "im9.jpg": "unknown format, or damaged at the beginning; supported are " + decode.READ,
    }


def test_invalid_lines_are_named_and_the_others_stay_aligned(tree):
    targets = [list(row) for row in TARGETS]
    targets[4] = targets[4][:-1]
    targets[5][2] = "yes"
    names = [*NAMES[:6], "../../etc/im7.jpg", NAMES[7], "im8.jpg", *NAMES[9:]]
    write_lists(tree, names, targets)
    images = load(tree)
    problems = dict(images.skipped)
    assert "23 labels" in problems["im5.jpg"] and "line 5" in problems["im5.jpg"]
    assert "neither 0 nor 1" in problems["im6.jpg"] and "twice" in problems["im8.jpg"]
    assert "out of the folder" in problems["../../etc/im7.jpg"]
    assert images.ids.tolist() == [name for name in NAMES if name not in ("im5.jpg", "im6.jpg", "im7.jpg", "im9.jpg")]
    assert images.labels[-1].tolist() == [int(mark) for mark in TARGETS[-1]]


def test_invalid_annotation_lines_are_named(tmp_path, stand_ins):
    root = stand_ins(tmp_path / "mirflickr", NAMES)
    write_annotations(root / "annotations")
    with (root / "annotations" / "sky.txt").open("a") as file:
        file.write("25001\nblue\n")
    (root / "annotations" / "bird.txt").unlink()
    images = load(root)
    assert sum(name.startswith("sky.txt line") for name, _ in images.skipped) == 2
    assert any("bird are missing" in note for note in images.notes)


def test_relevant_annotations_can_be_chosen(tmp_path, stand_ins):
    root = stand_ins(tmp_path / "mirflickr", NAMES)
    write_annotations(root / "annotations")
    (root / "annotations" / "people_r1.txt").write_text("2\n5\n")
    potential, relevant, both = (load(root, annotations=which) for which in ("potential", "relevant", "both"))
    assert potential.fingerprint == load(root).fingerprint and len(potential.class_names) == 24
    assert relevant.class_names == ("people_r1", "sky_r1") and relevant.notes == []
    assert np.argwhere(relevant.labels).tolist() == [[0, 1], [1, 0], [4, 0]]
    assert set(both.class_names) == {*potential.class_names, *relevant.class_names}
    column = both.class_names.index("people_r1")
    assert np.array_equal(both.labels[:, column], relevant.labels[:, 0])
    assert len({potential.fingerprint, relevant.fingerprint, both.fingerprint}) == 3


def test_relevant_annotations_are_refused_if_there_are_none(tree, capsys):
    for which in ("relevant", "both"):
        with pytest.raises(InputError, match=f"no MIRFLICKR annotation files with {which} labels"):
            load(tree, annotations=which)
    with pytest.raises(InputError, match="choose one of potential, relevant, both"):
        load(tree, annotations="strict")
    with pytest.raises(InputError, match="nuswide has no relevant annotations"):
        registry.load(DataConfig(dataset="nuswide", data=str(tree), annotations="relevant"))
    assert main(["datasets", "check", "mirflickr", str(tree), "--annotations", "relevant", "--quick"]) == 2
    assert "sky_r1.txt" in capsys.readouterr().err


def test_inferred_order_of_the_columns_is_noted_and_checked(tree):
    assert any("order of the 24 names is inferred" in note for note in load(tree).notes)
    write_annotations(tree / "annotations")
    assert any("40 of the lists' 40 images" in n for n in load(tree).notes)
    write_lists(tree, NAMES, [row[1:] + row[:1] for row in TARGETS])
    whole = sum(len(set(row)) == 1 for row in TARGETS)
    assert any(note.startswith(f"{whole} of the lists' 40") for note in load(tree).notes)


def test_lists_of_different_length_are_refused_with_both_counts(tree):
    write_lists(tree, NAMES, TARGETS[:-1])
    with pytest.raises(InputError, match=r"40 lines.*39"):
        load(tree)


def test_lists_of_another_width_are_noted(tree):
    (tree / "other.txt").write_text("".join(f"{name} 1 0\n" for name in NAMES))
    assert any("other.txt has 2 labels per line, not 24" in note for note in load(tree).notes)


def test_no_image_at_all_is_explained(tmp_path):
    write_lists(tmp_path)
    with pytest.raises(InputError, match=r"0 of the 40 images.*im1\.jpg.*unpack"):
        load(tmp_path)


def test_lists_with_roles_add_the_listed_protocol(tree):
    def rows(names):
        return "".join(f"{name} {' '.join(TARGETS[NAMES.index(name)])}\n" for name in names)

    (tree / "test.txt").write_text(rows(NAMES[:5]))
    (tree / "database.txt").write_text(rows(NAMES[5:]))
    (tree / "train.txt").write_text(rows(NAMES[10:30]))
    images = load(tree)
    assert images.protocols == ("default", "listed")
    split = draw(images, DataConfig(protocol="listed"))
    assert images.ids[split.query].tolist() == [name for i, name in enumerate(NAMES[:5]) if i not in BARE]
    assert images.ids[split.database].tolist() == NAMES[5:] and images.ids[split.train].tolist() == NAMES[10:30]


def test_fingerprint_depends_on_labels_and_files(tree):
    first = load(tree).fingerprint
    targets = [list(row) for row in TARGETS]
    targets[0][0] = "0" if targets[0][0] == "1" else "1"
    write_lists(tree, NAMES, targets)
    assert load(tree).fingerprint != first
    write_lists(tree)
    assert load(tree).fingerprint == first


def synthetic(n, present=None, bare=0, n_query=2000, n_train=5000):
    """A listed set of n images, of which those at `present` exist and the first `bare` have no labels."""
    labels = np.ones((n, 1), np.uint8)
    labels[:bare] = 0
    rows = np.arange(n) if present is None else present
    ids = [f"im{i}.jpg" for i in range(n)]
    listing = Listing(ids=ids, labels=labels, class_names=("thing",))
    sizes = {"n_query": n_query, "n_train": n_train, "n_other": 0}
    described = facts(n, ids=np.array(ids)[rows], labels=labels[rows], class_names=("thing",))
    return listed.ListedSet(root=Path("."), positions=rows, missing=[], listing=listing, **sizes, **described)


def test_protocol_sizes_of_the_whole_set():
    split = draw(synthetic(25_000, bare=419), DataConfig())
    assert (len(split.query), len(split.database), len(split.train)) == (2_000, 23_000, 5_000)
    assert split.query.min() >= 419  # unlabelled images are not queries
    assert (split.database < 419).sum() == 419  # but in the database
    assert split.query[:3].tolist() == [435, 440, 442]  # golden values


@settings(max_examples=30, deadline=None)
@given(n=st.integers(30, 400), seed=st.integers(0, 2**40), missing=st.sets(st.integers(0, 29), max_size=10))
def test_protocol_is_disjoint_seeded_and_stable_with_missing_images(n, seed, missing):
    whole = synthetic(n, n_query=20, n_train=10)
    present = np.setdiff1d(np.arange(n), sorted(missing))
    partial = synthetic(n, present, n_query=20, n_train=10)
    for images in (whole, partial):
        roles = images.roles("default", seed=seed)
        assert len(roles.query) == min(20, round(len(images) / 10)) and len(roles.train) == 10
        assert sorted([*roles.query, *roles.database]) == list(range(len(images)))
        assert np.isin(roles.train, roles.database).all()
        assert all((a == b).all() for a, b in zip(roles, images.roles("default", seed=seed), strict=True))
    before = set(whole.ids[whole.roles("default", seed=seed).query])
    after = set(partial.ids[partial.roles("default", seed=seed).query])
    lost = before & {f"im{i}.jpg" for i in missing}
    assert len(after - before) <= len(lost)  # only lost queries are replaced


def test_check_from_the_command_line(tree, capsys):
    assert main(["datasets", "check", "mirflickr", str(tree), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pictures"] == 40 and report["k"] == min(5000, report["database"])
    assert report["unlabelled"] == len(BARE)


def test_training_and_evaluation_with_several_labels(tree, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "flickr"
    flags = ["--epochs", "1", "--views", "2", "--batch", "16", "--image-size", "32", "--backbone", "efficientnet-lite0"]
    assert main(["train", "--dataset", "mirflickr", "--data", str(tree), *flags, "--run", str(run)]) == 0
    metrics = RunDir(run).metrics()
    assert metrics["label_kind"] == "multi" and (metrics["n_queries"], metrics["n_database"]) == (4, 36)
    assert RunDir(run).retrieval().database_ids[0] in NAMES
