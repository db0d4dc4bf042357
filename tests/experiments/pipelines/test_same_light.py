"""Ranking by light: the cache, files, and which images are found."""

import json

import numpy as np
import pytest
from PIL import Image

from transclipped.config import DataConfig
from transclipped.experiments.pipelines import light_cache
from transclipped.experiments.pipelines.light_cache import LightCache
from transclipped.experiments.pipelines.lighting import light, lighting
from transclipped.experiments.pipelines.same_light import LINE, Files, LightTest, SameLight, in_other_light, light_test
from transclipped.experiments.pipelines.source import images_of


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    return images_of(DataConfig(dataset="cifar10", train_limit=60, database_limit=60, query_limit=10)).images


@pytest.fixture
def counted(monkeypatch):
    """Images whose light has been computed."""
    result, compute = [], lighting

    def recorded(pixels, rows, **more):
        result.extend(rows.tolist())
        return compute(pixels, rows, **more)

    monkeypatch.setattr("transclipped.experiments.pipelines.lighting.lighting", recorded)
    return result


def test_an_image_is_looked_at_once_and_its_light_is_that_without_a_cache(images, counted):
    rows = np.array([40, 3, 3, 17])
    first = next(iter(light(images).batches(rows)))
    assert sorted(set(counted)) == [3, 17, 40]
    counted.clear()
    again = next(iter(light(images).batches(np.array([17, 5]))))
    assert counted == [5]
    np.testing.assert_array_equal(again[0], first[3])
    for row, value in zip(rows, first, strict=True):
        pixels = images.pixels(np.array([row]), 32).permute(0, 2, 3, 1).numpy()
        np.testing.assert_array_equal(lighting(pixels, np.array([row]))[0], value)
    assert light(images, seed=1).cache.path != light(images).cache.path


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"x" * 500])
def test_a_damaged_cache_is_computed_again(images, content):
    reader = light(images)
    value = next(iter(reader.batches(np.array([2]))))
    reader.cache.path.write_bytes(content)
    np.testing.assert_array_equal(next(iter(light(images).batches(np.array([2])))), value)


def test_an_interrupted_computation_continues(images, counted, monkeypatch):
    monkeypatch.setattr(light_cache, "BATCH", 8)
    steps = light(images).cache.fill(np.arange(40))
    assert next(steps) == (8, 40)
    steps.close()
    counted.clear()
    assert list(light(images).cache.fill(np.arange(40)))[-1] == (32, 32)
    assert counted == list(range(8, 40))


def test_two_computations_keep_what_the_other_has_stored(images, counted):
    first, second = light(images).cache, light(images).cache
    for cache, rows in ((first, np.arange(5)), (second, np.arange(5, 9))):
        assert list(cache.fill(rows))
    counted.clear()
    assert not list(light(images).cache.fill(np.arange(9))) and not counted


def test_files_that_are_missing_or_damaged_are_never_hits(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))
    paths, rng = [], np.random.default_rng(0)
    for i in range(8):
        paths.append(str(tmp_path / f"{i}.png"))
        colour, noise = rng.integers(30, 250, 3), rng.uniform(0.8, 1, (90, 120, 1))
        Image.fromarray((noise * colour).astype(np.uint8)).save(paths[-1])
    (tmp_path / "4.png").write_bytes(b"no image")
    paths[6] = None
    paths[2] = str(tmp_path / "nowhere.png")
    reader = light(Files(paths, version="1"))
    assert list(reader.cache.fill(np.arange(8)))[-1] == (7, 7)
    assert np.isnan(reader.cache.values).any(1).nonzero()[0].tolist() == [2, 4, 6]
    ranker = SameLight(reader.cache.values, reader.side)
    hits = ranker.search([Image.open(paths[5])], 10)
    assert sorted(hits.rows[0].tolist()) == [0, 1, 3, 5, 7] and hits.rows[0, 0] == 5
    assert Files(paths, version="2").fingerprint != Files(paths, version="1").fingerprint


@pytest.mark.parametrize("n", [0, 1])
def test_an_empty_database_and_one_image(n):
    values = np.full((3, light_cache.WIDTH), np.nan, np.float32)
    values[:n] = 1
    hits = SameLight(values, 32).search([Image.new("L", (40, 50), 90)], 5)
    assert hits.rows.tolist() == [[0] * n] and hits.scores.shape == (1, n)


def test_a_query_in_other_light_finds_images_in_that_light():
    rng, lights = np.random.default_rng(1), ((-2, 1), (1, -1))
    small = [Image.fromarray(rng.integers(100, 150, (6, 6, 3), np.uint8)) for _ in range(12)]
    scenes = [image.resize((64, 64)) for image in small]
    images = [in_other_light(scene, exposure=e, warmth=w) for scene in scenes for e, w in lights]
    values = lighting(np.stack([np.asarray(image) for image in images]), np.zeros(len(images), np.int64))
    ranker, query = SameLight(values, 64), scenes[0]
    for light_of, (exposure, warmth) in enumerate(lights):
        rows = ranker.search([in_other_light(query, exposure=exposure, warmth=warmth)], 8).rows[0]
        assert (rows % 2 == light_of).sum() >= 7


def test_light_is_told_apart_as_measured_and_networks_overlook_it():
    test = light_test()
    assert test.photographs == 300 and test.chance == pytest.approx(299 / 899)
    assert test.precision[LINE] >= 0.75
    networks = [value for line, value in test.precision.items() if not line.startswith("lighting")]
    assert len(networks) == 2 and max(networks) <= 0.45


def test_a_measurement_is_the_mean_over_draws(tmp_path):
    file = tmp_path / "light.json"
    assert light_test(file) is None
    content = {"photographs": 3, "lights": 2, "first": 4, "precision": {"a": [0.25, 0.5]}}
    file.write_text(json.dumps(content))
    test = light_test(file)
    assert test == LightTest(3, 2, 4, {"a": 0.375}) and test.chance == 0.4
    file.write_text(json.dumps(content | {"version": 2, "precision": {"a": [0.25, 0.5], "b": []}}))
    assert light_test(file) == test
    for name in content:
        file.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
        assert light_test(file) is None


def test_a_cache_that_cannot_be_written_costs_only_time(images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    cache = LightCache(images, "x", 32, lambda pixels, rows: lighting(pixels, rows))
    cache.path = tmp_path / "file" / "light.npy"
    assert len(list(cache.fill(np.arange(3)))) == 1 and np.isfinite(cache.values[:3]).all()
