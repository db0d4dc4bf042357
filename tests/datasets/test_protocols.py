"""Splits: sizes, disjointness, stability, limits, and custom splits."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets import facts
from transclipped.config import DataConfig
from transclipped.datasets import folder, registry
from transclipped.datasets.base import UNLABELLED, EncodedSet
from transclipped.datasets.protocols import Split, draw, read_split
from transclipped.datasets.sampling import sample, shuffled, stratified, uniform
from transclipped.errors import InputError


def numbered(n=100, labels=None, names=()):
    """A set of only ids and labels, split like a folder."""
    return EncodedSet(files=None, **facts(n, name="numbered", labels=labels, class_names=names))


def rows_of(split):
    return {role: getattr(split, role) for role in ("train", "query", "database", "validation")}


def same(one, other):
    return all(np.array_equal(rows, getattr(other, role)) for role, rows in rows_of(one).items())


def test_cifar_protocol_one(cifar):
    split = draw(cifar, DataConfig())
    assert split.protocol == "I" and np.array_equal(split.train, np.arange(50_000))
    assert np.array_equal(split.query, np.arange(50_000, 60_000)) and np.array_equal(split.database, split.train)


def test_cifar_protocol_two_trains_on_500_per_class(cifar):
    split = draw(cifar, DataConfig(protocol="II"))
    assert np.bincount(cifar.labels[split.train]).tolist() == [500] * 10
    assert len(split.database) == 50_000 and len(split.query) == 10_000
    assert split.train[:5].tolist() == [15, 18, 23, 29, 35]  # golden values
    assert registry.describe(cifar, split)["uses_labels"]
    assert not np.array_equal(split.train, draw(cifar, DataConfig(protocol="II", seed=1)).train)


def test_unknown_protocol_is_an_error_with_the_choices(cifar):
    with pytest.raises(InputError, match=r"no protocol 'III'; choose I or II"):
        draw(cifar, DataConfig(protocol="III"))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(20, 300),
    seed=st.integers(0, 2**32 - 1),
    validation=st.integers(0, 10),
    limits=st.tuples(*[st.none() | st.integers(3, 400)] * 2, st.none() | st.integers(1, 50)),
)
def test_any_split_is_disjoint_seeded_and_within_its_limits(n, seed, validation, limits):
    images = numbered(n)
    database_limit, train_limit, query_limit = limits
    validation = min(validation, (database_limit or n) - 3)
    named = dict(zip(("database_limit", "train_limit", "query_limit"), limits, strict=True))
    config = DataConfig(seed=seed, validation=validation, **named)
    split = draw(images, config)
    assert same(split, draw(images, config))
    assert not np.isin(split.query, split.database).any() and not np.isin(split.query, split.train).any()
    assert not np.isin(split.validation, split.train).any() and len(split.validation) == validation
    assert np.isin(split.train, split.database).all() and np.isin(split.validation, split.database).all()
    n_query = round(n / 10)
    n_database = min(n - n_query, database_limit or n)
    assert len(split.query) == min(n_query, query_limit or n) and len(split.database) == n_database
    assert len(split.train) == min(n_database - validation, train_limit or n)
    for rows in rows_of(split).values():
        assert rows.dtype == np.int64 and (np.diff(rows) > 0).all()


def test_database_limit_leaves_training_rows_of_protocol_two(cifar):
    split = draw(cifar, DataConfig(protocol="II", database_limit=1000))
    assert len(split.train) == 5000 and len(split.database) == 1000


def test_too_few_training_images_are_refused():
    with pytest.raises(InputError, match=r"validation is 89.*90 training"):
        draw(numbered(), DataConfig(validation=89))
    with pytest.raises(InputError, match="1 training"):
        draw(numbered(), DataConfig(train_limit=1))


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_unlabelled_images_are_never_queries(kind):
    has = np.arange(100) % 3 > 0
    labels = np.where(has, 0, UNLABELLED) if kind == "single" else has[:, None].astype(np.uint8)
    images = numbered(100, labels, ("thing",))
    for seed in range(10):
        split = draw(images, DataConfig(seed=seed))
        assert has[split.query].all() and len(split.query) == 7 and len(split.database) == 93
    report = registry.describe(images, split)
    assert report["unlabelled"] == 34 and report["classes"]["query"] == {"thing": 7}


@given(st.integers(0, 2**40), st.integers(0, 200), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_larger_samples_contain_smaller_ones(seed, few, many):
    few, many = sorted((few, many))
    rows = np.arange(0, 300, 2)
    small, large = (sample(rows, n, seed=seed, purpose="x") for n in (few, many))
    assert np.isin(small, large).all() and len(small) == min(few, 150)


def test_samples_are_the_same_on_every_machine():
    """Golden values, which depend only on the raw stream of PCG64."""
    assert shuffled(np.arange(10), seed=0, purpose="query").tolist() == [1, 9, 0, 3, 4, 6, 8, 5, 7, 2]
    numbers = uniform((2,), seed=0, purpose="query").tolist()
    assert numbers == pytest.approx([0.2580184648239514, 0.05069991989557854], abs=1e-15)


def test_samples_with_another_purpose_or_seed_differ():
    base = shuffled(np.arange(50), seed=0, purpose="query").tolist()
    assert base != shuffled(np.arange(50), seed=0, purpose="train").tolist()
    assert base != shuffled(np.arange(50), seed=1, purpose="query").tolist()


def test_stratified_takes_all_of_a_small_class():
    labels = np.array([0] * 10 + [1] * 3)
    assert np.bincount(labels[stratified(np.arange(13), labels, 5, seed=0, purpose="x")]).tolist() == [5, 3]


def test_split_survives_json(cifar, caltech):
    for images, config in ((cifar, DataConfig(protocol="II", validation=50, seed=4)), (caltech, DataConfig(seed=2))):
        split = draw(images, config)
        again = Split.from_json(json.loads(json.dumps(split.to_json(images))), images)
        assert same(split, again) and (again.protocol, again.seed) == (split.protocol, config.seed)
    assert len(json.dumps(draw(cifar, DataConfig()).to_json(cifar))) < 200  # runs of ids, not 110,000 numbers


def test_custom_csv_split(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("id,role\n1,query\n2,database\n2,train\n3,database\n4,train\n5,train\n")
    split = draw(numbered(), DataConfig(split=str(path)))
    assert split.protocol == "own"
    assert [getattr(split, role).tolist() for role in ("query", "database", "train")] == [[1], [2, 3], [2, 4, 5]]


def test_custom_split_without_training_rows_trains_on_the_database(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"query": [1], "database": ["2-5", 9]}))
    assert read_split(path, numbered()).train.tolist() == [2, 3, 4, 5, 9]


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,role\n1,query\n777,database\nxyz,train\n", "2 ids that numbered does not have, such as xyz, 777"),
        ("id,role\n1,query\n1,database\n2,database\n", "1 ids in both query and database, such as 1"),
        ("id,role\n1,query\n1,train\n2,database\n", "both query and train"),
        ("id,role\n1,test\n", "line 2: role is 'test'"),
        ("id,role\n1,query\n", "needs images in both roles"),
        ("file,role\n1,query\n", "must begin with the line 'id,role'"),
        ("", "is empty"),
    ],
)
def test_wrong_csv_split_is_explained(tmp_path, text, message):
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        draw(numbered(), DataConfig(split=str(path)))


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"query": 3},
        {"querry": [1]},
        {"query": ["5-1"], "database": [2]},
        {"query": [[1]], "database": [2]},
        {"query": [1], "database": ["0-99999999999"]},
        {"query": [1], "database": [2], "seed": "x"},
    ],
)
def test_wrong_json_split_is_explained(tmp_path, value):
    path = tmp_path / "split.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError, match=r"split\.json"):
        draw(numbered(), DataConfig(split=str(path)))


def test_split_file_drops_unlabelled_queries(tmp_path):
    path = tmp_path / "split.csv"
    path.write_text("id,role\n0,query\n1,query\n2,database\n3,database\n4,database\n")
    labels = np.array([UNLABELLED, 0, 0, 0, 0])
    assert draw(numbered(5, labels, ("a",)), DataConfig(split=str(path))).query.tolist() == [1]


def test_description_is_json(caltech):
    report = registry.describe(caltech, draw(caltech, DataConfig(dataset="caltech101", database_limit=50)))
    assert json.loads(json.dumps(report)) == report
    assert report["k"] == 50 and report["query"] == 1010 and report["classes"]["query"]["yin_yang"] == 10


def test_registry_loads_by_name():
    assert {"cifar10", "caltech101", "collage", "folder"} <= set(registry.names())
    assert all(registry.names().values())
    assert registry.load(DataConfig(dataset="caltech101")).name == "caltech101"
    with pytest.raises(InputError, match="did you mean 'cifar10'"):
        registry.load(DataConfig(dataset="cifar"))
    with pytest.raises(InputError, match="own labels"):
        registry.load(DataConfig(labels="x.csv"))


def test_download_of_a_bundled_set_is_explained(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"caltech101 cannot be downloaded.*bundled"):
        registry.download("caltech101", tmp_path)
    with pytest.raises(InputError, match=r"flickr25k cannot be downloaded"):  # an alias
        registry.download("flickr25k", tmp_path)
    monkeypatch.setattr("transclipped.datasets.cifar10.download", lambda folder: folder / "fetched")
    assert registry.download("cifar10", str(tmp_path)) == tmp_path / "fetched"


def test_listing_names_does_not_import_torch():
    code = "import sys; from transclipped.datasets import registry; registry.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_ids_of_a_split_match_in_either_unicode_form(tmp_path, paint):
    for name in ("caf\u0065\u0301.png", "b.png", "c.png"):
        paint(tmp_path / "album" / name)
    images = folder.load(DataConfig(dataset="folder", data=str(tmp_path / "album")))
    path = tmp_path / "split.csv"
    path.write_text("id,role\ncaf\u00e9.png,query\nb.png,database\nc.png,database\n", encoding="utf-8")
    assert images.ids[read_split(path, images).query].tolist() == ["caf\u0065\u0301.png"]


def test_unreadable_queries_are_replaced_if_none_is_left(tmp_path, paint):
    for i in range(8):
        paint(tmp_path / f"{i}.png")
    images = folder.load(DataConfig(dataset="folder", data=str(tmp_path)))
    before = draw(images, DataConfig(dataset="folder"))
    images.unreadable.update({int(row): "damaged" for row in before.query})
    after = draw(images, DataConfig(dataset="folder"))
    assert len(after.query) == len(before.query) and not set(after.query) & set(before.query)
    assert len(after.database) == 8 - 2 * len(before.query) and after.train.tolist() == after.database.tolist()
