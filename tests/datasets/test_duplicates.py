"""Duplicates: all lookalikes that a comparison of every pair finds, none that differ, whatever the pictures."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from transclipped.datasets import duplicates
from transclipped.datasets.duplicates import BITS, COLOUR, exact, near, sketch


def sketches(pictures):
    found = [sketch(picture) for picture in pictures]
    return np.stack([bits for bits, _ in found]), np.stack([colours for _, colours in found])


def by_comparing_all(bits, colours):
    """Connected groups, from the definition, by loops over all pairs."""
    n = len(bits)
    group = list(range(n))
    for i in range(n):
        for j in range(i):
            differ = sum((int(a) ^ int(b)).bit_count() for a, b in zip(bits[i], bits[j], strict=True))
            colour = sum(abs(int(a) - int(b)) for a, b in zip(colours[i], colours[j], strict=True)) / 48
            if differ <= BITS and colour <= COLOUR:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    return sorted([i for i in range(n) if group[i] == g] for g in set(group) if group.count(g) > 1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(2, 40), flips=st.integers(0, 14), shade=st.integers(0, 14))
def test_groups_are_those_of_comparing_every_pair(seed, n, flips, shade):
    """Copies of three sketches with some bits flipped and some colours moved, so that many pairs are borderline."""
    rng = np.random.default_rng(seed)
    origin = rng.integers(0, 3, n)
    unpacked = np.unpackbits(rng.integers(0, 256, (3, 16), dtype=np.uint8), axis=1)[origin]
    for row in unpacked:
        row[rng.choice(128, rng.integers(0, flips + 1), replace=False)] ^= 1
    colours = rng.integers(20, 200, (3, 48))[origin] + rng.integers(-shade, shade + 1, (n, 1))
    bits, colours = np.packbits(unpacked, axis=1), colours.astype(np.uint8)
    assert sorted(near(bits, colours)) == by_comparing_all(bits, colours)


def test_blocks_do_not_change_the_groups(monkeypatch):
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.integers(0, 256, (40, 16), dtype=np.uint8), 5, axis=0)
    bits ^= np.packbits(rng.random((200, 128)) < 0.03, axis=1)
    colours = np.repeat(rng.integers(0, 256, (40, 48), dtype=np.uint8), 5, axis=0)
    whole = near(bits, colours)
    monkeypatch.setattr(duplicates, "BLOCK", 3)
    assert near(bits, colours) == whole and whole


def test_counting_bits_without_numpy_2(monkeypatch):
    words = np.array([[0, 2**64 - 1], [5, 2**63]], np.uint64)
    assert duplicates._ones(words).tolist() == [[0, 64], [2, 1]]
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert duplicates._ones(words).tolist() == [[0, 64], [2, 1]]


def as_jpeg(picture, quality):
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


CHANGES = {
    "recompressed": lambda picture: as_jpeg(picture, 50),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "a little brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.05),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_copies_of_photographs_are_found(caltech, change):
    """At least 95 of 100; and hardly any two different photographs."""
    pictures = [caltech.picture(row) for row in range(0, 2000, 20)]
    groups = near(*sketches([*pictures, *map(change, pictures)]))
    assert sum([row, row + 100] in groups for row in range(100)) >= 95
    assert sum(len({row % 100 for row in group}) > 1 for group in groups) <= 2


def test_flat_pictures_of_different_colours_are_not_alike():
    colours = ["black", "black", "white", "white", "red", "#010203"]
    pictures = [Image.new("RGB", (40, 30), colour) for colour in colours]
    assert near(*sketches(pictures)) == [[0, 1, 5], [2, 3]]


def test_thousands_of_equal_frames_are_one_group():
    bits, colours = sketches([Image.new("RGB", (8, 8), "black")])
    assert near(np.repeat(bits, 5000, 0), np.repeat(colours, 5000, 0)) == [list(range(5000))]


def test_exact_groups_by_content_and_leaves_unread_rows_alone():
    assert exact(["a", "b", "a", "", "c", "", "b", "a"]) == [[0, 2, 7], [1, 6]]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3000, 2), (9, 9)])
def test_any_size_has_a_sketch(size):
    bits, colours = sketch(Image.new("RGB", size, "teal"))
    assert bits.shape == (16,) and colours.shape == (48,) and bits.dtype == colours.dtype == np.uint8


def test_one_picture_and_none_have_no_groups():
    assert near(np.zeros((1, 16), np.uint8), np.zeros((1, 48), np.uint8)) == []
    assert near(np.zeros((0, 16), np.uint8), np.zeros((0, 48), np.uint8)) == []
