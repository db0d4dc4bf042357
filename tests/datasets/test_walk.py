"""The synthetic walk: what a frame shows, its truth, and its roles."""

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.datasets import registry, walk
from transclipped.datasets.protocols import draw


@pytest.fixture(scope="module")
def small(caltech):
    return walk.walk(caltech, places=40, start=5, frames=20)


def test_the_walk_has_1000_frames_of_which_300_return():
    config = DataConfig(dataset="walk")
    images = registry.load(config)
    split = draw(images, config)
    assert len(images) == 1000 and len(split.query) == 300 and len(split.database) == 700
    assert images.route.place[split.query].max() < 700 and len(set(images.route.place[split.database])) == 700
    assert np.array_equal(split.query, np.arange(700, 1000))  # in order of time
    assert images.labels[split.query].min() >= 0 and set(images.labels[split.query]) <= set(images.labels[:700])


def test_a_frame_that_returns_looks_most_like_its_place(small):
    pixels = small.pixels(np.arange(60), 64).numpy().astype(float).mean(1)[:, 4:-4, 4:-4].reshape(60, -1)
    pixels = (pixels - pixels.mean(1, keepdims=True)) / pixels.std(1, keepdims=True)
    near = (pixels[40:] @ pixels[:40].T).argmax(1)
    assert (np.abs(near - small.route.place[40:]) <= 1).mean() > 0.8
    assert not np.array_equal(pixels[45], pixels[10])  # but in another light


def test_the_walk_is_the_same_each_time(small, caltech):
    again = walk.walk(caltech, places=40, start=5, frames=20)
    np.testing.assert_array_equal(again._pixels, small._pixels)
    assert again.fingerprint == small.fingerprint != walk.walk(caltech, places=41, start=5, frames=20).fingerprint


def test_no_return_is_a_walk_too(caltech):
    images = walk.walk(caltech, places=3, start=0, frames=0)
    assert len(images) == 3 and not len(images.roles("default", seed=0).query)
