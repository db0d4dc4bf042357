"""UMAP in a separate process: finished maps, dead children, reused process IDs."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.children import Child
from tests.points import groups
from transclipped.analysis.maps import projections, umap_job
from transclipped.analysis.maps import store as map_store
from transclipped.analysis.maps.store import UmapSettings
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.utils import jobs
from transclipped.utils.files import write_json
from transclipped.utils.machine import identity, process_alive, process_start


def finish(keys, seconds=90):
    end = time.monotonic() + seconds
    while any(map_store.stored_map(key) is None for key in keys) and time.monotonic() < end:
        job = umap_job.current()
        assert job is None or job["state"] == "running", job
        time.sleep(0.1)


def test_umap_child_computes_trustworthy_maps_and_umap_is_not_imported_here(rng, cache):
    x = np.concatenate([groups(rng), groups(rng)[:5], np.zeros((2, 6), np.float32)])
    x[40] = x[41]
    keys = umap_job.start([(x, UmapSettings(n_neighbors=8)), (x[:3], UmapSettings())])
    assert umap_job.current()["keys"] == keys
    with pytest.raises(InputError, match="another map"):
        umap_job.start([(x, UmapSettings(n_neighbors=9))])
    finish(keys)
    result = map_store.stored_map(keys[0])
    assert result.xy.shape == (97, 2) and np.isfinite(result.xy).all()
    assert result.trustworthiness > 0.85
    np.testing.assert_array_equal(result.xy[40], result.xy[41])  # equal vectors share a place
    assert map_store.stored_map(keys[1]).xy.shape == (3, 2)
    assert umap_job.start([(x, UmapSettings(n_neighbors=8))]) == keys[:1]  # nothing to do
    assert "umap" not in sys.modules


def test_images_without_embeddings_are_encoded_after_the_other_maps(rng, cache, tiny_run):
    run, about = RunDir(tiny_run), UmapSettings(n_neighbors=5)
    points, images = projections.items(run.retrieval(), "queries"), load(run.config.data)
    assert list(projections.with_features(run, points, images, points.ids).vectors) == ["continuous", "quantized"]
    encoding = umap_job.Encoding(run, "queries", [("backbone", about)])
    keys = umap_job.start([(points.vectors["continuous"], about)], encoding=encoding)
    assert len(keys) == 1 and umap_job.current()["of"] == 2
    end = time.monotonic() + 120
    while umap_job.current() is not None and time.monotonic() < end:
        assert umap_job.current() is None or umap_job.current()["state"] == "running", umap_job.current()
        time.sleep(0.2)
    vectors = projections.with_features(run, points, images, points.ids).vectors
    assert list(vectors) == list(projections.KINDS)
    keys += [map_store.map_key(map_store.digest(vectors["backbone"]), about)]
    assert [map_store.stored_map(key).xy.shape for key in keys] == [(40, 2), (40, 2)]


def test_cancelled_map_leaves_nothing_behind(rng, cache):
    umap_job.start([(groups(rng), UmapSettings())])
    pid = umap_job.current()["pid"]
    umap_job.cancel()
    assert umap_job.current() is None
    assert not process_alive(pid)
    assert not (map_store.maps_dir() / "job").exists()


def test_dead_child_is_reported_and_replaced(rng, cache):
    folder = map_store.maps_dir() / "job"
    write_json(folder / "progress.json", {"state": "running", "pid": 2**22 + 5, "keys": [], "done": 0.5})
    assert umap_job.current()["state"] == "failed"
    keys = umap_job.start([(groups(rng, n=3), UmapSettings())])
    finish(keys)
    assert map_store.stored_map(keys[0]) is not None


@pytest.mark.skipif(process_start(os.getpid()) is None, reason="the system does not report the start time of processes")
def test_another_process_with_the_id_of_a_dead_child_is_neither_awaited_nor_ended(cache):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        progress = {"state": "running", "done": 0.5, **identity(other.pid)}
        path = map_store.maps_dir() / "job" / "progress.json"
        write_json(path, progress)
        assert umap_job.current()["state"] == "running"
        boot, ticks = progress["started"].split()
        write_json(path, {**progress, "started": f"{boot} {int(ticks) - 1}"})
        assert umap_job.current()["state"] == "failed"
        umap_job.cancel()
        assert umap_job.current() is None and not path.exists()
        assert other.poll() is None
    finally:
        other.communicate(b"\n")
    assert other.returncode == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"done": "x"}', "{"])
def test_damaged_progress_is_no_job(cache, text):
    folder = map_store.maps_dir() / "job"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text(text)
    assert umap_job.current() is None


def test_of_two_at_once_one_computes(rng, cache):
    x = groups(rng)

    def start(n_neighbors):
        try:
            return umap_job.start([(x, UmapSettings(n_neighbors=n_neighbors))])
        except InputError:
            return None

    with ThreadPoolExecutor(2) as pool:
        keys = list(filter(None, pool.map(start, (8, 9))))
    assert len(keys) == 1 and umap_job.current()["keys"] == keys[0]


def test_the_threads_of_a_child_wait_passively(rng, cache, monkeypatch):
    started, child = [], Child([])
    monkeypatch.setattr(jobs, "spawn", lambda *args, **options: started.append(options) or child)
    umap_job.start([(groups(rng), UmapSettings())])
    assert started[0]["passive"]
    umap_job.cancel()
    assert child.wait(10) != 0


def test_failed_child_reports_its_error(cache):
    folder = map_store.maps_dir() / "job"
    folder.mkdir(parents=True)
    np.save(folder / "0.npy", np.full((9, 3), np.nan, np.float32))
    task = {"key": "cd", "vectors": "0.npy", "settings": {"n_neighbors": 5}}
    (folder / "job.json").write_text(json.dumps({"tasks": [task], "keys": ["cd"]}))
    assert umap_job.main([str(folder)]) == 1
    assert "finite" in umap_job.current()["error"]
    assert umap_job.current()["pid"] == os.getpid()
    (folder / "progress.json").unlink()  # else cancelling would end this process
