"""Bundled maps: saved and loaded; stale or damaged ones are not used."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import plane, projections, umap_layout
from transclipped.analysis.maps.projections import BACKBONE, CONTINUOUS, QUANTIZED
from transclipped.analysis.maps.store import Items, Map, UmapSettings
from transclipped.cli import main
from transclipped.cli import maps as commands_maps
from transclipped.runs.run import RunDir, find_runs
from transclipped.utils.files import ASSETS, folder_size

N = 40
PAGE = UmapSettings()
RUNS = sorted(find_runs(ASSETS / "runs"), key=lambda run: run.name)


def some_map(seed=0, n=N):
    return Map(np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32) * [9, 2] + 5, 0.9)


@pytest.fixture
def saved(tmp_path):
    """A folder with two maps, and the maps."""
    maps = {(BACKBONE, None): some_map(1), (QUANTIZED, PAGE): some_map(2)}
    bundled_maps.save("some", maps, folder=tmp_path)
    return tmp_path, maps


@pytest.fixture
def quick(monkeypatch):
    """PCA instead of UMAP: only the files matter here."""
    monkeypatch.setattr(umap_layout, "umap_map", lambda vectors, settings: plane.pca(vectors))


def test_positions_are_restored_to_a_grid_step_and_trust_exactly(saved, tmp_path):
    folder, maps = saved
    result = bundled_maps.load("some", N, folder=folder)
    assert list(result) == list(maps)
    for at, before in maps.items():
        side = np.ptp(before.xy, axis=0).max()
        assert np.abs(result[at].xy - before.xy).max() <= side / bundled_maps.STEPS
        assert result[at].trustworthiness == before.trustworthiness
    still = Map(np.full((5, 2), 3, np.float32), None)
    bundled_maps.save("still", {(QUANTIZED, PAGE): still}, folder=tmp_path)
    result = bundled_maps.load("still", 5, folder=tmp_path)[QUANTIZED, PAGE]
    assert (result.xy == 3).all() and result.trustworthiness is None


def test_the_variance_of_a_pca_is_stored_and_older_files_lack_it(tmp_path):
    pca = Map(some_map().xy, 0.9, {"method": "pca", "variance": 0.375})
    maps = {(BACKBONE, None): pca, (QUANTIZED, None): some_map(1), (QUANTIZED, PAGE): some_map(2)}
    bundled_maps.save("some", maps, folder=tmp_path)
    result = bundled_maps.load("some", N, folder=tmp_path)
    assert [each.settings.get("variance") for each in result.values()] == [0.375, None, None]


def test_maps_of_other_items_are_not_loaded(saved):
    folder, _ = saved
    assert bundled_maps.load("other", N, folder=folder) == {}
    assert bundled_maps.load("some", N + 1, folder=folder) == {}


DAMAGES = {
    "empty": lambda content: b"",
    "torn": lambda content: content[: len(content) // 2],
    "overwritten": lambda content: content[:100] + bytes(200) + content[300:],
    "pickled": lambda content: b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_has_no_maps(saved, damage):
    folder, _ = saved
    path = folder / "some.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert bundled_maps.load("some", N, folder=folder) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "other"},
        {"settings": {"n_neighbors": 1, "min_dist": 0.1, "metric": "cosine", "seed": 0}},
        {"settings": {"n": 3}},
        {"side": float("nan")},
        {"corner": [0]},
        {"corner": [[0, 1]] * N},
        {"trustworthiness": 7},
    ],
)
def test_a_file_with_invalid_entries_has_no_maps(saved, wrong):
    folder, _ = saved
    path = folder / "some.npz"
    with np.load(path) as file:
        xy, about = file["xy"], json.loads(str(file["about"]))
    about[1] |= wrong
    np.savez_compressed(path, xy=xy, about=np.array(json.dumps(about)))
    assert bundled_maps.load("some", N, folder=folder) == {}


def test_content_stays_in_a_copy_and_changes_with_the_run(tiny_run, tmp_path):
    run, stored = RunDir(tiny_run), RunDir(tiny_run).retrieval()
    copy = RunDir(shutil.copytree(tiny_run, tmp_path / "copy"))
    for which in ("queries", "database"):
        name = bundled_maps.content(run, stored, which)
        assert bundled_maps.content(copy, copy.retrieval(), which) == name
        other = dataclasses.replace(stored, codebooks=stored.codebooks[:, ::-1])
        assert bundled_maps.content(run, other, which) != name
    moved = dataclasses.replace(stored, queries=stored.queries + np.float16(0.01))
    assert bundled_maps.content(run, moved, "queries") != bundled_maps.content(run, stored, "queries")
    assert bundled_maps.content(run, stored, "queries") != bundled_maps.content(run, stored, "database")
    copy.record["backbone_fingerprint"] = "another"
    assert bundled_maps.content(copy, stored, "queries") != bundled_maps.content(run, stored, "queries")


def test_backbone_can_be_drawn_without_its_embeddings_if_its_map_is_bundled():
    vectors, codes = np.eye(N, 8, dtype=np.float32), np.zeros((N, 1), np.uint8)
    points = Items("queries", np.arange(N), None, codes, {CONTINUOUS: vectors, QUANTIZED: vectors})
    bundled = {(BACKBONE, PAGE): some_map()}
    assert bundled_maps.kinds(points, bundled, PAGE) == [BACKBONE, CONTINUOUS, QUANTIZED]
    assert bundled_maps.kinds(points, bundled, UmapSettings(n_neighbors=7)) == [CONTINUOUS, QUANTIZED]


def test_command_computes_missing_maps_and_deletes_stale_ones(tiny_run, tmp_path, quick, own_cache, capsys):
    shutil.copytree(tiny_run, tmp_path / "runs" / "tiny")
    words = ["maps", "--runs", str(tmp_path / "runs"), "--json"]
    assert main(words) == 0
    run, out = RunDir(tmp_path / "runs" / "tiny"), tmp_path / "maps"
    name = bundled_maps.content(run, run.retrieval(), "queries")
    assert [path.stem for path in out.glob("*.npz")] == [name]
    assert json.loads(capsys.readouterr().out)["files"] == 1
    maps = bundled_maps.load(name, N, folder=out)
    assert {(CONTINUOUS, PAGE), (QUANTIZED, UmapSettings(n_neighbors=50))} < set(maps)
    before = (out / f"{name}.npz").stat().st_mtime_ns
    (out / "0000000000000000.npz").write_bytes(b"of a run that is gone")
    assert main([*words, "--database", "tiny"]) == 0
    expected = {"maps": str(out), "files": 2, "bytes": 0, "deleted": 1}
    assert json.loads(capsys.readouterr().out) | {"bytes": 0} == expected
    assert (out / f"{name}.npz").stat().st_mtime_ns == before


def test_umap_prints_nothing(capsys, monkeypatch):
    monkeypatch.setattr(umap_layout, "umap_map", lambda vectors, settings: print("Construct fuzzy simplicial set"))
    commands_maps._quietly(None, None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_every_bundled_run_has_maps_with_the_trustworthiness_they_claim(run):
    stored = run.retrieval()
    points = projections.items(stored, "queries")
    result = bundled_maps.load(bundled_maps.content(run, stored, "queries"), len(points))
    assert {(kind, UmapSettings(n_neighbors=n)) for kind in projections.KINDS for n in (5, 15, 50)} < set(result)
    for kind in (CONTINUOUS, QUANTIZED):
        # equal codes share a position, so the map's value counts them once
        vectors, first = np.unique(points.vectors[kind], axis=0, return_index=True)
        trust = plane.trustworthiness(vectors, result[kind, PAGE].xy[first])
        assert trust == pytest.approx(result[kind, PAGE].trustworthiness, abs=2e-3)
        assert trust > 0.85


def test_bundled_maps_stay_small():
    assert folder_size(bundled_maps.FOLDER) < 2e6
