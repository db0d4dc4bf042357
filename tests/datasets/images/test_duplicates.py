"""Duplicates: the same groups as by comparing every pair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from transclipped.datasets.images import duplicates
from transclipped.datasets.images.decode import open_image, to_jpeg
from transclipped.datasets.images.duplicates import BITS, COLOUR, DETAIL, exact, near, sketch


def sketches(images):
    return [np.stack(part) for part in zip(*map(sketch, images), strict=True)]


def by_comparing_all(bits, colours, details):
    """Groups from the definition, by loops: each row joins the first group whose members all look like it."""

    def alike(i, j):
        differ = sum((int(a) ^ int(b)).bit_count() for a, b in zip(bits[i], bits[j], strict=True))
        colour = sum(abs(int(a) - int(b)) for a, b in zip(colours[i], colours[j], strict=True)) / 48
        x, y = details[i].astype(float), details[j].astype(float)
        if x.any() and y.any():
            agree = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()) >= DETAIL
        else:
            agree = x.any() == y.any()
        return differ <= BITS and colour <= COLOUR and agree

    groups = []
    for i in range(len(bits)):
        fitting = [group for group in groups if all(alike(i, j) for j in group)]
        fitting[0].append(i) if fitting else groups.append([i])
    return sorted(group for group in groups if len(group) > 1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(2, 40), flips=st.integers(0, 14), shade=st.integers(0, 14))
def test_groups_are_those_of_comparing_every_pair(seed, n, flips, shade):
    """Copies of three sketches with some bits and colours changed, so that many pairs are borderline."""
    rng = np.random.default_rng(seed)
    origin = rng.integers(0, 3, n)
    unpacked = np.unpackbits(rng.integers(0, 256, (3, 16), dtype=np.uint8), axis=1)[origin]
    for row in unpacked:
        row[rng.choice(128, rng.integers(0, flips + 1), replace=False)] ^= 1
    colours = rng.integers(20, 200, (3, 48))[origin] + rng.integers(-shade, shade + 1, (n, 1))
    bits, colours = np.packbits(unpacked, axis=1), colours.astype(np.uint8)
    details = rng.integers(-60, 60, (3, 1024))[origin] + rng.normal(0, rng.uniform(0, 30), (n, 1024))
    details = (details * rng.integers(0, 2, (n, 1) if n % 3 else (1, 1))).round().astype(np.int8)
    assert near(bits, colours, details) == by_comparing_all(bits, colours, details)


def test_blocks_do_not_change_the_groups(monkeypatch):
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.integers(0, 256, (40, 16), dtype=np.uint8), 5, axis=0)
    bits ^= np.packbits(rng.random((200, 128)) < 0.03, axis=1)
    colours = np.repeat(rng.integers(0, 256, (40, 48), dtype=np.uint8), 5, axis=0)
    details = np.zeros((200, 1024), np.int8)
    whole = near(bits, colours, details)
    monkeypatch.setattr(duplicates, "BLOCK", 3)
    assert near(bits, colours, details) == whole and whole


def test_counting_bits_without_numpy_2(monkeypatch):
    words = np.array([[0, 2**64 - 1], [5, 2**63]], np.uint64)
    assert duplicates._ones(words).tolist() == [[0, 64], [2, 1]]
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert duplicates._ones(words).tolist() == [[0, 64], [2, 1]]


def as_jpeg(image, quality):
    return open_image(to_jpeg(image, quality=quality))


CHANGES = {
    "recompressed": lambda image: as_jpeg(image, 50),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a little brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_copies_of_photographs_are_found(caltech, change):
    """At least 95 of 100; and hardly any two different photographs."""
    images = [caltech.image(row) for row in range(0, 2000, 20)]
    groups = near(*sketches([*images, *map(change, images)]))
    assert sum([row, row + 100] in groups for row in range(100)) >= 95
    assert sum(len({row % 100 for row in group}) > 1 for group in groups) <= 2


def test_flat_images_of_different_colours_are_not_alike():
    colours = ["black", "black", "white", "white", "red", "#010203"]
    images = [Image.new("RGB", (40, 30), colour) for colour in colours]
    assert near(*sketches(images)) == [[0, 1, 5], [2, 3]]


def test_thousands_of_equal_frames_are_one_group():
    frames = (np.repeat(part, 5000, 0) for part in sketches([Image.new("RGB", (8, 8), "black")]))
    assert near(*frames) == [list(range(5000))]


def test_exact_groups_by_content_without_unread_rows():
    assert exact(["a", "b", "a", "", "c", "", "b", "a"]) == [[0, 2, 7], [1, 6]]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3000, 2), (9, 9)])
def test_any_size_has_a_sketch(size):
    bits, colours, detail = sketch(Image.new("RGB", size, "teal"))
    assert bits.shape == (16,) and colours.shape == (48,) and bits.dtype == colours.dtype == np.uint8
    assert detail.shape == (1024,) and detail.dtype == np.int8 and not detail.any()


def test_one_image_and_none_have_no_groups():
    for n in (0, 1):
        assert near(np.zeros((n, 16), np.uint8), np.zeros((n, 48), np.uint8), np.zeros((n, 1024), np.int8)) == []


def test_lookalikes_do_not_chain():
    """A gradient that becomes brighter: neighbours look the same, the first and the last do not."""
    ramp = np.linspace(0, 60, 90)[None, :, None] + np.linspace(0, 40, 90)[:, None, None] * np.ones((1, 1, 3))
    steps = [Image.fromarray((ramp + 7 * i).astype(np.uint8)) for i in range(12)]
    bits, colours, details = sketches(steps)
    groups = near(bits, colours, details)
    assert len(groups) > 1
    for group in groups:
        assert max(np.abs(colours[a].astype(int) - colours[b]).mean() for a in group for b in group) <= COLOUR


def page(rng):
    """A page of text: dark words of random lengths in the same lines."""
    image = Image.new("RGB", (600, 800), "white")
    draw = ImageDraw.Draw(image)
    for y in range(60, 740, 22):
        x = 50
        while x < 540:
            width = int(rng.integers(10, 70))
            draw.rectangle([x, y, min(550, x + width), y + 9], fill=(40, 40, 40))
            x += width + 8
    return image


def night(rng):
    """Lamps in the dark."""
    image = Image.new("RGB", (400, 300), (3, 3, 5))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r, light = (int(v) for v in rng.integers((0, 0, 4, 10), (400, 300, 30, 25)))
        draw.ellipse([x - r, y - r, x + r, y + r], fill=(light, light, light))
    return image


@pytest.mark.parametrize("scene", [page, night])
def test_pages_of_text_and_dark_images_only_look_like_their_copies(scene):
    images = [scene(np.random.default_rng(seed)) for seed in range(20)]
    copies = [as_jpeg(image.resize((image.width // 2, image.height // 2)), 80) for image in images]
    groups = near(*sketches([*images, *copies]))
    assert len(groups) >= 8 and all(group == [group[0], group[0] + 20] for group in groups)
