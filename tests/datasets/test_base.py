"""Rows by id, whatever set they are of."""

import unicodedata

import numpy as np
import pytest

from transclipped.datasets.base import ArraySet
from transclipped.errors import InputError


def made(ids):
    ids = np.array(ids)
    pixels = np.zeros((len(ids), 3, 2, 2), np.uint8)
    return ArraySet(pixels=pixels, name="some", ids=ids, labels=None, class_names=(), fingerprint="0" * 16, default_k=1)


def test_rows_of_numbers_are_found_as_numbers_and_as_text():
    images = made([5, 3, 9])
    assert images.row_of(3) == images.row_of("3") == images.row_of(images.ids[1]) == 1
    assert images.rows_of(images.ids[::-1]).tolist() == [2, 1, 0]
    assert images.rows_of([]).dtype == np.int64


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_in_either_form_of_unicode(form):
    images = made([unicodedata.normalize(form, "a/é.png"), "b.png"])
    assert [images.find(unicodedata.normalize(f, "a/é.png")) for f in ("NFC", "NFD")] == [0, 0]


def test_an_id_that_is_gone_is_none_or_refused():
    images = made(["a.png"])
    assert images.find("b.png") is None
    with pytest.raises(InputError, match=r"b\.png.*some"):
        images.rows_of(["a.png", "b.png"])
