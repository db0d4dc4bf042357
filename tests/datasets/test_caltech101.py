"""Caltech-101 and its collages."""

import numpy as np
import pytest
import torch

from transclipped.config import DataConfig
from transclipped.datasets import caltech101, collage
from transclipped.errors import InputError


def test_thirty_images_per_class(caltech):
    assert len(caltech) == 3030 and caltech.native_size is None and len(caltech.class_names) == 101
    assert np.bincount(caltech.labels).tolist() == [30] * 101
    assert caltech.class_names[:3] == ("Faces", "Faces_easy", "Leopards")
    roles = caltech.roles("default", seed=0)
    assert np.bincount(caltech.labels[roles.query]).tolist() == [10] * 101


def test_pixels_are_centre_squares_of_the_requested_size(caltech):
    rows = np.array([0, 2019, 2020, 3029])
    pixels = caltech.pixels(rows, 64)
    assert pixels.shape == (4, 3, 64, 64) and pixels.dtype == torch.uint8 and pixels.is_contiguous()
    assert torch.equal(pixels[2:3], caltech.pixels(rows[2:3], 64))
    assert caltech.encoded(0)[8:12] == b"WEBP"


def test_a_folder_is_refused():
    with pytest.raises(InputError, match="bundled"):
        caltech101.load(DataConfig(dataset="caltech101", data="/tmp"))


def test_damaged_class_names_are_reported(tmp_path, monkeypatch):
    (tmp_path / "caltech101").mkdir()
    monkeypatch.setattr(caltech101, "ASSETS", tmp_path)
    with pytest.raises(InputError, match=r"classes\.txt"):
        caltech101.class_names()
    (tmp_path / "caltech101" / "classes.txt").write_text("one\ntwo\n")
    with pytest.raises(InputError, match="got 2"):
        caltech101.class_names()


@pytest.fixture(scope="module")
def collages():
    return collage.load(DataConfig(dataset="collage"))


def test_collage_has_the_labels_of_its_halves(collages, caltech):
    assert collages.label_kind == "multi" and collages.labels.shape == (2525, 101)
    assert collages.labels.dtype == np.uint8 and (collages.labels.sum(axis=1) == 2).all()
    for row in (0, 1500, 2524):
        assert set(caltech.labels[collages.halves[row]]) == set(np.flatnonzero(collages.labels[row]))


def test_collage_shows_its_halves_side_by_side(collages, caltech):
    image = np.asarray(collages.image(5))
    assert image.shape == (160, 160, 3)
    left, right = (np.asarray(collage._portrait(caltech.image(row))) for row in collages.halves[5])
    assert np.array_equal(image[:, :80], left) and np.array_equal(image[:, 80:], right)


def test_no_photograph_is_in_query_and_database(collages):
    roles = collages.roles("default", seed=0)
    assert not set(collages.halves[roles.query].ravel()) & set(collages.halves[roles.database].ravel())


def test_collages_are_the_same_on_every_machine(collages):
    assert collages.halves[:3].tolist() == [[1146, 1836], [306, 1659], [1890, 1328]]  # golden values
