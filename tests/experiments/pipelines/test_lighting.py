"""The light of images: against loops over pixels and co-occurrences, and as a stage."""

import math

import numpy as np
import pytest
from PIL import Image

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.experiments.pipelines import lighting as module
from transclipped.experiments.pipelines.lighting import corners, light, lighting
from transclipped.experiments.pipelines.source import Uploaded, images_of

CONFIG = DataConfig(dataset="cifar10", train_limit=60, database_limit=60, query_limit=10)


def photographs(b=3, h=24, w=32, seed=0):
    """Smooth colours with some noise, `[B, H, W, 3]`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / w
    waves = [np.sin(6 * (a * x + c * y) + p) for a, c, p in rng.normal(size=(3 * b, 3))]
    images = 127 + 90 * np.stack(waves).reshape(b, 3, h, w).transpose(0, 2, 3, 1) + rng.normal(size=(b, h, w, 3)) * 8
    return images.clip(0, 255).astype(np.uint8)


def hsi(r, g, b):
    """By the textbook: hue in radians or None if it is not defined."""
    if r == g == b == 0:
        return None, 0.0, 0.0
    i, s = (r + g + b) / 3, 1 - min(r, g, b) / ((r + g + b) / 3)
    if s < 0.02:
        return None, s, i / 255
    cosine = 0.5 * ((r - g) + (r - b)) / math.sqrt((r - g) ** 2 + (r - b) * (g - b))
    h = math.acos(max(-1.0, min(1.0, cosine)))
    return (2 * math.pi - h if b > g else h), s, i / 255


def homogeneity(levels, circle):
    """From the matrix of co-occurrences of a window, a dictionary by place; None has no level."""
    matrix = np.zeros((16, 16))
    for (y, x), level in levels.items():
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                other = levels.get((y + dy, x + dx))
                if (dy, dx) != (0, 0) and level is not None and other is not None:
                    matrix[level, other] += 1
    if not matrix.sum():
        return 1.0
    value = 0.0
    for i in range(16):
        for j in range(16):
            gap = min(abs(i - j), 16 - abs(i - j)) if circle else abs(i - j)
            value += matrix[i, j] / matrix.sum() / (1 + gap**2)
    return value


def numbers(window):
    """The nine numbers of a window `[s, s, 3]`, pixel by pixel."""
    pixels = {(y, x): hsi(*map(int, window[y, x])) for y in range(len(window)) for x in range(len(window))}
    coloured = [(h, s) for h, s, _ in pixels.values() if h is not None]
    result = [math.pi / 2, 0.0]
    if coloured:
        weight = sum(s for _, s in coloured)
        mean = sum(s * complex(math.cos(h), math.sin(h)) for h, s in coloured) / weight
        away = abs(math.atan2(mean.imag, mean.real) - math.radians(210)) % (2 * math.pi)
        result = [min(away, 2 * math.pi - away), math.sqrt(2 * (1 - min(1, abs(mean))))]
    hues = {at: None if h is None else round(h / (2 * math.pi) * 16) % 16 for at, (h, _, _) in pixels.items()}
    result.append(homogeneity(hues, circle=True))
    for part in (1, 2):
        values = [p[part] for p in pixels.values()]
        mean = sum(values) / len(values)
        levels = {at: min(15, int(16 * p[part] + 1e-9)) for at, p in pixels.items()}
        deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        result += [mean, deviation, homogeneity(levels, circle=False)]
    return result


@pytest.mark.parametrize("shape", [(24, 32), (33, 40), (8, 8)])
def test_numbers_are_those_of_loops(shape):
    images, rows = photographs(3, *shape), np.array([7, 0, 3])
    images[1, : shape[0] // 2] = 90  # grey above
    result, side = lighting(images, rows, seed=5), min(shape) // 4
    for image, at, row in zip(images, corners(shape, rows, seed=5), result, strict=True):
        assert len(at) == 10
        each = np.array([numbers(image[y : y + side, x : x + side]) for y, x in at])
        np.testing.assert_allclose(row, [*each.mean(0), *each.std(0)], atol=2e-5)


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (8, 300), (161, 40)])
def test_windows_lie_inside_and_are_fixed_or_depend_on_row_and_seed(shape):
    at = corners(shape, np.arange(300), seed=0)
    assert at.min() >= 0 and (at + min(shape) // 4 <= shape).all()
    assert (at[:, :4] == at[0, :4]).all() and len(np.unique(at[0, :4], axis=0)) == 4
    np.testing.assert_array_equal(corners(shape, np.array([9, 2]), seed=0), at[[9, 2]])
    assert (corners(shape, np.arange(300), seed=1)[:, 4:] != at[:, 4:]).any()


def test_random_windows_reach_every_border():
    at = corners((16, 32), np.arange(2000), seed=0)[:, 4:]
    assert at.min((0, 1)).tolist() == [0, 0] and at.max((0, 1)).tolist() == [12, 28]


def test_light_of_an_image_does_not_depend_on_its_batch_and_the_input_stays():
    images = photographs(5)
    copy = images.copy()
    whole = lighting(images, np.arange(5))
    np.testing.assert_array_equal(lighting(images[3:4], np.array([3])), whole[3:4])
    np.testing.assert_array_equal(lighting(np.asfortranarray(images)), whole)
    np.testing.assert_array_equal(images, copy)


def test_one_channel_is_grey_and_a_fourth_is_left_out():
    images = photographs()
    grey = images[..., 0]
    expected = lighting(np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(lighting(grey), expected)
    np.testing.assert_array_equal(lighting(grey[..., None]), expected)
    with_alpha = np.concatenate([images, np.full((*images.shape[:3], 1), 77, np.uint8)], 3)
    np.testing.assert_array_equal(lighting(with_alpha), lighting(images))


@pytest.mark.parametrize(("value", "intensity"), [(0, 0), (128, 128 / 255), (255, 1)])
def test_even_grey_has_no_hue_and_is_homogeneous(value, intensity):
    expected = [np.pi / 2, 0, 1, 0, 0, 1, intensity, 0, 1] + 9 * [0]
    np.testing.assert_allclose(lighting(np.full((2, 8, 8, 3), value, np.uint8)), [expected] * 2, atol=1e-6)


def test_hue_does_not_leap_at_red():
    red = np.zeros((2, 16, 16, 3), np.uint8)
    red[..., 0] = 200
    red[0, ..., 1], red[1, ..., 2] = 8, 8  # a little orange, a little pink
    both = np.where(np.arange(16)[:, None, None] % 2, red[0], red[1])[None]
    for image in (*red[:, None], both):
        mean, deviation, even = lighting(image)[0, :3]
        assert mean == pytest.approx(np.radians(150), abs=0.05) and deviation < 0.05 and even == 1


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 7, 9, 3), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((1, 8, 8, 2), np.uint8),
        np.zeros((8, 8), np.uint8),
    ],
)
def test_other_arrays_are_refused(images):
    with pytest.raises(InputError, match="lighting needs images"):
        lighting(images)
    assert lighting(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 18)


@pytest.fixture(scope="module")
def source():
    return images_of(CONFIG)


def test_a_stage_gives_the_light_of_each_row(source, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 16)
    images, rows = source.images, source.split.database[::-1]
    result = np.concatenate(list(light(images, seed=2).batches(rows)))
    for row, values in zip(rows[:5], result[:5], strict=True):
        pixels = images.pixels(np.array([row]), 32).permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(lighting(pixels, np.array([row]), seed=2)[0], values)
    assert light(images, seed=2).fingerprint != light(images).fingerprint
    view = np.concatenate(list(light(images, seed=2).batches(rows[:20], view=3)))
    assert view.shape == (20, 18) and (view != result[:20]).any()


def test_a_pipeline_ranks_by_light(source):
    pipeline = tc.Pipeline("lighting | standardise | l2 | float").fit(source)
    assert pipeline.evaluate(k=10)["bytes_per_item"] == 4 * 18
    row = source.split.database[4]
    assert pipeline.search(int(source.images.ids[row]), k=3).rows[0, 0] == 4
    assert tc.Pipeline("lighting | l2").fit(source).search(Image.new("L", (300, 200)), k=5).rows.shape == (1, 5)


def test_an_uploaded_image_is_seen_as_those_of_the_data_set(source):
    pipeline = tc.Pipeline("lighting(seed=1)")
    uploaded = Uploaded([Image.new("RGB", (90, 60), (200, 80, 10))], like=source.images, step=pipeline.line.steps[0])
    values = next(iter(light(uploaded, seed=1).batches(np.arange(1))))
    np.testing.assert_allclose(values[0, [1, 2, 4, 5]], [0, 1, 0, 1], atol=1e-3)
