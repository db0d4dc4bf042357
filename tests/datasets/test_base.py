"""Rows by id."""

import unicodedata

import numpy as np
import pytest

from tests.datasets import facts
from transclipped.datasets.base import ArraySet
from transclipped.errors import InputError


def image_set(ids):
    return ArraySet(pixels=np.zeros((len(ids), 3, 2, 2), np.uint8), **facts(len(ids), ids=np.array(ids)))


def test_numeric_ids_are_found_as_numbers_and_as_text():
    images = image_set([5, 3, 9])
    assert images.row_of(3) == images.row_of("3") == images.row_of(images.ids[1]) == 1
    assert images.rows_of(images.ids[::-1]).tolist() == [2, 1, 0]
    assert images.rows_of([]).dtype == np.int64


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_in_either_unicode_form(form):
    images = image_set([unicodedata.normalize(form, "a/é.png"), "b.png"])
    assert [images.find(unicodedata.normalize(f, "a/é.png")) for f in ("NFC", "NFD")] == [0, 0]


def test_a_missing_id_is_none_or_an_error():
    images = image_set(["a.png"])
    assert images.find("b.png") is None
    with pytest.raises(InputError, match=r"b\.png.*small"):
        images.rows_of(["a.png", "b.png"])
