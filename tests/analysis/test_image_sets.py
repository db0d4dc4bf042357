"""Samples, labels and near-duplicates of an image set, against their definitions."""

import numpy as np
import pytest

from transclipped.analysis import image_sets as ps
from transclipped.datasets.base import UNLABELLED, EncodedSet
from transclipped.datasets.protocols import Split


def image_set(n=50, labels=None, names=()):
    return EncodedSet(
        files=None, name="set", ids=np.arange(n), labels=labels, class_names=names, fingerprint="0", default_k=10
    )


@pytest.fixture
def single():
    return image_set(50, np.where(np.arange(50) % 5 == 0, UNLABELLED, np.arange(50) % 2), ("even", "odd"))


@pytest.fixture
def multi():
    labels = np.zeros((50, 3), np.uint8)
    labels[::2, 0] = labels[::3, 1] = 1
    return image_set(50, labels, ("two", "three", "none"))


def test_pages_of_samples_cover_everything_once_then_wrap_around():
    images = image_set(50)
    pages = [ps.sample(images, 24, page=page).tolist() for page in range(4)]
    assert sorted(pages[0] + pages[1] + pages[2]) == list(range(50)) and pages[3] == pages[0]
    assert [len(page) for page in pages] == [24, 24, 2, 24]


def test_samples_and_names_of_labels(single, multi):
    assert all(single.labels[row] == 1 for row in ps.sample(single, 100, label="odd"))
    assert sorted(ps.sample(multi, 100, label="three")) == list(range(0, 50, 3))
    assert len(ps.sample(multi, 10, label="none")) == len(ps.sample(multi, 10, label="unicorn")) == 0
    assert ps.labels_of(single, 1) == ["odd"] and ps.labels_of(single, 5) == []
    assert ps.labels_of(multi, 6) == ["two", "three"] and ps.labels_of(multi, 1) == []
    assert ps.labels_of(image_set(), 3) == []


def test_sentence_counts_images_without_labels(single, multi):
    assert all(text in ps.label_sentence(single) for text in ("2 classes", "10 have none"))
    bare = sum(i % 2 != 0 and i % 3 != 0 for i in range(50))
    assert all(text in ps.label_sentence(multi) for text in (f"{(25 + 17) / 50:.1f} of 3", f"{bare} have none"))
    assert "no labels" in ps.label_sentence(image_set())


def test_groups_across_have_a_query_and_a_database_image():
    none, protocol = np.empty(0, np.int64), {"protocol": "own", "seed": 0}
    split = Split(train=none, query=np.array([0, 1, 2]), database=np.arange(3, 50), validation=none, **protocol)
    assert ps.across([["0", "7"], ["1", "2"], ["8", "9"], ["2", "1", "30"]], image_set(), split) == 2
